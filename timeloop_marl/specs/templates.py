"""Files through Jinja2, sandboxed, with the functions of the v0.4 front end (formats section 6)."""

from __future__ import annotations

import glob
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import TemplateError, TemplateSyntaxError

from ..errors import SpecError
from .document import Map, Node, Origin, Seq, merged, overridden, tree
from .safe_yaml import parse_yaml
from .sandbox import MARK, Sandbox, SecurityError
from .scalars import nearest

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
                "find_path": lambda name: str(self._find(name)),
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

    def _find(self, name: str) -> Path:
        for candidate in self._candidates(name):
            if _exists(candidate):
                _check_includable(candidate)
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
                    _check_includable(path)
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


def _check_includable(path: Path) -> None:
    """Only files that look like inputs: a template must not be able to print any file of the machine."""
    for name in (path, path.resolve()):
        if name.suffix not in INCLUDABLE:
            raise SpecError(
                "this file must not be included",
                file=path,
                expected="a name ending in " + ", ".join(INCLUDABLE),
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
