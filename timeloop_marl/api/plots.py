"""The pictures of the report, one by one, for notebooks and papers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ..errors import UsageError
from ..networks.sweep_result import SweepResult
from ..report.drawing import Drawing, png, standalone_svg
from ..report.html import all_pictures, page_of, run_page
from ..report.html.sweep_page import sweep_page
from ..report.records import Ranked, RunRecord
from ..run.result import summary
from ..specs.scalars import nearest
from .search import Result


@dataclass(frozen=True)
class Plot:
    """A picture. A notebook shows it; ``save`` writes it. ``name``: as in the report."""

    name: str
    drawing: Drawing = field(repr=False)

    def save(self, path: str | Path) -> Path:
        """Write it as ``.svg`` or ``.png``.

        Raises:
            UsageError: another ending, or the file cannot be written.
        """
        file = Path(path)
        if file.suffix not in (".svg", ".png"):
            raise UsageError(f"{file}: pictures end in .svg or .png")
        try:
            file.write_bytes(png(self.drawing) if file.suffix == ".png" else self._repr_svg_().encode())
        except OSError as error:
            raise UsageError(f"{file}: cannot write: {error.strerror}") from error
        return file

    def _repr_svg_(self) -> str:
        return standalone_svg(self.drawing)


def plot(run: Result | SweepResult | str | Path, name: str = "convergence", *, width: float = 640.0) -> Plot:
    """One picture of a run: what its report shows under this name.

    Args:
        run: what ``search`` or ``sweep`` returned, or the folder of any run.
        name: ``convergence``, ``nest``, ``energy``, ``roofline`` of a search; others of other runs: an unknown
            name is answered by those that there are.
        width: in px.

    Raises:
        UsageError: the run has no such picture, or there is no finished run in the folder.
    """
    if isinstance(run, Result):
        page = run_page(_record(run))
    else:
        page = sweep_page(run) if isinstance(run, SweepResult) else page_of(run)
    pictures = {picture.name: picture for picture in all_pictures(page)}
    if name not in pictures:
        near = nearest(name, list(pictures))
        hint = f"did you mean {near!r}? " if near else ""
        raise UsageError(
            f"there is no picture {name!r} of this run; {hint}there are: {', '.join(pictures) or 'none'}"
        )
    return Plot(name, pictures[name].draw(width))


def _record(result: Result) -> RunRecord:
    best = tuple(
        Ranked(found.mapping, figures, found.sample, found.cost)
        for found, figures in zip(result.search.best, result.statistics, strict=True)
    )
    return RunRecord(
        result.spec, summary(result.spec, result.settings, result.search, result.evaluator), best
    )
