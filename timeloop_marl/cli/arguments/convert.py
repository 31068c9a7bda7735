"""Arguments of ``timeloop-marl convert``."""

from __future__ import annotations

import argparse

from . import kinds


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "convert",
        help="layer files from an ONNX or torch model",
        description="Write one problem file per distinct layer of a model, and a network.yaml that counts them. Only "
        "shapes are read, no weights.",
    )
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="a .onnx file, or MODULE:FUNCTION that gives a torch model (and its inputs)",
    )
    parser.add_argument("-o", "--output", required=True, type=kinds.name, metavar="DIR", help="output folder")
    parser.add_argument(
        "--dim",
        action="append",
        default=[],
        metavar="NAME=SIZE",
        help="size of a dimension that the model leaves open (a batch is 1)",
    )
    parser.add_argument("--name", metavar="NAME", help="name of the network (default: that of the model)")
