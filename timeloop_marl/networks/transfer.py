"""What a layer's search learns from the layers before it: kept in the layers' folders, to survive everything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ..knowledge_file import BEFORE, load_knowledge, save_knowledge
from ..searchers.knowledge import Knowledge, LayerKnowledge
from .layers import Layer

LEARNT = "learnt.npz"
"""In a layer's folder: what its search has learnt so far."""

_TAUGHT = 8  # layers whose knowledge one search begins with


class Transfer:
    """Who teaches whom in one network.

    Args:
        given: knowledge from elsewhere.
    """

    def __init__(
        self, layers: Sequence[Layer], folders: Sequence[Path], network: str, given: Knowledge
    ) -> None:
        self._layers, self._folders, self._network, self._given = layers, folders, network, given
        self._learnt: dict[int, LayerKnowledge] = {}

    def prepare(self, i: int, known: Iterable[int]) -> None:
        """Write down what layer i begins with, unless an interrupted run has done so already."""
        if (self._folders[i] / BEFORE).exists():
            return
        found = Knowledge(tuple(self._learnt[k] for k in sorted(known) if k in self._learnt)) + self._given
        taught = Knowledge(found.nearest(self._layers[i].spec, _TAUGHT))
        save_knowledge(taught, self._folders[i] / BEFORE)

    def warm(self, i: int) -> bool:
        """Whether layer i begins with any knowledge."""
        return bool(load_knowledge(self._folders[i] / BEFORE).layers)

    def take(self, i: int, learnt: LayerKnowledge | None) -> None:
        """What layer i has learnt so far."""
        if learnt is not None:
            self._learnt[i] = learnt

    def recall(self, i: int) -> bool:
        """Take what layer i has learnt in an interrupted run; false if that is not on record."""
        if i not in self._learnt and (self._folders[i] / LEARNT).exists():
            layers = load_knowledge(self._folders[i] / LEARNT).layers
            self.take(i, layers[0] if layers else None)
        return i in self._learnt

    def teacher(self, i: int) -> str:
        """Name of the layer that taught layer i the most; empty if none did."""
        file = self._folders[i] / BEFORE
        layers = load_knowledge(file).layers if file.exists() else ()
        return layers[0].name if layers else ""

    def all_learnt(self) -> Knowledge:
        """Of all layers, and what was given."""
        for i in range(len(self._folders)):
            self.recall(i)
        return Knowledge(tuple(self._learnt[i] for i in sorted(self._learnt))) + self._given
