"""All that is used of numba beside what its documentation promises: each name looked for, and missed in plain words.

A version of numba that renamed or moved one of them ends with an ``InstallationError`` that says which; ``KNOWN`` are
the versions that the tests ran with. Nothing else of the package reaches into numba.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import pickle
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..errors import InstallationError

KNOWN = {"numba": ("0.60.0", "0.68.1"), "numba-cuda": ("0.30.4", "0.30.4")}
"""Package to the oldest and the newest version that was tested."""

OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": False}


def taken(owner: Any, path: str, package: str = "numba") -> Any:
    """What an owner has at the end of a dotted path of attributes.

    Raises:
        InstallationError: it has not: another version of the package.
    """
    for name in path.split("."):
        try:
            owner = getattr(owner, name)
        except AttributeError:
            raise _changed(f"{_named(owner)} has no {name!r}", package) from None
    return owner


def module(name: str, package: str = "numba") -> Any:
    """A module inside numba.

    Raises:
        InstallationError: there is none of that name.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError:
        raise _changed(f"there is no module {name}", package) from None


def replace(owner: Any, name: str, function: Callable[..., Any]) -> None:
    """Put a function in the place of a method of one object.

    Raises:
        InstallationError: there is no such method, so that nothing would call the function.
    """
    taken(owner, name)
    vars(owner)[name] = function


def takes(function: Any, *names: str) -> Any:
    """A function that has parameters of these names.

    Raises:
        InstallationError: it lacks one.
    """
    missing = set(names) - set(inspect.signature(function).parameters)
    if missing:
        raise _changed(f"{_named(function)} has no parameter {sorted(missing)[0]!r}")
    return function


def _changed(what: str, package: str = "numba") -> InstallationError:
    oldest, newest = KNOWN[package]
    return InstallationError(
        f"{package} {version(package)} is not one that this works with: {what}\n"
        f"  expected: {package} from {oldest} to {newest}, with which it was tested\n"
        f"  remedy: pip install '{package}>={oldest},<={newest}'"
    )


def _named(owner: Any) -> str:
    name = getattr(owner, "__qualname__", None) or getattr(owner, "__name__", None)
    return str(name or type(owner).__qualname__)


Dispatcher: Any = taken(module("numba.core.dispatcher"), "Dispatcher")
_compiler = module("numba.core.compiler")
_Flags = taken(_compiler, "Flags")
_compile_extra = takes(
    taken(_compiler, "compile_extra"),
    *("typingctx", "targetctx", "func", "args", "return_type", "flags", "locals", "library"),
)
_FunctionCache = taken(module("numba.core.caching"), "FunctionCache")
_unliteral = taken(module("numba.core.types"), "unliteral")
taken(module("numba.core.options"), "DefaultOptions._nrt")


def compiled(function: Callable[..., Any], forceinline: bool, counted: bool) -> Any:
    """A dispatcher: compiles at its first call. ``counted``: with reference counts, so that it can make arrays."""
    jit = taken(module("numba"), "njit")(forceinline=forceinline, _nrt=counted, **OPTIONS)
    dispatcher = jit(function)
    _merge_into_callers(dispatcher, jit(function))
    return dispatcher


def keep_on_disk(dispatcher: Any, stamp: object) -> None:
    """Cache compiled code, tied to ``stamp`` beside the file of the function, which is all that numba looks at.

    What was cut, changed or mixed up on disk is compiled anew, and where nothing can be written, nothing is kept: numba
    itself believes what it reads, runs it, and raises what the disk says.
    """
    try:
        taken(dispatcher, "enable_caching")()
    except RuntimeError:  # no folder for it can be written to
        return
    kept = taken(dispatcher, "_cache")
    if isinstance(kept, _FunctionCache):
        file = taken(kept, "_cache_file")
        file._source_stamp = (taken(file, "_source_stamp"), stamp)
        save, dump, save_overload = taken(file, "save"), taken(file, "_dump"), taken(kept, "save_overload")
        replace(file, "_load_index", _readable(file, taken(file, "_load_index")))
        replace(file, "_dump", lambda entry: _sealed(dump(entry)))
        # The code says itself what it is: processes that compile at the same time may confuse the index.
        replace(file, "save", lambda key, code: save(key, (file._source_stamp, key, code)))
        replace(file, "load", lambda key: _loaded(file, key))
        replace(kept, "save_overload", _where_possible(save_overload))


def is_cached(dispatcher: Any) -> bool:
    """Whether there is compiled code in this process or in the cache on disk."""
    folder = cache_folder(dispatcher)
    return bool(dispatcher.signatures) or (
        folder is not None and any(folder.glob(f"*{dispatcher.py_func.__name__}*.nbi"))
    )


def cache_folder(dispatcher: Any) -> Path | None:
    """Where compiled code is kept; ``None`` if nowhere."""
    folder = taken(dispatcher, "stats.cache_path")
    return None if folder is None else Path(folder)


