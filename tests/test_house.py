"""The rules of docs/house.md, checked on the source text: imports, torch, sizes, shortcuts, stray paths."""

from __future__ import annotations

import ast
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "timeloop_marl"
FILE_LINES, FUNCTION_LINES = 800, 80
# Compiled kernels may be longer: splitting one costs calls with dozens of array arguments (docs/model.md).
KERNEL_LINES = 160
KERNEL_DECORATORS = {"kernel", "inlined", "allocating", "njit"}

# Room -> the rooms it may import, besides itself. Every module belongs to exactly one room.
CORE = {"errors", "specs", "mapping", "outcome"}
FOUNDATION = CORE | {
    "mapspace",
    "traffic",
    "cost",
    "device",
    "evaluators",
    "objective",
    "searchers",
    "parallel",
    "interruption",
    "versions",
}
ARROWS: dict[str, set[str]] = {
    "errors": set(),
    "compiling": {"errors"},
    "versions": set(),
    "interruption": set(),
    "parallel": {"errors", "interruption", "versions"},
    "specs": {"errors"},
    "device": CORE | {"compiling", "mapspace", "traffic", "cost"},
    "mapping": {"errors", "specs"},
    "outcome": {"errors"},
    "traffic": {"errors", "compiling", "specs", "mapping"},
    "mapspace": {"errors", "compiling", "specs", "mapping", "traffic"},
    "vectors": {"errors", "compiling"},
    "cost": CORE | {"compiling", "traffic", "vectors"},
    "evaluators": CORE | {"compiling", "mapspace", "traffic", "cost", "device", "parallel", "vectors"},
    "objective": {"errors", "outcome"},
    "tasks": CORE | {"mapspace", "objective"},
    "searchers": CORE | {"compiling", "traffic", "mapspace", "objective", "tasks", "parallel"},
    "rows": FOUNDATION,
    "run": FOUNDATION,
    "converters": {"errors", "run"},
    "optimal": CORE | {"compiling", "traffic", "mapspace", "objective"},
    "networks": FOUNDATION | {"run", "converters"},
    "report": FOUNDATION | {"run", "networks"},
    "front": FOUNDATION | {"tasks", "run", "rows", "report", "networks", "converters", "optimal"},
}
# Longest matching prefix counts. Everything else is unknown and has to be given a room here and in docs/house.md.
ROOMS = {
    "timeloop_marl.errors": "errors",
    "timeloop_marl.kernels.compiling": "compiling",
    "timeloop_marl.kernels.numba_internals": "compiling",
    "timeloop_marl.parallel.versions": "versions",
    "timeloop_marl.parallel.interruption": "interruption",
    "timeloop_marl.parallel": "parallel",
    "timeloop_marl.specs": "specs",
    "timeloop_marl.specs.mapping": "mapping",
    "timeloop_marl.specs.mapping_yaml": "mapping",
    "timeloop_marl.specs.front_end": "mapping",
    "timeloop_marl.mapspace": "mapspace",
    "timeloop_marl.kernels.vectors": "vectors",
    "timeloop_marl.traffic": "traffic",
    "timeloop_marl.cost": "cost",
    "timeloop_marl.cost.outcome": "outcome",
    "timeloop_marl.evaluators.gpu": "device",
    "timeloop_marl.evaluators": "evaluators",
    "timeloop_marl.searchers.envs": "tasks",
    "timeloop_marl.api.environments": "front",
    "timeloop_marl.searchers": "searchers",
    "timeloop_marl.cost.objective": "objective",
    "timeloop_marl.cost.nondominated": "objective",
    "timeloop_marl.optimal": "optimal",
    "timeloop_marl.specs.converters": "converters",
    "timeloop_marl.validation.rows": "rows",
    "timeloop_marl.report": "report",
    "timeloop_marl.testing": "front",
    "timeloop_marl.validation.verification": "front",
    "timeloop_marl.validation.comparison": "front",
    "timeloop_marl.__main__": "front",
    "timeloop_marl": "front",
    "timeloop_marl.run": "run",
    "timeloop_marl.cli": "front",
    "timeloop_marl.networks": "networks",
    "timeloop_marl.api": "front",
}
TORCH_ROOMS = (
    "timeloop_marl.searchers.library",
    "timeloop_marl.specs.converters.torch_model",
)


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(), str(path)) for name, path in MODULES.items()}


def room(module: str) -> str | None:
    """The room of a module: longest prefix in ROOMS; the bare package name only stands for itself."""
    parts = module.split(".")
    for length in range(len(parts), 1, -1):
        if ".".join(parts[:length]) in ROOMS:
            return ROOMS[".".join(parts[:length])]
    return ROOMS["timeloop_marl"] if module == "timeloop_marl" else None


