#!/usr/bin/env bash
# All quick tests in two processes side by side: the files of tests/, and its folders. tools/tests.sh PYTHON
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
"$1" -m pytest -m "not slow" tests/*/ >"$log" 2>&1 &
folders=$!
"$1" -m pytest -m "not slow" tests/test_*.py
files=$?
wait "$folders"
status=$?
echo "== tests of the folders"
cat "$log"
exit $((files != 0 || status != 0))
