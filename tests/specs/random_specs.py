"""Random but consistent Specs for hypothesis: everything that files can say, in every combination."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from timeloop_marl.specs.architecture import (
    Architecture,
    ComputeLevel,
    NetworkAttributes,
    StorageLevel,
    TilingLevel,
    UserNetwork,
)
from timeloop_marl.specs.constraints import Constraints, LoopConstraint, Switches
from timeloop_marl.specs.energy import Action, Energies, LevelEnergy
from timeloop_marl.specs.mapper import MapperOptions, ModelSection
from timeloop_marl.specs.problem import DataSpace, Problem, Term
from timeloop_marl.specs.spec import Spec

ODD_NAMES = ("N", "y", "true", "null", "7", "1e3", "0x10", "RF a", "-", "é", "#1", "{{ x }}", "a: b", "wire")
pj = st.floats(0, 1e9, allow_subnormal=False)
positive = st.floats(1e-9, 1e9)
words = st.sampled_from([1, 100, 2**32 - 1, 2**32, 3 * 2**33, 2**40 + 1])


def optional(values: st.SearchStrategy) -> st.SearchStrategy:
    return st.none() | values


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    dims = tuple(draw(st.lists(st.sampled_from("NYCMPQny"), min_size=1, max_size=4, unique=True)))
    term = st.builds(Term, st.integers(0, len(dims) - 1), st.sampled_from([1, 1, 1, 2, -1, -3, 0, 16]))
    ranks = st.lists(st.lists(term, min_size=1, max_size=2).map(tuple), min_size=1, max_size=3).map(tuple)
    names = draw(
        st.lists(st.sampled_from(("A", "B", "Outputs", "no", "1")), min_size=1, max_size=3, unique=True)
    )
    spaces = tuple(DataSpace(name, draw(ranks), draw(st.booleans())) for name in names)
    bounds = tuple(draw(st.integers(1, 12)) for _ in dims)
    return Problem(draw(st.sampled_from(["", "conv", "yes", "a 'quoted' one"])), dims, bounds, spaces)


inferred = st.builds(
    NetworkAttributes,
    network_type=st.sampled_from(["", "1:1", "1:N", "M:N"]),
    word_bits=optional(st.integers(1, 64)),
    router_energy=optional(pj),
    wire_energy=optional(pj),
    tile_width=optional(pj),
    energy_per_hop=optional(pj),
    energy_per_ingress=optional(pj),
    fill_latency=st.integers(0, 9),
    drain_latency=st.integers(0, 9),
)
free = st.dictionaries(
    st.sampled_from(["technology", "type", "n_columns", "free", "word_bits", "entries", "name"]),
    st.none() | st.booleans() | st.integers() | pj | st.text(max_size=5) | st.just({"a": [1, {"b": "y"}]}),
)


@st.composite
def levels(draw: st.DrawFn, name: str, meshes: tuple[int, int], problem: Problem, top: bool) -> StorageLevel:
    class_name = draw(st.sampled_from(["DRAM", "SRAM", "regfile", "smartbuffer_RF", "dummy_storage", ""]))
    technology = "DRAM" if "DRAM" in class_name else "SRAM"
    instances = meshes[0] * meshes[1]
    scales = st.dictionaries(st.sampled_from([space.name for space in problem.data_spaces]), pj)
    return StorageLevel(
        name=name,
        class_name=class_name,
        technology=technology,
        instances=instances,
        mesh_x=meshes[0],
        mesh_y=meshes[1],
        word_bits=draw(st.sampled_from([1, 7, 8, 16])),
        block_size=draw(st.sampled_from([1, 4])),
        cluster_size=draw(st.sampled_from([size for size in (1, 2, 3) if instances % size == 0])),
        size=draw(optional(words) if technology == "DRAM" else words),
        multiple_buffering=draw(st.sampled_from([1.0, 2.0, 1.5])),
        min_utilization=draw(st.sampled_from([0.0, 0.3, 1e-7])),
        read_bandwidth=draw(optional(positive | st.just(float("inf")))),
        write_bandwidth=draw(optional(positive)),
        shared_bandwidth=draw(optional(positive)),
        bandwidth_scale=draw(scales),
        power_gated_at=draw(optional(st.just(name))),
        reduction_supported=draw(optional(st.booleans())),
        vector_access_energy=draw(optional(pj)),
        addr_gen_energy=draw(optional(st.floats(-1, 9))),
        num_ports=draw(st.sampled_from([1, 2])),
        num_banks=draw(st.sampled_from([1, 2, 32])),
        network=draw(inferred),
        attributes=draw(free),
    )


areas = st.floats(0, 1e9, width=32, allow_subnormal=False)


@st.composite
def level_energies(draw: st.DrawFn, level: StorageLevel) -> LevelEnergy:
    if level.vector_access_energy is not None:
        energy = level.vector_access_energy
        return LevelEnergy(energy, energy, energy, 0.0, draw(areas), energy, "user")
    read, fill, update, leak, other = (draw(pj) for _ in range(5))
    largest = max(read, fill, update, leak, other)
    return LevelEnergy(read, fill, update, leak, draw(areas), largest / level.cluster_size, "ERT")


@st.composite
def machines(draw: st.DrawFn, problem: Problem) -> Architecture:
    count = draw(st.integers(1, 4))
    names = draw(
        st.lists(st.sampled_from(["L1", "GLB", *ODD_NAMES]), min_size=count, max_size=count, unique=True)
    )
    meshes = [(1, 1)]
    for _ in range(count):
        x, y = meshes[-1]
        meshes.append((x * draw(st.integers(1, 3)), y * draw(st.integers(1, 3))))
    storage = [
        draw(levels(name, mesh, problem, top=index == 0))
        for index, (name, mesh) in enumerate(zip(names, meshes, strict=False))
    ][::-1]
    networks: tuple[UserNetwork, ...] = ()
    if count > 1 and draw(st.booleans()):
        networks = (draw(user_networks("MC", "SimpleMulticast")), draw(user_networks("RT", "ReductionTree")))
        storage[1] = replace(storage[1], network_read="MC", network_update="RT")
        storage[0] = replace(storage[0], network_fill="MC", network_drain="RT")
    x, y = meshes[-1]
    compute = ComputeLevel(
        draw(st.sampled_from(["mac", "on"])),
        draw(st.sampled_from(["intmac", "compute", ""])),
        x * y,
        x,
        y,
        word_bits=draw(st.integers(1, 64)),
        energy=draw(optional(st.integers(0, 9))),
        area=draw(optional(st.integers(0, 9))),
        attributes=draw(free),
    )
    return Architecture(tuple(storage), compute, networks)


@st.composite
def user_networks(draw: st.DrawFn, name: str, kind: str) -> UserNetwork:
    network = draw(inferred)
    return UserNetwork(
        name,
        kind,
        replace(network, word_bits=network.word_bits or 16),
        action_name="go" if kind == "SimpleMulticast" else None,
        multicast_factor_argument=draw(optional(st.just("num"))),
        per_datatype_ert=draw(st.booleans()),
        adder_energy=draw(pj),
        attributes=draw(free),
    )


@st.composite
def constraints(draw: st.DrawFn, problem: Problem, machine: Architecture) -> Constraints:
    dims, spaces, storage = len(problem.dims), len(problem.data_spaces), len(machine.storage)
    loops: dict[TilingLevel, LoopConstraint] = {}
    for tiling in machine.tiling_levels:
        if draw(st.booleans()):
            order = tuple(draw(st.permutations(range(dims))))
            cut, end = sorted((draw(st.integers(0, dims)), draw(st.integers(0, dims))))
            given = draw(st.booleans())
            limits = st.dictionaries(st.integers(0, dims - 1), st.integers(0, 20))
            loops[tiling] = LoopConstraint(
                fixed={dim: draw(st.integers(1, problem.bounds[dim])) for dim in order[:cut]},
                maximum=draw(limits),
                minimum=draw(limits),
                prefix=order[:cut] if given else None,
                suffix=order[end:] if given else (),
                split=draw(optional(st.integers(0, dims))) if tiling.spatial else None,
                remainders=draw(optional(st.integers(0, 4))),
            )
    everywhere = [(s, p) for s in range(storage) for p in range(spaces)]
    fanned = [pair for pair in everywhere if TilingLevel(pair[0], True) in machine.tiling_levels]
    pairs = st.lists(st.sampled_from(everywhere)).map(frozenset)
    spatial = st.lists(st.sampled_from(fanned)).map(frozenset) if fanned else st.just(frozenset())
    switches = Switches(draw(pairs), draw(pairs), draw(pairs), draw(spatial), draw(spatial))
    # reading a switch of loops leaves a constraint on them, if an empty one
    temporal_pairs = switches.no_temporal_reuse | switches.rmw_first_update
    for kind, switched in (
        (False, temporal_pairs),
        (True, switches.no_multicast | switches.no_link_transfer),
    ):
        for level, _ in switched:
            loops.setdefault(TilingLevel(level, kind), LoopConstraint())
    inner = st.lists(st.sampled_from("01X"), min_size=storage - 1, max_size=storage - 1)
    return Constraints(
        loops=loops,
        bypass=tuple((*draw(inner), draw(st.sampled_from("01"))) for _ in range(spaces)),
        min_parallelism=draw(st.sampled_from([0.0, 0.25, 1e-5])),
        switches=switches,
    )


options = st.builds(
    MapperOptions,
    algorithm=st.sampled_from(["random", "random_pruned", "linear_pruned", "hybrid", "exhaustive"]),
    num_threads=st.integers(0, 3),
    optimization_metrics=st.sampled_from(
        [("edp",), ("delay", "energy"), ("accesses-0", "last_level_accesses")]
    ),
    search_size=st.integers(0, 9),
    timeout=st.integers(0, 9),
    max_temporal_loops_in_a_mapping=st.integers(-1, 9),
    log_stats=st.booleans(),
    filter_revisits=st.booleans(),
    template=st.sampled_from(["uber", "ruby"]),
)


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    """A whole Spec whose energies are those that reading its machine with tables would give."""
    problem = draw(problems())
    machine = draw(machines(problem))
    actions = {"go": (Action({"num": 1}, draw(pj)), Action({"num": "2", "free": [True, None]}, draw(pj)))}
    tables = {"MC": {key + end: value for key, value in actions.items() for end in ("", "_1")}}
    if machine.networks and machine.networks[0].multicast_factor_argument is None:
        tables = {"MC": {"go": (Action({}, 2.5),)}}
    energies = Energies(
        tuple(draw(level_energies(level)) for level in machine.storage),
        draw(pj),
        draw(areas),
        draw(optional(st.floats(0, 1e3, width=32))),
        tables if machine.networks else {},
    )
    return Spec(
        problem,
        machine,
        energies,
        draw(constraints(problem, machine)),
        draw(options),
        model=draw(st.builds(ModelSection, verbose=st.booleans(), auto_bypass_on_failure=st.booleans())),
    )
