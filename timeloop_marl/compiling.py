"""How kernels are compiled: numba, cached on disk, the GIL released. The same functions also run as plain Python.

``fastmath`` is off so that no sum is re-associated and no product contracted to a fused multiply-add;
``error_model='numpy'`` so that a division has no branch for an exception. Reference counts are off (``_nrt``): a kernel
is given all its arrays and makes only views, and counting these in every call took more than half of the time of an
invalid mapping. So a kernel cannot make arrays (numba refuses to compile one that tries), unless it is an
``allocating`` one.

Compiled code is kept next to the sources, or in the user's cache where these cannot be written to (``NUMBA_CACHE_DIR``
names another place). Where neither can be written, kernels are compiled anew in every process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, ParamSpec, TypeVar, cast

import numba
from numba.core import compiler, types
from numba.core.caching import FunctionCache
from numba.core.dispatcher import Dispatcher

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

PACKAGE = Path(__file__).parent
CALLED: dict[str, tuple[str, ...]] = {
    "traffic": ("traffic",),
    "cost": ("traffic", "cost"),
    "mapspace": ("traffic", "mapspace"),
    "optimal": ("traffic", "mapspace", "cost", "optimal"),
    "searchers": ("traffic", "mapspace", "searchers/timeloop", "searchers/marl"),
    "vectors": ("traffic", "cost", "vectors"),
}
"""Room of a kernel to the folders whose code may be merged into it; a kernel outside the package may call all."""


def kernel(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Compile a function over plain arrays and records on its first call."""
    return _compiled(function)


