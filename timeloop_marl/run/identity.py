"""What identifies a search, so that only the same search resumes its trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..objective import Objective
from ..specs.fingerprint import spec_fingerprint
from ..specs.spec import Spec
from ..versions import versions


def run_identity(
    spec: Spec,
    *,
    searcher: str,
    seed: int,
    options: Mapping[str, object],
    objective: Objective,
    evaluator: str,
) -> dict[str, Any]:
    """Identity for a trace's header: a fingerprint of the inputs, and by name everything that steers the search."""
    return {
        "spec": spec_fingerprint(spec),
        "searcher": searcher,
        "seed": seed,
        "options": {key: str(value) for key, value in sorted(options.items())},
        "objective": objective.name,
        "evaluator": evaluator,
        "versions": versions(),
    }
