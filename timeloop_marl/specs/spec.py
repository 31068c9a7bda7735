"""The Spec: what the input files say, in frozen dataclasses; and what of it only the real program models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from ..errors import UnsupportedFeatureError, UsageError
from .architecture import Architecture
from .constraints import Constraints
from .document import Document, plain
from .energy import Energies
from .mapper import COUNTS, FACTORS, MapperOptions, ModelSection
from .problem import Problem
from .scalars import Feature
from .sparse import Sparsity

REMEDY = "evaluate with the real Timeloop backend, which 'search' and 'evaluate' do by themselves"
_VERBATIM = ("variables", "architecture", "arch", "problem", "sparse_optimizations", "layout")
# One table for a component that is not there keeps Timeloop from calling Accelergy (formats section 4).
_NOTHING = {"name": "system.nothing", "actions": [{"name": "read", "energy": 0.0}]}
_NO_TABLES = {"version": "0.4", "tables": [_NOTHING]}


@dataclass(frozen=True)
class ModelOptions:
    """Choices of the cost model that are not in the files.

    ``rules`` is ``"2025"`` (today's Timeloop) or ``"2022"`` (cost-model section 19). The two switches are Timeloop's
    environment variables TIMELOOP_DISABLE_LINK_TRANSFERS and TIMELOOP_ENABLE_FIRST_READ_ELISION.
    """

    rules: str = "2025"
    link_transfers: bool = True
    first_read_elision: bool = True

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], rules: str = "2025") -> ModelOptions:
        """The options that a real Timeloop program would take from these environment variables."""
        return cls(
            rules=rules,
            link_transfers="TIMELOOP_DISABLE_LINK_TRANSFERS" not in environ
            or environ["TIMELOOP_DISABLE_LINK_TRANSFERS"] == "0",
            first_read_elision=environ.get("TIMELOOP_ENABLE_FIRST_READ_ELISION", "1") != "0",
        )


@dataclass(frozen=True)
class Beyond:
    """What the native model does not cover.

    Attributes:
        features: what and where, in the order of reading; at least one.
        sections: the flat input as it was read, without constraints, mapper and mapping; plain maps, lists, scalars.
        directives: of the mapping, which go with every mapping (skews).
    """

    features: tuple[Feature, ...] = field(metadata={"identity": False})
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
        return replace(
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


@dataclass(frozen=True)
class Spec:
    """One machine, one layer, constraints and options: everything a search needs.

    ``beyond``: what the native model does not cover, for the real Timeloop; ``None`` = it covers all. Flattened
    dimensions stand in ``problem`` as the loops have them, which is what a mapspace needs. ``sparsity``: what a sparse
    design adds; ``None`` = dense.
    """

    problem: Problem
    architecture: Architecture
    energies: Energies
    constraints: Constraints = Constraints()
    mapper: MapperOptions = MapperOptions()
    options: ModelOptions = ModelOptions()
    model: ModelSection = ModelSection()
    files: tuple[str, ...] = field(default=(), metadata={"identity": False})
    # what the user should know: near misses, sources, quirks
    notices: tuple[str, ...] = field(default=(), metadata={"identity": False})
    beyond: Beyond | None = field(default=None, metadata={"identity": "if given"})
    sparsity: Sparsity | None = field(default=None, metadata={"identity": "if given"})

    def with_factors(self, factors: str | None, count: str | None = None) -> Spec:
        """The same with other factors in the learners' view, and another count of imperfect mappings; ``None`` = as is.

        Raises:
            UsageError: there is no such choice.
        """
        for name, value, known in (("factors", factors, FACTORS), ("count", count, COUNTS)):
            if value not in (None, *known):
                raise UsageError(f"unknown {name} {value!r}: expected {', '.join(known)}")
        mapper = replace(
            self.mapper, factors=factors or self.mapper.factors, count=count or self.mapper.count
        )
        return replace(self, mapper=mapper)

    def require_native(self) -> None:
        """Raise ``UnsupportedFeatureError`` if the native model does not cover this design."""
        if self.beyond is not None:
            self.beyond.refuse()

    def require_dense(self, what: str) -> None:
        """Raise ``UnsupportedFeatureError`` for a sparse design, as ``what`` (plural) only know dense ones."""
        if self.sparsity is not None:
            raise UnsupportedFeatureError(
                f"{what} are for dense designs",
                path="sparse_optimizations",
                value=self.sparsity.sections.get("sparse_optimizations"),
                remedy="search for a mapping instead, or remove sparse_optimizations",
            )
