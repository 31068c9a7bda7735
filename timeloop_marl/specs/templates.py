"""Files through Jinja2, with the functions of the v0.4 front end (formats section 6).

The environment cannot escape and reads only below given folders. Every loop turn, macro call and printed value is
counted, and arithmetic that could build something huge is checked before it is done, for the sake of clear messages;
what ends the rest is that templates run in a process of their own (``apart``).
"""

from __future__ import annotations

import glob
import re
import stat
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
from jinja2 import TemplateError, TemplateSyntaxError, nodes
from jinja2.exceptions import SecurityError as SecurityError
from jinja2.filters import FILTERS
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from ..errors import SpecError
from .document import Map, Node, Origin, Seq, merged, overridden, tree
from .scalars import nearest
from .yaml_text import parse_yaml

MAX_OUTPUT = 64 << 20  # characters printed by all templates of one input
MAX_TICKS = 200_000  # loop turns and macro calls
MAX_SECONDS = 4.0  # of processor time for one file with all it includes
MAX_VALUE = 1 << 20  # characters or elements of one value
MAX_BITS = 4096
MARK = "\ue000{}.{}\ue001"  # file number and line, put after every newline of a template

_SAFE_FILTERS = (
    "abs attr capitalize count d default dictsort first float int items last length list lower map max min reject "
    "rejectattr reverse select selectattr sort string sum title trim unique upper"
)
_SAFE_METHODS = (
    "capitalize count endswith find index isalnum isalpha isdigit islower isnumeric isspace isupper lower lstrip "
    "removeprefix removesuffix replace rfind rpartition partition rsplit rstrip split startswith strip swapcase title "
    "upper"
)


class Undefined(jinja2.Undefined):
    """False in tests, as in Jinja2, but printing it is an error: it would vanish from the YAML unnoticed."""

    def __str__(self) -> str:
        return str(self._fail_with_undefined_error())


class _Marker(NodeTransformer):
    """Rewrites a template: line marks in its text, a tick in every loop and macro."""

    def __init__(self, file: int) -> None:
        self.file = file

    def visit_TemplateData(self, node: nodes.TemplateData) -> nodes.TemplateData:  # noqa: N802
        lines = node.data.split("\n")
        for index in range(1, len(lines)):
            lines[index] = MARK.format(self.file, node.lineno + index) + lines[index]
        node.data = "\n".join(lines)
        return node

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802
        return self._ticked(node, node.body)

    def visit_Macro(self, node: nodes.Macro) -> nodes.Node:  # noqa: N802
        return self._ticked(node, node.body)

    def visit_CallBlock(self, node: nodes.CallBlock) -> nodes.Node:  # noqa: N802
        return self._ticked(node, node.body)

    def _ticked(self, node: nodes.Node, body: list[nodes.Node]) -> nodes.Node:
        weight = sum(len(data.data) for data in node.find_all(nodes.TemplateData))
        self.generic_visit(node)
        body.insert(0, nodes.Output([_call("tick", [nodes.Const(weight)])]))
        return node


