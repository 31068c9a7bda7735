"""The rules of docs/house.md, checked on the source text. At most twelve: one more takes the place of another."""

from __future__ import annotations

import ast
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "timeloop_marl"
LOOSE = {"__init__", "__main__", "errors"}
# Files and lines are what docs/house.md says of today: a change that adds nothing takes some away.
MOST = {"rooms": 22, "arrows": 130, "files": 303, "lines": 60_300}
FILE_LINES, MEDIAN_LINES, FUNCTION_LINES = 800, 250, 80
# Compiled kernels may be longer: splitting one costs calls with dozens of array arguments (docs/model.md).
KERNEL_LINES = 160
KERNEL_DECORATORS = {"kernel", "inlined", "allocating", "njit"}

# From the ground up: a room may import what stands above its own line, and of that only what is named here.
ARROWS: dict[str, set[str]] = {
    "errors": set(),
    "kernels": {"errors"},
    "parallel": {"errors"},
    "specs": {"errors"},
    "traffic": {"errors", "kernels", "specs"},
    "mapspace": {"errors", "kernels", "specs", "traffic"},
    "cost": {"errors", "kernels", "specs", "traffic"},
    "optimal": {"errors", "kernels", "specs", "traffic", "mapspace", "cost"},
    "searchers": {"errors", "kernels", "parallel", "specs", "traffic", "mapspace", "cost", "optimal"},
    "evaluators": {"errors", "kernels", "parallel", "specs", "traffic", "mapspace", "cost"},
    "run": {"errors", "parallel", "specs", "traffic", "mapspace", "cost", "searchers", "evaluators"},
    "networks": {"errors", "parallel", "specs", "mapspace", "cost", "searchers", "evaluators", "run"},
    "validation": {"errors", "parallel", "specs", "mapspace", "cost", "searchers", "evaluators", "run"},
    "report": {"errors", "specs", "mapspace", "traffic", "cost", "evaluators", "run", "networks", "validation"},
    "api": {
        "errors", "kernels", "parallel", "specs", "traffic", "mapspace", "cost", "optimal", "searchers", "evaluators",
        "run", "networks", "validation", "report",
    },
    "testing": {"errors", "specs", "mapspace", "cost", "searchers", "evaluators", "run", "api"},
    "cli": {
        "errors", "kernels", "parallel", "specs", "mapspace", "cost", "optimal", "searchers", "evaluators", "run",
        "networks", "validation", "report", "api",
    },
    "__init__": {
        "errors", "specs", "mapspace", "cost", "searchers", "evaluators", "run", "networks", "validation", "api",
    },
    "__main__": {"cli"},
}  # fmt: skip
# What searchers may see of costs: plain data.
SEARCHERS_SEE = {f"timeloop_marl.cost.{name}" for name in ("outcome", "objective", "nondominated")}
TORCH = (
    "timeloop_marl.searchers.single_agent",
    "timeloop_marl.searchers.library",
    "timeloop_marl.specs.converters",
)


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(), str(path)) for name, path in MODULES.items()}


def room(module: str) -> str:
    """The folder, or the loose file, in which a module lies."""
    return [*module.split("."), "__init__"][1]


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


GRAPH = {
    name: {(target, line) for target, line in imports(name) if target.split(".")[0] == "timeloop_marl"}
    for name in MODULES
}


def test_every_module_lies_in_a_room() -> None:
    loose = {path.stem for path in PACKAGE.glob("*.py")}
    assert loose == LOOSE
    assert {room(name) for name in MODULES} == set(ARROWS)


@pytest.mark.parametrize("here", ARROWS)
def test_arrows(here: str) -> None:
    wrong = [
        f"{MODULES[name].relative_to(ROOT)}:{line} imports {target}"
        for name in MODULES
        if room(name) == here
        for target, line in GRAPH[name]
        if room(target) not in ARROWS[here] | {here}
    ]
    assert not wrong, "\n".join(sorted(wrong))


def test_no_circle() -> None:
    """Rooms stand in the order of ``ARROWS``; modules have no circle either."""
    order = list(ARROWS)
    assert all(
        order.index(target) < order.index(one)
        for one, targets in ARROWS.items()
        for target in targets
        if one != "__init__"
    )
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, "circle: " + " -> ".join((*trail[trail.index(name) :], name))
        if name not in done:
            for target in sorted({target for target, _ in GRAPH[name]} & set(MODULES) - {name}):
                visit(target, (*trail, name))
            done.add(name)

    for name in MODULES:
        visit(name, ())


def test_searchers_never_see_costs_being_made() -> None:
    """Stated on its own because it is the rule the design stands on: counts of words yes, prices and evaluators no."""
    seen = {t for name in MODULES if room(name) == "searchers" for t, _ in GRAPH[name] if room(t) == "cost"}
    assert seen <= SEARCHERS_SEE
    assert not {"evaluators", "run"} & ARROWS["searchers"]
    assert "cost" not in ARROWS["traffic"]


def test_torch_stays_where_a_learner_needs_it() -> None:
    strays = [
        f"{MODULES[name].relative_to(ROOT)}:{line}"
        for name in MODULES
        if not name.startswith(TORCH)
        for target, line in imports(name)
        if target.split(".")[0] == "torch"
    ]
    assert not strays, strays


def test_the_house_can_be_drawn() -> None:
    """Small enough to be known: rooms, arrows between them, files, lines; files of a readable size."""
    arrows = {(room(name), room(target)) for name in MODULES for target, _ in GRAPH[name]}
    lines = [len(path.read_text().splitlines()) for path in MODULES.values()]
    size = {
        "rooms": len(ARROWS),
        "arrows": sum(a != b for a, b in arrows),
        "files": len(MODULES),
        "lines": sum(lines),
    }
    assert {key: value for key, value in size.items() if value > MOST[key]} == {}
    assert median(lines) <= MEDIAN_LINES


def sources() -> list[Path]:
    folders = ("timeloop_marl", "tests", "tools", "benchmarks", "examples")
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def test_files_are_readable() -> None:
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
    """No bare except, no star import, no eval or exec, no silenced type checker; nothing below ``cli`` prints."""
    found = []
    for name, tree in TREES.items():
        text = MODULES[name].read_text()
        barred = {"eval", "exec"} | (set() if room(name) == "cli" else {"print"})
        for node in ast.walk(tree):
            bad = (
                (isinstance(node, ast.ExceptHandler) and node.type is None)
                or (isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names))
                or (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in barred)
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
