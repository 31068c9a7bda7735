"""The Spec: what the input files say, in frozen dataclasses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .architecture import Architecture
from .beyond import Beyond
from .constraints import Constraints
from .energy import Energies
from .mapper import MapperOptions, ModelSection
from .problem import Problem


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
class Spec:
    """One machine, one layer, constraints and options: everything a search needs.

    ``beyond``: what the native model does not cover, for the real Timeloop; ``None`` = it covers all. Flattened
    dimensions stand in ``problem`` as the loops have them, which is what a mapspace needs.
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

    def require_native(self) -> None:
        """Raise ``UnsupportedFeatureError`` if the native model does not cover this design."""
        if self.beyond is not None:
            self.beyond.refuse()
