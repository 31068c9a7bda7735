"""The arguments of all commands. Light, so that ``--help`` is answered at once: the commands are elsewhere."""

from __future__ import annotations

import argparse
from functools import partial


def nonempty(text: str) -> str:
    """Any text but the empty one."""
    if not text:
        raise argparse.ArgumentTypeError("expected a name, got nothing ('.' is the current folder)")
    return text


def count(text: str) -> int:
    """A whole number of at least 1; also ``20_000`` and ``1e5``."""
    value = _integer(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def positive(text: str) -> float:
    """A number above 0."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number, got {text!r}") from None
    if not value > 0:
        raise argparse.ArgumentTypeError("must be above 0")
    return value


def seed(text: str) -> int:
    """A whole number from 0 to 2^63 - 1."""
    value = _integer(text)
    if not 0 <= value < 2**63:
        raise argparse.ArgumentTypeError("must be between 0 and 2^63 - 1")
    return value


def _integer(text: str) -> int:
    """Also ``20_000`` and ``1e5``."""
    try:
        value = float(text)
        if value.is_integer():
            return int(value) if abs(value) < 2**53 else int(text)
    except (ValueError, OverflowError):
        pass
    raise argparse.ArgumentTypeError(f"expected an integer, got {text!r}")


def add_files(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """FILES and how they are read."""
    parser.add_argument(
        "files",
        nargs="*" if optional else "+",
        metavar="FILES",
        help="architecture, problem, tables, constraints, mapper: any order; a folder stands for its YAML files",
    )
    add_set(parser)
    add_rules(parser)


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
    parser.add_argument(
        "--allow-path",
        action="append",
        metavar="DIR",
        help="let Jinja2 templates also read below DIR (may be repeated); without it, only near the input files",
    )


def add_factors(parser: argparse.ArgumentParser) -> None:
    """``--factors`` and ``--count``: short for ``--set mapper.factors=`` and ``--set mapper.count=``."""
    for name, known, text in (
        (
            "factors",
            ("auto", "perfect", "imperfect"),
            "auto (default): imperfect where perfect factors leave an array idle",
        ),
        (
            "count",
            ("corrected", "padded", "timeloop"),
            "imperfect mappings cost by Timeloop, corrected (default) for all work",
        ),
    ):
        parser.add_argument(
            f"--{name}",
            dest="values",
            action="append",
            type=partial(_mapper_value, name, known),
            metavar=name.upper(),
            help=f"{text}; or {', '.join(known[1:])}",
        )


def _mapper_value(name: str, known: tuple[str, ...], text: str) -> str:
    if text not in known:
        raise argparse.ArgumentTypeError(f"expected {', '.join(known)}, got {text!r}")
    return f"mapper.{name}={text}"


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
        "--call-seconds", type=positive, metavar="S", help="time limit of one call of it (default 60)"
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


def add_run(parser: argparse.ArgumentParser, folder: str, noun: str = "run") -> None:
    """The folder of a run, going on with it, and how much is said."""
    parser.add_argument(
        "-o", "--output", default=folder, type=nonempty, metavar="DIR", help="output folder (%(default)s)"
    )
    parser.add_argument(
        "--resume", action="store_true", help=f"go on with the {noun} in -o DIR; FILES may be left out"
    )
    parser.add_argument("--overwrite", action="store_true", help=f"begin anew where a {noun} is already")
    parser.add_argument("--quiet", action="store_true", help="no progress, only the result")


def add_search(
    parser: argparse.ArgumentParser, *, objective: str, samples: str, seconds: str = "stop after S seconds"
) -> None:
    """What is searched with and for how long; the arguments are what the help says."""
    parser.add_argument("--objective", metavar="NAME[,NAME…]", help=objective)
    parser.add_argument("--searcher", metavar="NAME", help="see 'timeloop-marl searchers'")
    parser.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE", help="option of the searcher"
    )
    parser.add_argument("--samples", type=count, metavar="N", help=samples)
    parser.add_argument("--seconds", type=positive, metavar="S", help=seconds)
    parser.add_argument("--seed", type=seed, metavar="S", help="seed of the searcher (default 1)")


def add_rules(parser: argparse.ArgumentParser) -> None:
    """``--rules``."""
    parser.add_argument(
        "--rules",
        choices=("2025", "2022"),
        default="2025",
        help="Timeloop version to equal: 2025 (today's), 2022 (2022/23)",
    )


def add_layers(parser: argparse.ArgumentParser, what: str) -> None:
    """FILES of networks."""
    parser.add_argument(
        "files",
        nargs="*",
        metavar="ARCH… PROBLEMS…",
        help=f"{what} and layers: files, folders, patterns, lists of layers (network.yaml), in any order",
    )


def add_tensorboard(parser: argparse.ArgumentParser) -> None:
    """Where scalars go."""
    parser.add_argument(
        "--tensorboard", metavar="DIR", help="write scalars for TensorBoard into DIR (extra 'tensorboard')"
    )


def _search(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``timeloop-marl search``."""
    parser = commands.add_parser(
        "search", help="search for the best mapping", description="Search for the best mapping."
    )
    add_files(parser, optional=True)
    add_factors(parser)
    add_run(parser, "timeloop-marl-out")
    add_search(
        parser,
        objective="edp (default), energy, delay, … or a list by priority",
        samples="evaluate at most N mappings, valid or not (default 2000)",
    )
    parser.add_argument("--valid-samples", type=count, metavar="N", help="stop after N valid mappings")
    parser.add_argument(
        "--target",
        type=positive,
        metavar="COST",
        help="stop when the objective is COST or lower (edp: pJ*cycles, energy: pJ, delay: cycles)",
    )
    parser.add_argument(
        "--stagnation", type=count, metavar="N", help="stop after N samples without improvement"
    )
    parser.add_argument(
        "--threads", type=count, default=1, metavar="N", help="threads that evaluate (same result)"
    )
    parser.add_argument("--top", type=count, default=1, metavar="K", help="write the K best mappings")
    parser.add_argument(
        "--no-proof", action="store_true", help="agents alone: do not try to prove the optimum beside them"
    )
    parser.add_argument(
        "--evaluator",
        choices=("native", "timeloop"),
        help="native model (default) or the real timeloop-model",
    )
    add_device(parser)
    parser.add_argument(
        "--verify",
        type=count,
        metavar="K",
        help="evaluate the K best mappings with the real timeloop-model, too, and report every differing figure",
    )
    add_program(parser)
    parser.add_argument(
        "--cache",
        metavar="FILE",
        help="mappings that timeloop-model has evaluated, shared by all runs; 'none' = no such file "
        "(default: in the user's cache folder, or TIMELOOP_MARL_CACHE)",
    )
    parser.add_argument(
        "--pareto", action="store_true", help="all mappings that no other beats in every figure, not one best"
    )
    parser.add_argument(
        "--figures", metavar="A,B[,C]", help="of --pareto: cycles,energy (default), and buffer: on-chip words"
    )
    add_knowledge(parser)
    add_tensorboard(parser)


def _optimum(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``timeloop-marl optimum``."""
    parser = commands.add_parser(
        "optimum",
        help="find the optimum of the mapspace and prove it, or say how much is still open",
        description="Go through the whole mapspace of FILES by branch and bound. The result is called optimal only "
        "when that is proven; until then the best mapping, the bound and the gap between them are known at any time.",
    )
    add_files(parser, optional=True)
    add_run(parser, "timeloop-marl-optimum", "proof")
    parser.add_argument(
        "--objective", metavar="NAME", help="edp (default), energy, delay, last_level_accesses, accesses-K"
    )
    parser.add_argument("--seconds", type=positive, metavar="S", help="stop after S seconds")
    parser.add_argument(
        "--gap", type=positive, metavar="PCT", help="stop when at most PCT %% of the cost are open"
    )
    parser.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="threads (same result; -1 = one per processor)"
    )
    parser.add_argument(
        "--searcher", metavar="NAME", help="searcher that finds the first mapping (default: genetic)"
    )
    parser.add_argument("--samples", type=count, metavar="N", help="samples of that search (default: 4000)")
    parser.add_argument("--seed", type=seed, metavar="S", help="seed of that search (default: 1)")
    add_device(parser)


def _network(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``timeloop-marl network``."""
    parser = commands.add_parser(
        "network",
        help="search for the mappings of all layers of a network",
        description="Map all layers of a network onto one machine. Equal layers are searched once and weighted by how "
        "often they occur; the sample budget is that of the whole network and goes where it still pays.",
    )
    add_layers(parser, "machine")
    add_run(parser, "timeloop-marl-network")
    add_set(parser)
    add_rules(parser)
    add_factors(parser)
    add_search(
        parser,
        objective="of the network as a whole: edp (default; sum of energies x sum of delays), energy, delay, …",
        samples="evaluate at most N mappings of all layers together (default 500 per distinct layer)",
    )
    add_engine(parser, "layers")
    add_device(parser)
    add_knowledge(parser)
    parser.add_argument(
        "--no-transfer", dest="transfer", action="store_false", help="every layer begins with nothing"
    )
    add_tensorboard(parser)


def _convert(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``timeloop-marl convert``."""
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
    parser.add_argument("-o", "--output", required=True, type=nonempty, metavar="DIR", help="output folder")
    parser.add_argument(
        "--dim",
        action="append",
        default=[],
        metavar="NAME=SIZE",
        help="size of a dimension that the model leaves open (a batch is 1)",
    )
    parser.add_argument("--name", metavar="NAME", help="name of the network (default: that of the model)")
    parser.add_argument("--overwrite", action="store_true", help="write over layer files that are there")


def _sweep(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``timeloop-marl sweep``."""
    parser = commands.add_parser(
        "sweep",
        help="a layer or a network on several machines, or on one with many settings",
        description="Search the mappings of a layer or a network on every machine and with every value of --set, and "
        "compare area, latency and energy.",
    )
    add_layers(parser, "machines")
    add_run(parser, "timeloop-marl-sweep", "sweep")
    add_set(
        parser,
        "; several values with commas between them are a machine each, several lists every combination",
    )
    parser.add_argument(
        "--paired", action="store_true", help="take the lists of --set side by side, not every combination"
    )
    add_rules(parser)
    add_factors(parser)
    add_search(
        parser,
        objective="of each machine's search: edp (default), …",
        samples="evaluate at most N mappings for each machine, all layers together (default 500 per distinct layer)",
        seconds="stop each machine after S seconds",
    )
    parser.add_argument(
        "--knowledge",
        metavar="FILE",
        help="begin every machine with what other searches have learnt (searcher marl)",
    )
    parser.add_argument(
        "--no-transfer", dest="transfer", action="store_false", help="every layer begins with nothing"
    )
    parser.add_argument(
        "--alone", dest="share", action="store_false", help="machines learn nothing from each other"
    )
    add_engine(parser, "machines (with few of them, layers)")
    add_device(parser)


SORTS = ("folder", "when", "best", "edp", "samples", "state", "kind", "searcher")


def _runs(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``timeloop-marl runs``."""
    parser = commands.add_parser(
        "runs",
        help="list run folders: what, by whom, how far, how good; or what differs between some",
        description="List the runs in and below the folders, or compare some of them value by value.",
    )
    parser.add_argument(
        "folders", nargs="*", metavar="DIR", help="where to look (default: the current folder)"
    )
    parser.add_argument("--sort", choices=SORTS, default="folder", help="order of the lines (%(default)s)")
    parser.add_argument(
        "--all", action="store_true", help="also the layers of networks and the points of sweeps"
    )
    parser.add_argument(
        "--compare",
        nargs="+",
        metavar="DIR",
        help="what differs between these runs: settings, input, results",
    )
    parser.add_argument("--json", action="store_true", help="for programs")


def _evaluate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``timeloop-marl evaluate``."""
    parser = commands.add_parser(
        "evaluate",
        help="evaluate one mapping, or many recorded rows",
        description="Evaluate the mapping given in FILES (or by --mapping), or every row of --rows.",
    )
    add_files(parser, optional=True)
    parser.add_argument(
        "--mapping", metavar="FILE", help="map.yaml or map.txt; default: the 'mapping' key of FILES"
    )
    parser.add_argument(
        "--evaluator",
        choices=("native", "timeloop"),
        help="native model (default), or the real timeloop-model, which also evaluates what only it covers",
    )
    add_call(parser)
    parser.add_argument(
        "--rows", metavar="FILE.jsonl[.gz]", help="recorded rows: compute, and compare with what they expect"
    )
    parser.add_argument("--inputs", metavar="DIR", help="folder with arch/ and problems/ that the rows name")
    parser.add_argument(
        "--expect",
        metavar="STATS.TXT",
        help="compare with a recorded stats.txt: which rule set it follows, and which figures differ (then status 1)",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=nonempty,
        metavar="OUT",
        help="folder for the statistics; with --rows: file for the rows",
    )


def _info(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``timeloop-marl info``."""
    parser = commands.add_parser(
        "info", help="what was understood: levels, constraints, mapspace, difficulty"
    )
    add_files(parser)
    add_factors(parser)
    parser.add_argument(
        "--flattening",
        action="store_true",
        help="compare how these v0.4 files are flattened with what the installed front end of Timeloop makes of them, "
        "and print every difference; status 1 if there is any",
    )


def _cluster(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``timeloop-marl cluster``."""
    parser = commands.add_parser(
        "cluster", help="which choices of a mapping belong together: matrix, tree, the agents' groups"
    )
    add_files(parser)
    add_factors(parser)
    parser.add_argument(
        "--signal",
        choices=("interaction", "pearson", "spearman", "mutual"),
        default="interaction",
        help="interaction in log cost (default), or correlation or mutual information of the values",
    )
    parser.add_argument(
        "--samples",
        type=count,
        default=1000,
        metavar="N",
        help="random feasible mappings (default 1000)",
    )
    parser.add_argument(
        "--agents", type=count, metavar="N", help="number of groups (default: chosen by silhouette)"
    )
    parser.add_argument(
        "--objective", metavar="METRIC[,...]", default="edp", help="of the interaction (default edp)"
    )
    parser.add_argument("--seed", type=seed, default=1, metavar="N", help="of the samples (default 1)")
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        help="folder for cluster.json and cluster.png (default: none is written)",
    )


def _verify(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``timeloop-marl verify``."""
    parser = commands.add_parser(
        "verify",
        help="compare the native model with the installed timeloop-model on random mappings",
        description="Draw random mappings of the mapspace of FILES, evaluate them with the native model and with the "
        "installed timeloop-model, and compare every figure. Exit 1 if any differs.",
    )
    add_files(parser)
    parser.add_argument(
        "--samples", type=count, default=100, metavar="N", help="mappings to draw (%(default)s)"
    )
    parser.add_argument("--seed", type=seed, default=1, metavar="S", help="seed of the draw (%(default)s)")
    parser.add_argument(
        "--draw",
        choices=("feasible", "any", "unconstrained", "imperfect", "mixed"),
        default="mixed",
        help="feasible: of the mapspace, drawn to be valid; any: of Timeloop's whole mapspace, most of them invalid; "
        "unconstrained: any bypass, order and factor; imperfect: with factors that do not divide; mixed: some of each "
        "(%(default)s)",
    )
    parser.add_argument("-o", "--output", metavar="DIR", help="folder for verify.json")
    add_program(parser)


def _compare(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``timeloop-marl compare``."""
    parser = commands.add_parser(
        "compare",
        help="our search against Timeloop's five mappers on the same files",
        description="Search FILES with our searchers and with Timeloop's mappers, at the same number of samples and in "
        "the same time; table, plots, winning loop nests side by side.",
    )
    add_files(parser)
    add_factors(parser)
    parser.add_argument(
        "-o", "--output", default="timeloop-marl-compare", metavar="DIR", help="output folder (%(default)s)"
    )
    parser.add_argument(
        "--searchers",
        "--searcher",
        metavar="NAME[,NAME…]",
        help="ours: see 'timeloop-marl searchers' (default: marl)",
    )
    parser.add_argument(
        "--objective", metavar="NAME[,NAME…]", help="edp (default), energy, delay, … or a list by priority"
    )
    parser.add_argument(
        "--samples", type=count, metavar="N", help="samples each, valid or not (default 2000)"
    )
    parser.add_argument("--seconds", type=positive, metavar="S", help="wall clock each (default 10)")
    parser.add_argument("--seeds", type=count, default=5, metavar="K", help="runs of ours (%(default)s)")
    parser.add_argument(
        "--timeloop-mapper", metavar="PROGRAM", help="the program, if it is not timeloop-mapper on the path"
    )
    add_device(parser)
    add_program(parser)


def _report(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``timeloop-marl report``."""
    parser = commands.add_parser(
        "report",
        help="an HTML page of a finished run, network, sweep or comparison",
        description="Write an HTML page, one file that needs no network, of what is in the output folder of search, "
        "network, sweep or compare. Those commands write it, too; this one writes it anew.",
    )
    parser.add_argument("folders", nargs="+", type=nonempty, metavar="DIR", help="output folder of a command")
    parser.add_argument(
        "-o", "--output", type=nonempty, metavar="FILE", help="the page (default: DIR/report.html)"
    )
    parser.add_argument(
        "--pictures", type=nonempty, metavar="DIR", help="also write every picture as SVG and PNG into DIR"
    )


def _searchers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``timeloop-marl searchers``."""
    commands.add_parser("searchers", help="list the searchers and their options")


def _examples(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``timeloop-marl examples``."""
    parser = commands.add_parser(
        "examples",
        help="list the machines, networks, mappers and scripts that came with the package, or copy them",
        description="List what came with the package. Any command takes these names where no such file is on disk.",
    )
    parser.add_argument("--copy", type=nonempty, metavar="DIR", help="write all of them into DIR")


def _warmup(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``timeloop-marl warmup``."""
    parser = commands.add_parser(
        "warmup",
        help="compile everything that a first search would, and keep it",
        description="Compile the cost model and a searcher now, once, so that no search waits for it.",
    )
    parser.add_argument("--searcher", default="marl", metavar="NAME", help="which searcher (%(default)s)")


COMMANDS = {
    "search": _search,
    "optimum": _optimum,
    "network": _network,
    "convert": _convert,
    "sweep": _sweep,
    "runs": _runs,
    "evaluate": _evaluate,
    "info": _info,
    "cluster": _cluster,
    "verify": _verify,
    "compare": _compare,
    "report": _report,
    "searchers": _searchers,
    "examples": _examples,
    "warmup": _warmup,
}
"""Name -> what adds it to the parser, in the order of the help."""
