"""Arguments that several commands have."""

from __future__ import annotations

import argparse

from . import kinds


def add_files(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """FILES and how they are read."""
    parser.add_argument(
        "files",
        nargs="*" if optional else "+",
        metavar="FILES",
        help="architecture, problem, tables, constraints, mapper: any order; a folder stands for its YAML files",
    )
    add_set(parser)
    parser.add_argument(
        "--rules",
        choices=("2025", "2022"),
        default="2025",
        help="Timeloop version to equal: 2025 (today's), 2022 (2022/23)",
    )


def add_set(parser: argparse.ArgumentParser, more: str = "") -> None:
    """``--set``; ``more`` ends its help."""
    parser.add_argument(
        "--set",
        dest="values",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a value of the input, e.g. GLB.attributes.depth=4096 or PE.spatial.meshX=8, or a variable of its "
        "Jinja2 templates (may be repeated)" + more,
    )


def add_engine(parser: argparse.ArgumentParser, what: str = "tasks") -> None:
    """Where parallel work goes: ``--jobs``, ``--backend``, ``--scheduler``; ``what`` says what the work is."""
    parser.add_argument(
        "--jobs", type=int, metavar="N", help=f"{what} at the same time (same result; -1 = one per processor)"
    )
    parser.add_argument(
        "--backend",
        choices=("loky", "threading", "dask", "ray"),
        help="where: processes (loky) or threads of this machine, a Dask or a Ray cluster",
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="of a running cluster: tcp://HOST:PORT or a scheduler file (Dask), ray://HOST:PORT (Ray)",
    )


def add_program(parser: argparse.ArgumentParser) -> None:
    """How the real timeloop-model is called, and where."""
    add_engine(parser, "calls of timeloop-model")
    add_call(parser)
    parser.add_argument(
        "--on-crash", choices=("stop", "skip"), help="stop (default) or count the sample as failed and go on"
    )


def add_call(parser: argparse.ArgumentParser) -> None:
    """One call of the real timeloop-model."""
    parser.add_argument(
        "--timeloop-model", metavar="PROGRAM", help="the program, if it is not timeloop-model on the path"
    )
    parser.add_argument(
        "--call-seconds", type=kinds.positive, metavar="S", help="time limit of one call of it (default 60)"
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """Where the native model runs."""
    parser.add_argument(
        "--device",
        choices=("cpu", "cuda", "auto"),
        help="where the native model evaluates: cpu (default), cuda (an NVIDIA GPU, extra 'gpu'), auto; same result",
    )


def add_knowledge(parser: argparse.ArgumentParser) -> None:
    """What other searches have learnt, in and out."""
    parser.add_argument(
        "--knowledge", metavar="FILE", help="begin with what other searches have learnt (searcher marl)"
    )
    parser.add_argument(
        "--save-knowledge", metavar="FILE", help="write what was learnt, with what it began with"
    )


def add_tensorboard(parser: argparse.ArgumentParser) -> None:
    """Where scalars go."""
    parser.add_argument(
        "--tensorboard", metavar="DIR", help="write scalars for TensorBoard into DIR (extra 'tensorboard')"
    )
