"""Which code a searcher's proposals depend on: a hash of its modules, comments and docstrings left out."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import timeloop_marl

PACKAGE = Path(timeloop_marl.__file__).parent
ROOMS = ("searchers", "mapspace", "envs")  # the cost model is exact, so it cannot change


@cache
def fingerprint(module: str) -> str:
    """Hash of the module and of all that it imports within ``ROOMS``.

    Args:
        module: dotted name, as in ``type(searcher).__module__``.
    """
    waiting, found = [_file(module.split(".")[1:])], set[Path]()
    while waiting:
        path = waiting.pop()
        if path is not None and path not in found:
            found.add(path)
            waiting += list(_imports(path))
    digest = hashlib.sha256()
    for path in sorted(found):
        digest.update(str(path.relative_to(PACKAGE)).encode())
        digest.update(_code(path).encode())
    return digest.hexdigest()[:16]


def _file(parts: list[str]) -> Path | None:
    if not parts or parts[0] not in ROOMS or parts[-1] == "registry":
        return None
    stem = PACKAGE.joinpath(*parts)
    for path in (stem.with_suffix(".py"), stem / "__init__.py"):
        if path.exists():
            return path
    return None


def _imports(path: Path) -> Iterator[Path | None]:
    package = list(path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1] + (node.module or "").split(".") * bool(
                node.module
            )
            yield _file(base)
            for name in node.names:
                yield _file([*base, name.name])


def _code(path: Path) -> str:
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_docstring(body[0]):
            body[0] = ast.Pass()
    return ast.dump(tree)


def _is_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
