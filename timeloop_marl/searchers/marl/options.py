"""Options of the team; every ingredient can be switched off by name."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import UsageError
from ..base import at_least, one_of, share
from .clustering import GROUPINGS, INTERACTION
from .team import BACKENDS

HERITABLE = ("elites", "critic", "policies", "clusters")


@dataclass(frozen=True)
class MarlOptions:
    """Options of ``MarlSearcher``. Shares and chances 0 .. 1; ``restart`` in samples (0 = never)."""

    batch: int = 8  # doubled after 512 samples
    # Who decides what
    clusters: str = "interaction"  # one of grouping.GROUPINGS
    groups: str = ""  # for clusters=given: axis names, comma within a group, semicolon between groups
    # How it proposes
    full: float = 0.15  # share of candidates from all policies together
    moves: float = 0.35  # share of block moves: a few agents act on an elite; the rest are local moves
    acting: float = 1.5  # mean number of agents that act in a block move, beside the first
    redraw: float = 0.5  # chance that an acting agent's axis is drawn anew
    explore: float = 0.02
    explore_moves: float = 0.15
    spatial: float = 1.0  # logits added to slots in arrays at the start
    # How it learns
    learn: bool = True
    rate: float = 0.1
    entropy: float = 0.01
    clip: float = 0.2
    epochs: int = 2
    elites: int = 32
    restart: int = 200  # samples without improvement that end an epoch; the longer the later
    # Critic
    critic: bool = True
    points: int = 400  # samples that the critic remembers
    pool: int = 64  # candidates rehearsed per sample; up to 24 times as many at the start, three eighths late
    away: float = 0.5  # share of rehearsals on an island that begins anew elsewhere
    exchange: float = (
        0.2  # share of rehearsed candidates by agents taking over joint choices; the rest local moves
    )
    # What it takes over from other layers, if it is given their knowledge
    inherit: str = "elites,critic,policies,clusters"
    # How it runs
    n_jobs: int = 1
    backend: str = "threading"

    def __post_init__(self) -> None:
        at_least(1, batch=self.batch, epochs=self.epochs, elites=self.elites, pool=self.pool)
        at_least(16, points=self.points)
        at_least(0, acting=self.acting, restart=self.restart, spatial=self.spatial, rate=self.rate)
        at_least(0, entropy=self.entropy, clip=self.clip)
        share(full=self.full, moves=self.moves, redraw=self.redraw, both=self.full + self.moves)
        share(explore=self.explore, explore_moves=self.explore_moves, away=self.away, exchange=self.exchange)
        one_of("clusters", self.clusters, (INTERACTION, *GROUPINGS))
        one_of("backend", self.backend, BACKENDS)
        for part in filter(None, self.inherit.split(",")):
            one_of("inherit", part, HERITABLE)
        if self.n_jobs == 0:
            raise UsageError("option n_jobs must not be 0: 1 = this thread, -1 = all cores")