def imports(name: str) -> Iterator[tuple[str, int]]:
    """Modules that ``name`` imports, anywhere in its text, with the line; relative ones resolved."""
    package = name if MODULES[name].name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - (node.level - 1)] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                yield (whole if whole in MODULES else base), node.lineno


def test_every_module_has_a_room() -> None:
    homeless = [name for name in MODULES if room(name) is None]
    assert not homeless, f"give these a room in tests/test_house.py and docs/house.md: {homeless}"


@pytest.mark.parametrize("name", MODULES)
def test_arrows(name: str) -> None:
    here = room(name)
    assert here is not None
    wrong = [
        f"{MODULES[name].relative_to(ROOT)}:{line} ({here}) imports {target} ({room(target)})"
        for target, line in imports(name)
        if target.split(".")[0] == "timeloop_marl" and room(target) not in ARROWS[here] | {here}
    ]
    assert not wrong, "\n".join(wrong)


def test_the_rooms_themselves_have_no_circle() -> None:
    order: list[str] = []
    while len(order) < len(ARROWS):
        ready = [r for r, seen in ARROWS.items() if r not in order and seen <= set(order)]
        assert ready, f"circle among {set(ARROWS) - set(order)}"
        order += ready


def test_modules_have_no_circle() -> None:
    graph = {name: {t for t, _ in imports(name) if t in MODULES and t != name} for name in MODULES}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, "circle: " + " -> ".join((*trail[trail.index(name) :], name))
        if name not in done:
            for target in sorted(graph[name]):
                visit(target, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_torch_stays_in_its_rooms() -> None:
    strays = [
        f"{MODULES[name].relative_to(ROOT)}:{line}"
        for name in MODULES
        if not name.startswith(TORCH_ROOMS)
        for target, line in imports(name)
        if target.split(".")[0] == "torch"
    ]
    assert not strays, strays


def test_searchers_never_see_costs_being_made() -> None:
    """Stated on its own because it is the rule the design stands on; ``cost.outcome`` is plain data."""
    assert not {"evaluators", "cost", "run"} & ARROWS["searchers"]


def sources() -> list[Path]:
    folders = ("timeloop_marl", "tests", "tools", "benchmarks", "examples")
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def test_files_are_small() -> None:
    large = {
        str(p.relative_to(ROOT)): n for p in sources() if (n := len(p.read_text().splitlines())) > FILE_LINES
    }
    assert not large, f"more than {FILE_LINES} lines: {large}"


def decorator_names(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    targets = (d.func if isinstance(d, ast.Call) else d for d in function.decorator_list)
    return {
        t.attr if isinstance(t, ast.Attribute) else t.id
        for t in targets
        if isinstance(t, ast.Attribute | ast.Name)
    }


def test_functions_are_small() -> None:
    large = []
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                limit = KERNEL_LINES if decorator_names(node) & KERNEL_DECORATORS else FUNCTION_LINES
                if lines > limit:
                    large.append(
                        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {lines} lines, limit {limit}"
                    )
    assert not large, "\n".join(large)


def test_no_shortcuts_in_the_package() -> None:
    """No bare except, no star import, no eval or exec, no silenced type checker."""
    found = []
    for name, tree in TREES.items():
        text = MODULES[name].read_text()
        for node in ast.walk(tree):
            bad = (
                (isinstance(node, ast.ExceptHandler) and node.type is None)
                or (isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names))
                or (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Name)
                    and node.func.id in {"eval", "exec"}
                )
            )
            if bad:
                found.append(f"{MODULES[name].relative_to(ROOT)}:{getattr(node, 'lineno', 0)}")
        for number, line in enumerate(text.splitlines(), start=1):
            if re.search(r"#\s*type:\s*ignore|\bTODO\b|\bFIXME\b", line):
                found.append(f"{MODULES[name].relative_to(ROOT)}:{number}: {line.strip()}")
    assert not found, "\n".join(found)


def tracked_files() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def test_test_files_have_names_of_their_own() -> None:
    """Two files of one name cannot be collected together, though each passes when its own room is run."""
    files = [
        path for path in (ROOT / "tests").rglob("test_*.py") if not (path.parent / "__init__.py").exists()
    ]
    shared = {name for name, times in Counter(path.name for path in files).items() if times > 1}
    assert sorted(path for path in files if path.name in shared) == []


def test_no_machine_paths() -> None:
    """No absolute path of anybody's machine in a tracked file; recorded outputs of Timeloop are left as they are."""
    pattern = re.compile(rb"(?<![\w.])/(?:work|root|home/\w+|Users/\w+|mnt)/")
    found = []
    for path in tracked_files():
        if path.is_relative_to(ROOT / "tests" / "golden") or path == Path(__file__).resolve():
            continue
        for number, line in enumerate(path.read_bytes().splitlines(), start=1):
            if pattern.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line[:100].decode(errors='replace')}")
    assert not found, "\n".join(found)
