"""Energy and area per action, resolved for one machine (spec: cost-model section 13)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Action:
    """One entry of an ERT action list: its arguments and its energy in pJ."""

    arguments: Mapping[str, object]
    energy: float


@dataclass(frozen=True)
class LevelEnergy:
    """One storage level: pJ per vector access, leak in pJ per instance and cycle, area in um^2 per instance."""

    read: float
    fill: float
    update: float
    leak: float = 0.0
    area: float = 0.0  # already rounded to float32, as Timeloop stores it
    vector_access: float = field(
        default=0.0, metadata={"identity": False}
    )  # informational: what stats.txt prints
    source: str = field(
        default="PAT", metadata={"identity": False}
    )  # "ERT", "PAT" or "user", as stats.txt prints it


@dataclass(frozen=True)
class Energies:
    """Everything the cost model needs about energy. ``storage`` is inside-out like ``Architecture.storage``."""

    storage: tuple[LevelEnergy, ...]
    compute: float  # pJ per operation
    compute_area: float = 0.0  # um^2 per instance
    wire: float | None = None  # ERT component called wire (float32, pJ/bit/mm): sets all inferred networks
    # ERT tables of user-defined networks: network -> action -> entries in file order
    network_actions: Mapping[str, Mapping[str, tuple[Action, ...]]] = field(default_factory=dict)
    # one line naming the source of the numbers, printed with every output
    origin: str = field(default="", metadata={"identity": False})
