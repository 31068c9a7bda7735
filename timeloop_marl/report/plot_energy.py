"""Plot: energy by component and data space, as horizontal stacked bars."""

from __future__ import annotations

from matplotlib.axes import Axes

from ..model.outcome import Statistics
from ..specs.spec import Spec
from . import palette
from .energy_shares import LEAKAGE, OPERATIONS, component_energies
from .units import energy_text, energy_unit, share_text

_LEGEND_LETTERS = 58  # what fits into one line of the legend, a colour patch counted as five letters


def draw_energy(axes: Axes, spec: Spec, statistics: Statistics) -> None:
    """Storage levels outermost at the top, then networks and compute; the total and its share behind each bar."""
    components = component_energies(spec, statistics)
    largest = max((component.total for component in components), default=1.0)
    scale, unit = energy_unit(largest)
    longest = largest / scale
    styles = {
        **palette.tensor_styles([space.name for space in spec.problem.data_spaces]),
        OPERATIONS: (palette.INK, ""),
        LEAKAGE: (palette.GREY, "///"),
    }
    shown: set[str] = set()
    for row, component in enumerate(components):
        left = 0.0
        for part, energy in component.parts.items():
            if energy <= 0:
                continue
            colour, hatch = styles[part]
            # what is too thin to be seen gets no entry in the legend
            label = None if part in shown or energy < 0.002 * scale * longest else part
            shown |= {label} if label else set()
            axes.barh(
                row,
                energy / scale,
                left=left,
                color=colour,
                hatch=hatch,
                edgecolor="white",
                linewidth=0.6,
                label=label,
            )
            left += energy / scale
        text = f"{energy_text(component.total)}  ({share_text(component.total, statistics.energy_pj)})"
        axes.annotate(
            text, (left, row), xytext=(4, 0), textcoords="offset points", va="center", fontsize="small"
        )
    axes.set_yticks(range(len(components)), [component.name for component in components])
    axes.invert_yaxis()
    # room for the figures behind the longest bar
    axes.set_xlim(0, 1.45 * longest)
    axes.set_xlabel(f"energy [{unit}]")
    axes.set_title("Energy", loc="left")
    axes.grid(True, axis="x", color=palette.LIGHT_GREY)
    axes.set_axisbelow(True)
    handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    names = [name for name in styles if name in handles]
    axes.legend(
        [handles[name] for name in names],
        names,
        frameon=False,
        fontsize="small",
        ncols=_columns(names),
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        borderaxespad=0.1,
        handlelength=1.2,
        columnspacing=1.2,
    )


def _columns(names: list[str]) -> int:
    """As many legend columns as fit beside the title; matplotlib fills them column by column."""
    for columns in range(len(names), 1, -1):
        rows = -(-len(names) // columns)
        widths = [max(map(len, names[i : i + rows])) + 5 for i in range(0, len(names), rows)]
        if sum(widths) <= _LEGEND_LETTERS:
            return columns
    return 1