def allocating(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """As ``kernel``, for a function that makes arrays; only Python or another one like it may be given them."""
    return _compiled(function, counted=True)


def inlined(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """As ``kernel``, but merged into its callers: handing several arrays on costs more than a little work on them."""
    return _compiled(function, forceinline=True)


def plain(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """The kernel as ordinary Python, with every kernel that it calls, directly or not, made ordinary too."""
    return rebuilt(function, lambda source, _: source)


def rebuilt(
    function: Callable[Arguments, Result],
    decorate: Callable[[FunctionType, bool], Any],
    instead: Mapping[Callable[..., Any], Any] | None = None,
    modules: Mapping[ModuleType, ModuleType] | None = None,
    done: dict[int, Any] | None = None,
) -> Callable[Arguments, Result]:
    """The kernel and all kernels that it calls made anew from their sources: one text for several targets.

    A function looks its callees up in the globals of its module (so ``Dispatcher.py_func`` alone would still call
    compiled ones); each is rebuilt over a copy of those globals in which kernels are replaced.

    Args:
        function: a kernel.
        decorate: makes something callable of a plain function; told whether it is an ``inlined`` one. What it calls is
            not there yet.
        instead: kernels to something that takes their place, and is not looked into.
        modules: modules to others that sources find under their names.
        done: what was made before with the same arguments; more is added.
    """
    known = {} if done is None else done
    known.update({_number(one): other for one, other in (instead or {}).items()})
    made = _rebuild(cast(Dispatcher, function), decorate, modules or {}, known)
    return cast(Callable[Arguments, Result], made)


def is_cached(function: Callable[..., object]) -> bool:
    """Whether a kernel was compiled in this process or lies in the cache on disk."""
    dispatcher = cast(Dispatcher, function)
    folder = dispatcher.stats.cache_path
    return bool(dispatcher.signatures) or (
        folder is not None and any(Path(folder).glob(f"*{function.__name__}*.nbi"))
    )


def cache_folder(function: Callable[..., object]) -> Path | None:
    """Where the compiled code of a kernel is kept; ``None`` if nowhere."""
    folder = cast(Dispatcher, function).stats.cache_path
    return None if folder is None else Path(folder)


def sources(room: str) -> tuple[tuple[str, int, int], ...]:
    """Name, time of change and size of every source file whose code may be merged into kernels of a room."""
    return _sources(room)


def _compiled(
    function: Callable[Arguments, Result], forceinline: bool = False, counted: bool = False
) -> Callable[Arguments, Result]:
    options: dict[str, Any] = {"forceinline": forceinline, "_nrt": counted}
    jit = numba.njit(nogil=True, error_model="numpy", fastmath=False, **options)
    dispatcher = jit(function)
    _keep_on_disk(dispatcher)
    _merge_into_callers(dispatcher, jit(function))
    return cast(Callable[Arguments, Result], dispatcher)


def _keep_on_disk(dispatcher: Dispatcher) -> None:
    """Cache compiled code, tied to the sources of all kernels that may be merged into it.

    numba itself looks at the file of the function alone, and would go on using old code of callees in other files.
    """
    try:
        dispatcher.enable_caching()
    except RuntimeError:  # no folder for it can be written to
        return
    kept = getattr(dispatcher, "_cache", None)
    if isinstance(kept, FunctionCache):
        path = Path(dispatcher.py_func.__code__.co_filename)
        inside = path.is_relative_to(PACKAGE)
        file: Any = kept._cache_file
        file._source_stamp = (
            file._source_stamp,
            _sources(path.relative_to(PACKAGE).parts[0] if inside else ""),
        )
        file._load_index = _readable(file._load_index)


def _readable(load: Callable[[], dict[Any, str]]) -> Callable[[], dict[Any, str]]:
    """``load``, but an index that cannot be read is an empty one: damaged, or of a version with other records."""

    def index() -> dict[Any, str]:
        try:
            return load()
        except Exception:  # unpickling raises what it likes
            return {}

    return index


@cache
def _sources(room: str) -> tuple[tuple[str, int, int], ...]:
    """Name, time of change and size of every source file whose code may be merged into kernels of a room."""
    folders = CALLED.get(room, tuple(sorted({folder for called in CALLED.values() for folder in called})))
    files = [
        Path(__file__),
        *(file for folder in folders for file in sorted((PACKAGE / folder).rglob("*.py"))),
    ]
    return tuple((str(f.relative_to(PACKAGE)), f.stat().st_mtime_ns, f.stat().st_size) for f in files)


def _merge_into_callers(dispatcher: Any, part: Any) -> None:
    """Kernels that call this one are given ``part``: code that is neither optimised nor translated by itself.

    Its callers are, with it. numba would do both for every kernel, each time with all that it calls, and keep all of it
    on disk: two thirds of the time of compiling. It would also compile another version for every argument that is a
    constant; here, one serves for all integers.
    """
    unliteral, made = cast(Any, types).unliteral, part._compiler

    def get_call_template(args: Any, kws: Any) -> Any:
        return part.get_call_template(
            tuple(unliteral(kind) for kind in args),
            {name: unliteral(kind) for name, kind in kws.items()},
        )

    def get_overload(signature: Any) -> Any:
        return part.get_overload(signature)

    def add_overload(compiled: Any) -> None:
        part.overloads[tuple(compiled.signature.args)] = compiled

    vars(dispatcher)["get_call_template"] = get_call_template
    vars(dispatcher)["get_overload"] = get_overload
    vars(part)["add_overload"] = add_overload  # numba's own would enter it for calls from Python
    vars(made)["_compile_core"] = lambda args, result: _compiled_part(made, args, result)


def _compiled_part(made: Any, args: Any, result: Any) -> Any:
    """What numba's own ``_compile_core`` returns, without the wrappers by which Python would call it."""
    numba_compiler, context = cast(Any, compiler), made.targetdescr.target_context
    flags = numba_compiler.Flags()
    made.targetdescr.options.parse_as_flags(flags, made.targetoptions)
    flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
    library = context.codegen().create_library(made.py_func.__qualname__)

    def finalized() -> None:
        library._finalize_dynamic_globals()
        library._finalized = True

    vars(library)["_optimize_final_module"] = lambda: None
    vars(library)["_finalize_final_module"] = finalized
    compiled = numba_compiler.compile_extra(
        made.targetdescr.typing_context,
        context,
        made.py_func,
        args=args,
        return_type=result,
        flags=flags,
        locals=made.locals,
        library=library,
        pipeline_class=made.pipeline_class,
    )
    key = object()  # stands for the function that Python would call
    context.insert_user_function(key, compiled.fndesc, [library])
    return compiled._replace(entry_point=key)


def _number(function: Callable[..., Any]) -> int:
    return id(cast(Dispatcher, function).py_func)


def _rebuild(
    dispatcher: Dispatcher,
    decorate: Callable[[FunctionType, bool], Any],
    modules: Mapping[ModuleType, ModuleType],
    done: dict[int, Any],
) -> Any:
    source = cast(FunctionType, dispatcher.py_func)
    if id(source) in done:
        return done[id(source)]
    names = dict(source.__globals__)
    new = FunctionType(source.__code__, names, source.__name__, source.__defaults__, source.__closure__)
    made = done[id(source)] = decorate(new, bool(dispatcher.targetoptions.get("forceinline")))
    for name in source.__code__.co_names:
        value = names.get(name)
        if isinstance(value, Dispatcher):
            names[name] = _rebuild(value, decorate, modules, done)
        elif isinstance(value, ModuleType):
            names[name] = modules.get(value, value)
    return made
