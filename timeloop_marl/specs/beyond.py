"""Legal Timeloop outside the native model: what it is, and the sections that the real program gets word for word."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from ..errors import UnsupportedFeatureError
from .document import Document, plain
from .scalars import Feature

SPARSE = "sparse optimisations"
LAYOUT = "data layouts"
FLATTENED = "flattened dimensions"
OVERBOOKING = "overbooked buffers"
SKEW = "skewed loops"

REMEDY = "evaluate with the real Timeloop backend, which 'search' and 'evaluate' do by themselves"
_VERBATIM = ("variables", "architecture", "arch", "problem", "sparse_optimizations", "layout")
# One table for a component that is not there keeps Timeloop from calling Accelergy (formats section 4).
_NOTHING = {"name": "system.nothing", "actions": [{"name": "read", "energy": 0.0}]}
_NO_TABLES = {"version": "0.4", "tables": [_NOTHING]}


@dataclass(frozen=True)
class Beyond:
    """What the native model does not cover.

    Attributes:
        features: what and where, in the order of reading; at least one.
        sections: the flat input as it was read, without constraints, mapper and mapping; plain maps, lists, scalars.
        directives: of the mapping, which go with every mapping (skews).
    """

    features: tuple[Feature, ...]
    sections: Mapping[str, Any] = field(default_factory=dict)
    directives: tuple[Mapping[str, Any], ...] = ()

    @property
    def notice(self) -> str:
        """One line for the reader of a Spec."""
        places = "; ".join(f"{feature.what} ({feature.place})" for feature in self.features[:3])
        more = f" and {len(self.features) - 3} more" if len(self.features) > 3 else ""
        return f"{places}{more}: outside the native model, so the real Timeloop evaluates this design"

    def error(self, problem: str, *, expected: str = "", remedy: str = REMEDY) -> UnsupportedFeatureError:
        """An error about the first feature; ``problem`` follows its name."""
        first = self.features[0]
        return UnsupportedFeatureError(
            f"{first.what} {problem}",
            file=first.file,
            path=first.path,
            value=first.value,
            expected=expected,
            remedy=remedy,
        )

    def refuse(self) -> NoReturn:
        """Raise the error of whatever needs the native model.

        Raises:
            UnsupportedFeatureError: always.
        """
        raise self.error("are not covered by the native model")

    def with_directives(self, features: Iterable[Feature], directives: Sequence[Mapping[str, Any]]) -> Beyond:
        """The same with further directives of the mapping."""
        return dataclasses.replace(
            self,
            features=(*self.features, *features),
            directives=(*self.directives, *(plain(entry) for entry in directives)),
        )


def verbatim(document: Document, shape: Mapping[str, Any], tables: Mapping[str, Any]) -> dict[str, Any]:
    """The sections of a flat document that go to the real program as they are.

    Args:
        document: what was read.
        shape: the problem shape, which the document may give by name only.
        tables: the sections ``ERT`` and ``ART`` that price the machine; none if Timeloop's own rules do.
    """
    sections = {key: plain(document.data[key]) for key in _VERBATIM if document.data.get(key) is not None}
    sections["problem"] = {**sections["problem"], "shape": plain(shape)}
    return {**sections, **(plain(tables) or {"ERT": _NO_TABLES})}