def _call(method: str, arguments: list[nodes.Expr]) -> nodes.Call:
    return nodes.Call(nodes.EnvironmentAttribute(method), arguments, [], None, None)


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment of one input; its budgets are shared by all of its templates."""

    intercepted_binops = frozenset(("+", "*", "**", "%"))

    def __init__(self, functions: dict[str, Callable[..., Any]]) -> None:
        super().__init__(undefined=Undefined, keep_trailing_newline=True, finalize=self._printed)
        own = {"join": _join, "replace": _replace, "round": _round, "sum": _sum}
        filters = {name: FILTERS[name] for name in _SAFE_FILTERS.split()}
        self.filters = {**filters, **own}
        for name in ("lipsum", "cycler", "joiner"):
            self.globals.pop(name, None)
        self.globals.update(functions)
        self.ticks, self.printed, self.file_number = 0, 0, 0
        self.deadline = 0.0
        self.restart_clock()

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        template = super()._parse(source, name, filename)
        _Marker(self.file_number).visit(template)
        template.set_environment(self)
        return template

    def restart_clock(self) -> None:
        """Begin a new file."""
        self.deadline = time.process_time() + MAX_SECONDS

    def tick(self, weight: int = 0) -> str:
        """Count one loop turn that prints ``weight`` characters of fixed text."""
        self.ticks += 1
        self.printed += weight
        if self.ticks > MAX_TICKS or self.printed > MAX_OUTPUT or time.process_time() > self.deadline:
            raise SecurityError("the template runs for too long or prints too much")
        return ""

    def _printed(self, value: Any) -> Any:
        self.tick()
        if isinstance(value, (str, bytes, int, float, bool)) or value is None:
            self.printed += len(value) if isinstance(value, (str, bytes)) else 20
        elif isinstance(value, (list, tuple, dict)):
            self.printed += _deep_size(value)
        return value

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic after a look at the size of the result."""
        _check_arithmetic(operator, left, right)
        return super().call_binop(context, operator, left, right)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Only harmless methods of strings; containers and numbers as in Jinja2's own sandbox."""
        if isinstance(obj, str):
            return attr in _SAFE_METHODS.split()
        return super().is_safe_attribute(obj, attr, value)

    def call(self, context: Context, obj: Any, *args: Any, **kwargs: Any) -> Any:
        """A call; the one string method that can blow up is checked."""
        owner = getattr(obj, "__self__", None)
        if isinstance(owner, str) and getattr(obj, "__name__", "") == "replace":
            return _replace(owner, *args, **kwargs)
        return super().call(context, obj, *args, **kwargs)


def _check_size(size: int) -> None:
    if size > MAX_VALUE:
        raise SecurityError(f"a value of the template grows beyond {MAX_VALUE} characters or elements")


def _check_arithmetic(operator: str, left: Any, right: Any) -> None:
    sized = (str, bytes, list, tuple)
    if operator == "%" and isinstance(left, (str, bytes)):
        raise SecurityError("string formatting with % is not available; use ~ to join strings")
    if operator == "+" and isinstance(left, sized) and isinstance(right, sized):
        _check_size(len(left) + len(right))
    if operator == "*":
        for one, other in ((left, right), (right, left)):
            if isinstance(one, sized) and isinstance(other, int):
                _check_size(len(one) * max(other, 0))
        if isinstance(left, int) and isinstance(right, int):
            _check_bits(left.bit_length() + right.bit_length())
    if operator == "**" and isinstance(left, int) and isinstance(right, int):
        _check_bits(left.bit_length() * abs(right))


def _check_bits(bits: int) -> None:
    if bits > MAX_BITS:
        raise SecurityError("a number of the template becomes too large")


def _deep_size(value: Any) -> int:
    """Characters that printing a container takes, roughly; counting stops beyond the limit."""
    total, pending = 0, [value]
    while pending and total <= MAX_OUTPUT:
        item = pending.pop()
        total += len(item) if isinstance(item, str) else 8
        if isinstance(item, dict):
            pending.extend(item.values())
            total += sum(len(str(key)) for key in item)
        elif isinstance(item, (list, tuple)):
            pending.extend(item)
    if total > MAX_VALUE:
        _check_size(total)
    return total


def _join(value: Iterable[Any], d: str = "", attribute: str | None = None) -> str:
    if attribute is not None:
        raise SecurityError("join(attribute=...) is not available")
    texts = [str(item) for item in value]
    _check_size(sum(map(len, texts)) + len(d) * len(texts))
    return str(d).join(texts)


def _replace(value: Any, old: Any, new: Any, count: int | None = None) -> str:
    text, old, new = str(value), str(old), str(new)
    hits = text.count(old) if count is None else min(int(count), text.count(old))
    _check_size(len(text) + hits * len(new))
    return text.replace(old, new) if count is None else text.replace(old, new, int(count))