def _readable(file: Any, load: Callable[[], dict[Any, str]]) -> Callable[[], dict[Any, str]]:
    """``load``, but an index that cannot be read is an empty one: damaged, or of a version with other records."""
    before = pickle.dumps(taken(file, "_version"), protocol=-1)

    def index() -> dict[Any, str]:
        try:
            content = Path(taken(file, "_index_path")).read_bytes()
            intact = content.startswith(before) and _is_whole(content[len(before) :])
            return load() if intact else {}
        except Exception:  # unpickling raises what it likes
            return {}

    return index


def _sealed(content: bytes) -> bytes:
    return content + hashlib.sha256(content).digest()  # unpickling stops at the end of what was pickled


def _is_whole(content: bytes) -> bool:
    return _sealed(content[:-32]) == content


def _loaded(file: Any, key: Any) -> Any:
    """The code for a key; ``None`` if there is none, or not the whole of it, or it is other code."""
    name = taken(file, "_load_index")().get(key)
    if name is None:
        return None
    try:
        content = Path(taken(file, "_data_path")(name)).read_bytes()
    except OSError:
        return None
    stamp, made_for, code = pickle.loads(content) if _is_whole(content) else (None, None, None)
    return code if (stamp, made_for) == (file._source_stamp, key) else None


def _where_possible(save: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    """``save``, but a full or read-only disk is no reason to stop."""

    def saved(signature: Any, code: Any) -> None:
        with contextlib.suppress(OSError):
            save(signature, code)

    return saved


def _merge_into_callers(dispatcher: Any, part: Any) -> None:
    """Kernels that call this one are given ``part``: code that is neither optimised nor translated by itself.

    Its callers are, with it. numba would do both for every kernel, each time with all that it calls, and keep all of it
    on disk: two thirds of the time of compiling. It would also compile another version for every argument that is a
    constant; here, one serves for all integers.
    """
    made = taken(part, "_compiler")

    def get_call_template(args: Any, kws: Any) -> Any:
        return part.get_call_template(
            tuple(_unliteral(kind) for kind in args),
            {name: _unliteral(kind) for name, kind in kws.items()},
        )

    def get_overload(signature: Any) -> Any:
        return part.get_overload(signature)

    def add_overload(compiled: Any) -> None:
        part.overloads[tuple(compiled.signature.args)] = compiled

    replace(dispatcher, "get_call_template", get_call_template)
    replace(dispatcher, "get_overload", get_overload)
    replace(part, "add_overload", add_overload)  # numba's own would enter it for calls from Python
    replace(made, "_compile_core", lambda args, result: _compiled_part(made, args, result))


def _compiled_part(made: Any, args: Any, result: Any) -> Any:
    """What numba's own ``_compile_core`` returns, without the wrappers by which Python would call it."""
    context, flags = taken(made, "targetdescr.target_context"), _Flags()
    taken(made, "targetdescr.options.parse_as_flags")(flags, taken(made, "targetoptions"))
    for name in ("no_compile", "no_cpython_wrapper", "no_cfunc_wrapper"):
        taken(flags, name)
        setattr(flags, name, True)
    library = taken(context, "codegen")().create_library(made.py_func.__qualname__)
    finalize, _ = taken(library, "_finalize_dynamic_globals"), taken(library, "_finalized")

    def finalized() -> None:
        finalize()
        library._finalized = True

    replace(library, "_optimize_final_module", lambda: None)
    replace(library, "_finalize_final_module", finalized)
    compiled = _compile_extra(
        taken(made, "targetdescr.typing_context"),
        context,
        made.py_func,
        args=args,
        return_type=result,
        flags=flags,
        locals=taken(made, "locals"),
        library=library,
        pipeline_class=taken(made, "pipeline_class"),
    )
    key = object()  # stands for the function that Python would call
    taken(context, "insert_user_function")(key, compiled.fndesc, [library])
    return compiled._replace(entry_point=key)


@contextmanager
def cuda_compiled_with(changed: Callable[[Mapping[str, Any]], dict[str, Any]]) -> Iterator[None]:
    """In here kernels of the CUDA target are compiled with other options of NVVM, the compiler behind it.

    Args:
        changed: what numba-cuda hands to NVVM to what it shall hand to it.
    """
    dispatcher = module("numba.cuda.dispatcher", "numba-cuda")
    taken(dispatcher, "config.CUDA_LOW_OCCUPANCY_WARNINGS", "numba-cuda")
    dispatcher.config.CUDA_LOW_OCCUPANCY_WARNINGS = 0  # a batch may be small
    original = taken(dispatcher, "compile_cuda", "numba-cuda")

    def compile_cuda(*arguments: Any, **options: Any) -> Any:
        return original(*arguments, **{**options, "nvvm_options": changed(options.get("nvvm_options") or {})})

    dispatcher.compile_cuda = compile_cuda
    try:
        yield
    finally:
        dispatcher.compile_cuda = original
