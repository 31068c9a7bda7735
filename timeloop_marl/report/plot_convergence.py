"""Plot: best objective found and share of invalid samples against samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogFormatterSciNotation, LogLocator, PercentFormatter

from . import palette
from .trajectory import Trajectory

_LINES = (
    (palette.BLUE, "-"),
    (palette.VERMILION, "--"),
    (palette.GREEN, "-."),
    (palette.PURPLE, ":"),
    (palette.ORANGE, "-"),
    (palette.SKY, "--"),
    (palette.BLACK, "-."),
)


def draw_convergence(axes: Axes, shares: Axes | None, trajectories: Sequence[Trajectory]) -> None:
    """Best-so-far curves on ``axes`` (both axes logarithmic), shares of invalid samples on ``shares`` below it."""
    for trajectory, (colour, dashes) in zip(trajectories, _repeat(len(trajectories)), strict=True):
        _draw_one(axes, shares, trajectory.thinned(), colour, dashes)
    first = trajectories[0]
    axes.set_xscale("log")
    if any(np.isfinite(t.best).any() for t in trajectories):
        axes.set_yscale("log")
        _readable_ticks(axes)
    else:
        axes.text(
            0.5, 0.5, "no valid mapping", transform=axes.transAxes, ha="center", color=palette.VERMILION
        )
    unit = f" [{first.unit}]" if first.unit else ""
    axes.set_ylabel(f"best {first.objective}{unit}")
    axes.set_title("Convergence", loc="left")
    axes.grid(True, which="major", color=palette.LIGHT_GREY)
    axes.legend(frameon=False, fontsize="small", loc="upper right")
    (shares or axes).set_xlabel("samples evaluated")
    if shares is not None:
        _finish_shares(axes, shares)


def _repeat(count: int) -> list[tuple[str, str]]:
    return [_LINES[i % len(_LINES)] for i in range(count)]


def _draw_one(axes: Axes, shares: Axes | None, trajectory: Trajectory, colour: str, dashes: str) -> None:
    found = np.isfinite(trajectory.best)
    samples, best = trajectory.samples[found], trajectory.best[found]
    label = f"{trajectory.label}: {best[-1]:.4g}" if len(best) else f"{trajectory.label}: nothing valid"
    axes.plot(samples, best, color=colour, linestyle=dashes, drawstyle="steps-post", label=label.lstrip(": "))
    axes.plot(samples[-1:], best[-1:], "o", color=colour, markersize=4)
    if shares is not None and len(trajectory.samples):
        share = trajectory.invalid / trajectory.samples
        shares.plot(trajectory.samples, share, color=colour, linestyle=dashes)
        shares.fill_between(trajectory.samples, share, color=colour, alpha=0.15, linewidth=0)


def _readable_ticks(axes: Axes) -> None:
    """Ranges below a decade get ticks at 2 and 5, too: a logarithmic axis with one label says little."""
    low, high = axes.get_ylim()
    if high / low < 30:
        axes.yaxis.set_major_locator(
            LogLocator(subs=(1.0, 2.0, 5.0) if high / low > 3 else "all", numticks=12)
        )
        axes.yaxis.set_major_formatter(
            LogFormatterSciNotation(labelOnlyBase=False, minor_thresholds=(99, 99))
        )
    axes.margins(y=0.12)


def _finish_shares(axes: Axes, shares: Axes) -> None:
    shares.set_ylim(0, 1)
    shares.yaxis.set_major_formatter(PercentFormatter(1.0))
    shares.set_yticks([0, 0.5, 1])
    shares.set_ylabel("invalid")
    shares.grid(True, which="major", color=palette.LIGHT_GREY)
    axes.tick_params(labelbottom=False)