def _sum(value: Iterable[Any], start: float = 0) -> float:
    total = start
    for item in value:
        if not isinstance(item, (int, float)) or not isinstance(total, (int, float)):
            raise SecurityError("sum is for numbers")
        total += item
    return total


def _round(value: Any, precision: int = 0) -> float:
    return round(float(value), max(-300, min(300, int(precision))))


MAX_BYTES = 64 << 20
MAX_INCLUDE_DEPTH = 20
INCLUDABLE = (".yaml", ".yml", ".jinja2", ".jinja", ".j2", ".json", ".txt")
_USES_JINJA = re.compile(r"\{\{|\{%|\{#")
_MARKS = re.compile("\ue000(\\d+)\\.(\\d+)\ue001")


def uses_templates(text: str) -> bool:
    """Whether the text holds Jinja2 expressions, statements or comments."""
    return _USES_JINJA.search(text) is not None


def read_text(path: Path) -> str:
    """The text of an input file; a ``SpecError`` if it is missing, huge, no regular file or no text."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise SpecError("not a file", file=path, remedy="give a YAML file")
        if status.st_size > MAX_BYTES:
            raise SpecError(
                f"the file is too large ({status.st_size} bytes)",
                file=path,
                expected=f"at most {MAX_BYTES} bytes",
                remedy="split it, or check that it is the right file",
            )
        raw = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SpecError(
            f"cannot be read: {reason}", file=path, remedy="check the name and the permissions"
        ) from None
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise SpecError(
            f"not a text file in {encoding} (byte {error.start})", file=path, remedy="save it as UTF-8 text"
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


@dataclass
class Rendered:
    """Text ready for the YAML parser, and where each of its lines came from."""

    text: str
    lines: list[tuple[str, int]]

    def locate(self, line: int) -> tuple[str, int]:
        """File and 1-based line of 0-based line ``line``."""
        return self.lines[min(line, len(self.lines) - 1)] if self.lines else ("", 1)


@dataclass
class Templates:
    """Renders the files of one input; holds its search path, its variables and what was included."""

    data: Mapping[str, Any] = field(default_factory=dict)
    search_path: list[Path] = field(default_factory=list)
    roots: tuple[Path, ...] = ()
    stack: list[Path] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    included: list[Any] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sandbox = Sandbox(
            {
                "include": self.include,
                "include_text": self.include_text,
                "include_all": self.include_all,
                "add_to_path": self.add_to_path,
                "cwd": self.cwd,
                "find_path": lambda name: str(self._find(name, read=False)),
                "path_exists": self.path_exists,
            }
        )
        # a tag that no input can know: the included value itself is put in its place, origins and all
        self.tag = f"!included-{id(self):x}"

    def load(self, path: Path, text: str | None = None) -> Any:
        """The marked value of one file, rendered and parsed."""
        rendered = self.render(path, read_text(path) if text is None else text)
        return parse_yaml(rendered.text, rendered.locate, include_tag=self.tag, include=self._included)

    def render(self, path: Path, text: str) -> Rendered:
        """The text after Jinja2; text without templates stays as it is."""
        if not uses_templates(text):
            return Rendered(text, [(str(path), line + 1) for line in range(text.count("\n") + 1)])
        return _unmark(self._marked(path, text), self.files)

    def _marked(self, path: Path, text: str) -> str:
        """The rendered text with line marks; raises a ``SpecError`` for whatever goes wrong in the template."""
        resolved = path.resolve()
        if resolved in self.stack:
            raise SpecError("the file includes itself", file=path, remedy="remove one of the includes")
        if len(self.stack) >= MAX_INCLUDE_DEPTH:
            raise SpecError(
                "includes are nested too deeply", file=path, expected=f"at most {MAX_INCLUDE_DEPTH}"
            )
        if not self.stack:
            self.sandbox.restart_clock()
        self.stack.append(resolved)
        self.files.append(str(path))
        number = len(self.files) - 1
        first = MARK.format(number, 1)
        if not uses_templates(text):
            self.stack.pop()
            lines = text.split("\n")
            return "\n".join(MARK.format(number, index + 1) + line for index, line in enumerate(lines))
        self.sandbox.file_number = number
        try:
            template = self.sandbox.from_string(text)
            return first + "".join(template.generate(**{str(key): self.data[key] for key in self.data}))
        except SpecError:
            raise
        except TemplateSyntaxError as error:
            raise Origin(str(path), error.lineno).error(f"template error: {error.message}") from None
        except (SecurityError, TemplateError) as error:
            raise _template_error(path, error) from None
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise _template_error(path, error) from None
        except (NameError, RuntimeError, MemoryError, SyntaxError, AssertionError) as error:
            raise _template_error(path, error) from None
        finally:
            self.stack.pop()

    # --- the functions a template may call ---

    def include(self, name: str, key: str = "") -> Any:
        """The value under the dotted ``key`` of another file."""
        path = self._find(name)
        return self._placeholder(_pick(self.load(path), key, path))

    def include_text(self, name: str) -> str:
        """The text of another file, rendered."""
        path = self._find(name)
        return self._marked(path, read_text(path))

    def include_all(self, pattern: str, key: str = "") -> Any:
        """The values under ``key`` of all files that match, put together: lists joined, maps combined."""
        joined = Seq()
        combined = Map()
        for path in self._glob(pattern):
            value = _pick(self.load(path), key, path)
            if isinstance(value, Map):
                combined = merged(combined, value, overridden)
            else:
                for item in Node(value).elements() if isinstance(value, Seq) else [Node(value)]:
                    joined.add(item.value, item.origin)
        if joined and combined:
            raise SpecError("the files hold maps as well as lists", path=key, value=pattern)
        joined.size = 1 + sum(getattr(item, "size", 1) for item in joined)
        combined.size = 1 + sum(getattr(item, "size", 1) for item in combined.values())
        return self._placeholder(combined or joined)

    def add_to_path(self, folder: str) -> str:
        """Search ``folder`` for included files from now on."""
        self.search_path.append(self._absolute(folder))
        return ""

    def cwd(self) -> str:
        """The folder of the file that is being rendered."""
        return str(self.stack[-1].parent) if self.stack else "."

    def path_exists(self, name: str) -> bool:
        """Whether a file of that name is found."""
        return any(_exists(candidate) for candidate in self._candidates(name))

    # --- helpers ---

    def _included(self, key: str) -> Any:
        """The value behind a placeholder; a template may have tampered with its number."""
        if key.isascii() and key.isdigit() and len(key) < 9 and int(key) < len(self.included):
            return self.included[int(key)]
        raise SpecError("an included value was changed by the template", value=key)

    def _placeholder(self, value: Any) -> Any:
        if not isinstance(value, (Map, Seq)):
            return value if value is not None else "null"
        self.included.append(value)
        return f'{self.tag} "{len(self.included) - 1}"'

    def _absolute(self, name: str) -> Path:
        path = Path(_plain(name))
        return path if path.is_absolute() or not self.stack else self.stack[-1].parent / path

    def _candidates(self, name: str) -> list[Path]:
        text = _plain(name)
        folders = [path.parent for path in reversed(self.stack)]
        return [folder / text for folder in (*folders, *self.search_path, Path())]

    def _find(self, name: str, *, read: bool = True) -> Path:
        for candidate in self._candidates(name):
            if _exists(candidate):
                if read or not candidate.is_dir():
                    _check_includable(candidate, self.roots)
                return candidate
        raise SpecError(
            f"the included file {name!r} is not found",
            file=self.stack[-1] if self.stack else None,
            expected="a path relative to this file, or to a folder given to add_to_path",
            remedy="searched: " + ", ".join(sorted({str(path.parent) for path in self._candidates(name)})),
        )

    def _glob(self, pattern: str) -> list[Path]:
        text = _plain(pattern)
        wild = [part for part in Path(text).parts if glob.has_magic(part)]
        if len(wild) > 2 or "**" in wild:
            raise SpecError(
                "the pattern is too wide", value=text, expected="wildcards in at most two folders, no **"
            )
        for candidate in self._candidates(text):
            found = sorted(Path(name) for name in glob.glob(str(candidate)))  # noqa: PTH207 (absolute patterns)
            files = [path for path in found if path.suffix in INCLUDABLE]
            if files:
                for path in files:
                    _check_includable(path, self.roots)
                return files
        raise SpecError(
            "no file matches the pattern", file=self.stack[-1] if self.stack else None, value=text
        )


def _plain(name: object) -> str:
    if not isinstance(name, str) or "\0" in name or len(name) > 4096:
        raise SpecError("not a file name", value=name, expected="a string")
    return str(name)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _check_includable(path: Path, roots: Sequence[Path]) -> None:
    """Only files that look like inputs, near those given: a template must not be able to print any of the machine."""
    for name in (path, path.resolve()):
        if name.suffix not in INCLUDABLE:
            raise SpecError(
                "this file must not be included",
                file=path,
                expected="a name ending in " + ", ".join(INCLUDABLE),
            )
    if not any(path.resolve().is_relative_to(root) for root in roots):
        raise SpecError(
            "this file must not be included: it lies elsewhere than the input",
            file=path,
            expected=f"a file below {', '.join(map(str, roots))}",
            remedy=f"--allow-path {path.resolve().parent}, if the input is one that you trust",
        )


def _pick(value: Any, key: str, path: Path) -> Any:
    """The value under a dotted key."""
    for part in str(key).split(".") if key else ():
        if isinstance(value, Map) and part in value:
            value = value[part]
        elif isinstance(value, Seq) and part.isdigit() and len(part) < 9 and int(part) < len(value):
            value = value[int(part)]
        else:
            near = nearest(part, value) if isinstance(value, Map) else None
            raise SpecError(
                f"there is no key {part!r} to include",
                file=path,
                path=str(key),
                remedy=f"did you mean {near!r}?" if near else "check the dotted key given to include",
            )
    return tree(value, Origin(str(path)))


def _template_error(path: Path, error: BaseException) -> SpecError:
    reason = str(error) or type(error).__name__
    if isinstance(error, SecurityError):
        remedy = "templates run in a sandbox: keep to plain values, tests, loops and the include functions"
    elif "is undefined" in reason:
        remedy = (
            "give the variable in jinja_data (command line: --set NAME=VALUE), or a default(...) in the file"
        )
    else:
        remedy = "mend the Jinja2 expression"
    if isinstance(error, (RecursionError, MemoryError)):
        reason = "nested too deeply or too large"
    return Origin(str(path), _line(error)).error(f"template error: {reason}", remedy=remedy)


def _line(error: BaseException) -> int | None:
    """Line of the template where the error arose: the last frame of the compiled template (Jinja2 rewrites it)."""
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _unmark(text: str, files: list[str]) -> Rendered:
    """Take the line marks out of rendered text and note what they say."""
    lines: list[tuple[str, int]] = []
    clean: list[str] = []
    place = (files[-1] if files else "", 1)
    for line in text.split("\n"):
        marks = list(_MARKS.finditer(line))
        known = [mark for mark in marks if int(mark[1]) < len(files)]
        start = known[0] if known else None
        if start is not None:
            place = (files[int(start[1])], int(start[2]))
        lines.append(place)
        clean.append(_MARKS.sub("", line))
        if known:
            place = (files[int(known[-1][1])], int(known[-1][2]))
    return Rendered("\n".join(clean), lines)
