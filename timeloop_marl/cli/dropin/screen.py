"""What the programs print: fixed texts and one-line results (formats section 10, mapspace sections 5 and 7)."""

from __future__ import annotations

from ...report.numbers import OutputStyle

BANNER = r"""  _______                __                
 /_  __(_)___ ___  ___  / /___  ____  ____ 
  / / / / __ `__ \/ _ \/ / __ \/ __ \/ __ \
 / / / / / / / / /  __/ / /_/ / /_/ / /_/ /
/_/ /_/_/ /_/ /_/\___/_/\____/\____/ .___/ 
                                  /_/      

"""  # noqa: W291

LAYOUT = "Start Parsering Layout\nNo Layout specified, so using bandwidth based modeling\n"

NO_VALID_MAPPING = """\
MESSAGE: no valid mappings found within search criteria. Some suggestions:
(1) Observe each mapper thread's termination message. If it terminated due to
    consecutive failed mappings, it will tell you the number of mappings that
    failed because of a spatial fanout violation and the number that failed
    because of a buffer capacity violation.
(2) Check your architecture configuration (especially mapspace constraints).
    Try to find the offending constraints that are likely to have caused the
    above violations, and disable those constraints.
(3) Try other search algorithms, and relax the termination criteria:
    victory_condition, timeout and/or search_size.
"""

TRY_DIAGNOSTICS = """\
(4) Enable mapper's diagnostics (mapper.diagnostics = True) to track and emit 
    more information about failed mappings.
"""  # noqa: W291


def input_lines(files: tuple[str, ...]) -> str:
    """One line per file of the command line."""
    return "".join(f"input file: {name}\n" for name in files)


def result_line(
    style: OutputStyle, utilization: float, energy_per_compute: float, cycles: int, mapping: str = ""
) -> str:
    """Utilisation, energy per compute in pJ and cycles, with the mapping in between if given."""
    middle = f"| {mapping} " if mapping else ""
    return (
        f"Utilization = {style.real(utilization, 2, 4)} | pJ/Compute = {style.real(energy_per_compute, 3, 8)} "
        f"{middle}| Cycles = {cycles}\n"
    )
