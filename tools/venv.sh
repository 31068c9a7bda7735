#!/usr/bin/env bash
# Make a virtual environment and install this package into it, unless that has been done since pyproject.toml changed.
#
#   tools/venv.sh FOLDER [EXTRAS]       e.g. tools/venv.sh .venv test,check
#
# The interpreter is $PYTHON if set, else the newest of python3.13 ... python3.10 and python3 that runs and is >= 3.10.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=${1:?usage: tools/venv.sh FOLDER [EXTRAS]}
extras=${2:-}
stamp=$folder/.installed-${extras//,/-}

suits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; }

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.10}; do
        if suits "$candidate"; then echo "$candidate"; return; fi
    done
    echo "tools/venv.sh: found no Python >= 3.10 (tried: ${PYTHON:-python3, python3.13 ... python3.10}); set PYTHON=/path/to/python" >&2
    return 1
}

make_venv() {
    local python
    python=$(find_python)
    # Debian's python3 comes without ensurepip unless python3-venv is installed; virtualenv and uv bring their own pip.
    "$python" -m venv "$folder" >/dev/null 2>&1 || "$python" -m virtualenv -q "$folder" 2>/dev/null \
        || uv venv -q --seed -p "$python" "$folder" 2>/dev/null \
        || { echo "tools/venv.sh: $python cannot make a virtual environment; install python3-venv, virtualenv or uv" >&2; return 1; }
}

# A stamp is only good for the interpreter and the place it was made for: a copied or half-made folder is made again.
working() { "$folder/bin/python" -c "import sys, pathlib; sys.exit(pathlib.Path(sys.prefix) != pathlib.Path('$folder').resolve())" 2>/dev/null; }

if ! working; then
    if [ -e "$folder" ] && [ ! -e "$folder/pyvenv.cfg" ]; then
        echo "tools/venv.sh: $folder exists and is not a virtual environment; it is left alone" >&2
        exit 1
    fi
    rm -rf "$folder"
    echo "making $folder ..."
    make_venv
fi
if [ ! -e "$stamp" ] || [ pyproject.toml -nt "$stamp" ]; then
    echo "installing timeloop-marl${extras:+[$extras]} into $folder ..."
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check -e ".${extras:+[$extras]}"
    touch "$stamp"
fi
