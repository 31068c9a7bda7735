"""One figure of the agents of a search: how undecided they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def mean_entropy(account: Mapping[str, Any] | None) -> float | None:
    """Mean entropy of the agents that have learnt, nats per choice; ``None`` where there are none.

    Args:
        account: what ``Searcher.account`` returned.
    """
    history = (account or {}).get("history") or ()
    values = [value for value in history[-1]["entropy"] if value > 0] if history else []
    return round(sum(values) / len(values), 6) if values else None
