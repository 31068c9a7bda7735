"""timeloop-mapper.map.yaml: the mapping as directives that timeloop-model reads (formats sections 3 and 10)."""

from __future__ import annotations

from typing import Any

from ..mapping import Mapping
from ..mapping_yaml import directives
from ..specs.spec import Spec


def map_yaml_text(spec: Spec, mapping: Mapping, *, complete: bool = False) -> str:
    """The text of timeloop-mapper.map.yaml: block style, two blanks deeper a step, no line end at the end.

    Args:
        spec: machine and problem.
        mapping: what to write.
        complete: Timeloop leaves residual bounds and reuse switches out, so that its file cannot replay every
            mapping. True writes them, too; timeloop-model reads both forms.
    """
    text = "mapping:"
    for directive in directives(mapping, spec, complete=complete):
        for number, (key, value) in enumerate(directive.items()):
            text += f"\n  {'-' if number == 0 else ' '} {key}:{_value(value)}"
    return text


def _value(value: Any) -> str:
    if not isinstance(value, list):
        return f" {value}"
    return "".join(f"\n      - {item}" for item in value) if value else "\n      []"
