"""Problems: shapes, bounds, coefficients, shipped shapes, near misses and bad input."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yaml_cases import CONV, MATMUL, altered, spec

from timeloop_marl.errors import SpecError
from timeloop_marl.specs.problem import Term, shipped_shapes


def shaped(base: dict[str, Any], **shape: Any) -> dict[str, Any]:
    problem = copy.deepcopy(base)
    problem["shape"].update(shape)
    return problem


def test_matmul() -> None:
    problem = spec(problem=MATMUL).problem
    assert problem.dims == ("M", "N", "K")
    assert problem.bounds == (4, 2, 6)
    assert problem.operations == 48
    assert [space.name for space in problem.data_spaces] == ["A", "B", "Z"]
    assert [space.read_write for space in problem.data_spaces] == [False, False, True]
    assert problem.data_spaces[1].ranks == ((Term(2, 1),), (Term(1, 1),))


def test_shorthand_projection_is_one_rank_per_dimension() -> None:
    weights = spec(problem=CONV).problem.data_spaces[0]
    assert weights.ranks == ((Term(3, 1),), (Term(2, 1),), (Term(0, 1),))


@pytest.mark.parametrize(("given_value", "used"), [(None, 1), (3, 3), (-2, -2), (0, 0)])
def test_coefficients(given_value: int | None, used: int) -> None:
    problem = CONV if given_value is None else altered(CONV, stride=given_value)
    inputs = spec(problem=problem).problem.data_spaces[1]
    assert inputs.ranks[1] == (Term(0, 1), Term(1, used))


def test_bounds_directly_under_problem() -> None:
    assert spec(problem={"shape": CONV["shape"], "R": 3, "P": 8, "C": 2, "K": 5}).problem.bounds == (
        3,
        8,
        2,
        5,
    )


def test_bounds_from_variables_and_texts() -> None:
    problem = spec(problem=altered(MATMUL, M="SIZE", N="7"), variables={"SIZE": 12}).problem
    assert problem.bounds == (12, 7, 6)


def test_mttkrp_with_four_data_spaces() -> None:
    problem = {
        "shape": {
            "dimensions": ["I", "J", "K", "L"],
            "data_spaces": [
                {"name": "T", "projection": ["I", "K", "L"]},
                {"name": "B", "projection": ["K", "J"]},
                {"name": "C", "projection": ["L", "J"]},
                {"name": "Out", "projection": ["I", "J"], "read_write": True},
            ],
        },
        "instance": {"I": 4, "J": 4, "K": 2, "L": 3},
    }
    assert len(spec(problem=problem).problem.data_spaces) == 4


@pytest.mark.parametrize(
    ("name", "dims", "writes"),
    [
        ("cnn_layer", "RSPQCKN", "Outputs"),
        ("cnn-layer", "RSPQCKN", "Outputs"),
        ("gemm", "MNK", "D"),
        ("gemm-ABZ", "MNK", "Z"),
    ],
)
def test_shipped_shapes(name: str, dims: str, writes: str) -> None:
    problem = spec(problem={"shape": name, **dict.fromkeys(dims, 2)}).problem
    assert "".join(problem.dims) == dims
    assert [space.name for space in problem.data_spaces if space.read_write] == [writes]


def test_missing_shape_is_the_convolution_layer() -> None:
    read = spec(problem={"instance": dict.fromkeys("RSPQCKN", 2)})
    assert read.problem.dims == tuple("RSPQCKN")
    assert any("cnn_layer" in notice for notice in read.notices)
    inputs = read.problem.data_spaces[1]
    assert inputs.ranks[2] == (Term(0, 1), Term(2, 1))


def test_every_shipped_shape_reads() -> None:
    for name, shape in shipped_shapes().items():
        dims = shape["dimensions"]
        assert isinstance(dims, list)
        assert spec(problem={"shape": name, **dict.fromkeys(dims, 3)}).problem.bounds == (3,) * len(dims)


def test_misspelt_strides_get_a_loud_notice_and_keep_their_default() -> None:
    shape = copy.deepcopy(CONV)
    shape["shape"]["coefficients"][0]["name"] = "Hstride"
    shape["shape"]["data_spaces"][1]["projection"][1][1][1] = "Hstride"
    shape["instance"]["HStride"] = 2
    read = spec(problem=shape)
    assert read.problem.data_spaces[1].ranks[1][1] == Term(1, 1)
    (notice,) = [text for text in read.notices if "HStride" in text]
    assert "did you mean 'Hstride'" in notice
    assert "problem.instance.HStride" in notice


def test_other_extra_instance_keys_are_silent() -> None:
    read = spec(problem=altered(CONV, H=30, Wpad=1))
    assert not [notice for notice in read.notices if "PAT" not in notice]


def test_densities_without_sparsity_are_ignored_with_a_notice() -> None:
    read = spec(problem=altered(CONV, densities={"W": 0.5}))
    assert any("densities" in notice for notice in read.notices)


BAD: list[tuple[dict[str, Any], str]] = [
    (altered(MATMUL, M=None), "no bound for dimension M"),
    (altered(MATMUL, M=0), "out of range"),
    (altered(MATMUL, M=-3), "out of range"),
    (altered(MATMUL, M=2.5), "not an integer"),
    (altered(MATMUL, M=4.0), "not an integer"),
    (altered(MATMUL, M=True), "not an integer"),
    (altered(MATMUL, M="four"), "not an integer"),
    (altered(MATMUL, M=2**63), "out of range"),
    (altered(MATMUL, M=2**62), "too large"),
    (altered(MATMUL, M=10**5000), "out of range"),
    (shaped(MATMUL, dimensions=[]), "no dimensions"),
    (shaped(MATMUL, dimensions="MNK"), "no dimensions"),
    (shaped(MATMUL, dimensions=["M", "N", "K", "M"]), "twice"),
    (shaped(MATMUL, dimensions=["M", "N", "KK"]), "not a dimension name"),
    (shaped(MATMUL, dimensions=["M", False, "K"]), "not a dimension name"),
    (shaped(MATMUL, data_spaces=[]), "no data spaces"),
    (shaped(MATMUL, data_spaces=[{"name": "A", "projection": ["M"]}] * 2), "declared twice"),
    (shaped(MATMUL, data_spaces=[{"name": "A", "projection": ["X"]}]), "unknown dimension"),
    (shaped(MATMUL, data_spaces=[{"name": "A", "projection": [[["M", "s"]]]}]), "unknown coefficient"),
    (shaped(MATMUL, data_spaces=[{"name": "A", "projection": [[["M", "N", "K"]]]}]), "not a term"),
    (shaped(MATMUL, data_spaces=[{"name": "A", "projection": [[]]}]), "not a rank"),
    (shaped(MATMUL, data_spaces=[{"name": "A", "projection": None}]), "no projection"),
    (shaped(MATMUL, data_spaces=[{"projection": ["M"]}]), "without a name"),
    (shaped(MATMUL, data_spaces=[{"name": "A", "projection": ["M"], "read_writ": True}]), "unknown key"),
    (shaped(MATMUL, data_spaces=[{"name": "A", "projection": ["M"], "read_write": 2}]), "not a truth value"),
    (shaped(MATMUL, coefficients=[{"name": "s"}]), "without value"),
    (shaped(MATMUL, coefficients=[{"name": "M", "default": 1}]), "twice"),
    (shaped(MATMUL, coefficients=[{"default": 1}]), "without a name"),
    (shaped(MATMUL, coefficients=["s"]), "not a coefficient"),
    (shaped(MATMUL, dimension=["M"]), "unknown key 'dimension'"),
    ({"shape": "cnn_layr"}, "unknown shape"),
    ({"shape": 3}, "not a problem shape"),
    ({**MATMUL, "instance": [1]}, "not a map"),
    ({**MATMUL, "instanc": {}}, "unknown key 'instanc'"),
]


@pytest.mark.parametrize(("problem", "message"), BAD)
def test_bad_problems(problem: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        spec(problem=problem)
    assert message in str(caught.value)
    assert caught.value.path.startswith("problem")


def test_nearest_known_key_is_named() -> None:
    with pytest.raises(SpecError) as caught:
        spec(problem=shaped(MATMUL, data_space=[]))
    assert "did you mean 'data_spaces'?" in str(caught.value)


def test_lenient_reading_ignores_unknown_keys() -> None:
    read = spec(problem=shaped(MATMUL, comment="x"), strict=False)
    assert any("'comment'" in notice for notice in read.notices)


def test_flattened_dimensions_are_loops_of_their_own_ahead_of_the_others() -> None:
    read = spec(problem=shaped(MATMUL, flatten=[{"name": "F", "dimensions": ["M", "N"]}]))
    bounds = dict(zip(spec().problem.dims, spec().problem.bounds))
    assert dict(zip(read.problem.dims, read.problem.bounds)) == {
        "F": bounds["M"] * bounds["N"],
        "K": bounds["K"],
    }
    assert read.problem.dims[0] == "F"
    assert [len(space.ranks) for space in read.problem.data_spaces] == [2, 2, 1]
    assert read.beyond is not None and read.beyond.features[0].path == "problem.shape.flatten"
    assert read.beyond.sections["problem"]["shape"]["dimensions"] == list(spec().problem.dims)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([{"name": "F"}], "no dimensions to flatten"),
        ([{"name": "Flat", "dimensions": ["M"]}], "one letter"),
        ([{"name": "F", "dimensions": ["M", "X"]}], "unknown dimension"),
        ([{"name": "F", "dimensions": ["M", "M"]}], "twice in one group"),
        ([{"name": "F", "dimensions": ["M"]}, {"name": "G", "dimensions": ["M"]}], "in two groups"),
        ([{"name": "K", "dimensions": ["M"]}], "like a dimension outside it"),
    ],
)
def test_malformed_groups_of_flattened_dimensions(groups: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        spec(problem=shaped(MATMUL, flatten=groups))


def test_huge_coefficients_are_refused() -> None:
    with pytest.raises(SpecError, match="data space I is too large"):
        spec(problem=altered(CONV, stride=2**62))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=6,
    ),
    st.sampled_from(["shape", "instance", "dimensions", "data_spaces", "coefficients", "projection", "M"]),
)
def test_any_value_anywhere_reads_or_fails_cleanly(value: Any, where: str) -> None:
    problem = copy.deepcopy(MATMUL)
    if where in ("shape", "instance"):
        problem[where] = value
    elif where == "M":
        problem["instance"]["M"] = value
    elif where == "projection":
        problem["shape"]["data_spaces"][0]["projection"] = value
    else:
        problem["shape"][where] = value
    try:
        assert all(bound >= 1 for bound in spec(problem=problem).problem.bounds)
    except SpecError as error:
        assert str(error)
