"""Files to documents: merging in both styles, safe YAML, origins, limits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timeloop_marl.errors import SpecError, UnsupportedFeatureError, UsageError
from timeloop_marl.specs.document import Document, Quoted
from timeloop_marl.specs.loading import load_document
from timeloop_marl.specs.yaml_text import parse_yaml


def write(folder: Path, **files: str) -> list[Path]:
    paths = []
    for name, text in files.items():
        path = folder / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths


def load(folder: Path, *texts: str, style: str = "auto") -> Document:
    files = {f"file{index}": text for index, text in enumerate(texts)}
    return load_document(write(folder, **files), style=style)


def parse(text: str, **options: object) -> object:
    return parse_yaml(text, lambda line: ("t.yaml", line + 1), **options)


def test_timeloop_style_takes_the_first_of_equal_keys(tmp_path: Path) -> None:
    document = load(
        tmp_path, "mapper: {timeout: 1}\n", "mapper: {timeout: 2}\nproblem: {}\n", style="timeloop"
    )
    assert document.data == {"mapper": {"timeout": 1}, "problem": {}}


def test_timeloop_style_keeps_the_first_key_inside_maps_too(tmp_path: Path) -> None:
    assert load(tmp_path, "a: {b: 1, b: 2}", style="timeloop").data == {"a": {"b": 1}}


def test_timeloop_style_shares_anchors_between_files(tmp_path: Path) -> None:
    document = load(tmp_path, "a: &x {b: 1}", "c: *x", style="timeloop")
    assert document.data == {"a": {"b": 1}, "c": {"b": 1}}
    assert document.at("c", "b").origin.line == 1


def test_timeloop_style_reads_hyphens_of_known_keys_as_underscores(tmp_path: Path) -> None:
    text = "mapper: {victory-condition: 3, my-own-key: 1}\narch: {word-bits: 8, energy-per-ingress: 1}"
    document = load(tmp_path, text, style="timeloop")
    assert document.data["mapper"] == {"victory_condition": 3, "my-own-key": 1}
    assert document.data["arch"] == {"word_bits": 8, "energy-per-ingress": 1}


def test_front_end_style_combines_maps_and_appends_lists(tmp_path: Path) -> None:
    document = load(tmp_path, "a: {b: 1, l: [1]}", "a: {c: 2, l: [2], b: 1}\nd: 3", style="frontend")
    assert document.data == {"a": {"b": 1, "l": [1, 2], "c": 2}, "d": 3}
    assert document.at("a", "l", 1).origin.file.endswith("file1.yaml")


def test_front_end_style_refuses_contradictions(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"file1\.yaml:1: a\.b: two files give different values") as caught:
        load(tmp_path, "a: {b: 1}", "a: {b: 2}", style="frontend")
    assert "file0.yaml:1" in str(caught.value)


def test_front_end_style_drops_keys_to_be_ignored(tmp_path: Path) -> None:
    document = load(tmp_path, "base_ignore: &b {x: 1}\nproblem: {<<: *b, y: 2}", style="frontend")
    assert document.data == {"problem": {"x": 1, "y": 2}}


def test_front_end_style_refuses_duplicate_keys(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="occurs twice"):
        load(tmp_path, "a: {b: 1, b: 1}", style="frontend")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("architecture: {nodes: []}\na: {b: 1}", "frontend"),
        ("architecture: {subtree: []}\na: {b: 1}", "timeloop"),
        ("x: {{ 1 }}\na: {b: 1}", "frontend"),
        ("nodes: 3\na: {b: 1}", "timeloop"),
    ],
)
def test_auto_style(tmp_path: Path, text: str, expected: str) -> None:
    combined = load(tmp_path, text, "a: {c: 1}").data["a"] == {"b": 1, "c": 1}
    assert combined is (expected == "frontend")


def test_deep_merge_key_overrides_single_entries(tmp_path: Path) -> None:
    text = "base_ignore: &b {instance: {N: 1, C: 1}, shape: {d: [1]}}\np:\n  <<<: *b\n  instance: {C: 5}\nq: {{1}}"
    assert load(tmp_path, text).data["p"] == {"instance": {"N": 1, "C": 5}, "shape": {"d": [1]}}


def test_merge_key_takes_lists_and_keeps_own_values() -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {x: 2, z: 2}\nc: {<<: [*a, *b], z: 3}"
    value = parse(text)
    assert isinstance(value, dict)
    assert value["c"] == {"x": 1, "y": 1, "z": 3}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-9", 1e-9),
        ("1.5e3", 1500.0),
        (".5", 0.5),
        ("12", 12),
        ("-3", -3),
        ("0x10", 16),
        ("0o17", 15),
        ("true", True),
        ("yes", "yes"),
        ("N", "N"),
        ("1_000", "1_000"),
        ("~", None),
        ("'12'", "12"),
        ("|\n  12", "12"),
        ("9" * 101, "9" * 101),
        ("!!str 12", "12"),
        ("!!float 12", 12.0),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    parsed = parse(f"a: {text}")
    assert isinstance(parsed, dict)
    assert parsed["a"] == value
    assert type(parsed["a"]) is type(value) or isinstance(parsed["a"], Quoted)


_TEXT = st.text(st.characters(max_codepoint=0x2FFF).filter(str.isprintable), max_size=20)
_NUMBERS = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
_PLAIN = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(_PLAIN)
def test_json_is_read_as_it_is_meant(value: object) -> None:
    keys = repr(value)
    if "<<" in keys:
        return  # a merge key means something else in YAML
    assert parse(json.dumps(value, ensure_ascii=False)) == value


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80))
def test_any_text_gives_a_value_or_an_error(text: str) -> None:
    try:
        parse(text)
    except SpecError as error:
        assert "t.yaml" in str(error)


def test_quoting_is_remembered() -> None:
    parsed = parse("a: '45nm'\nb: 45nm\nc: \"x\"")
    assert isinstance(parsed, dict)
    assert [isinstance(parsed[key], Quoted) for key in "abc"] == [True, False, True]


def test_origins_name_file_line_and_key_path(tmp_path: Path) -> None:
    document = load(tmp_path, "# first\n\narchitecture:\n  nodes:\n  - !Component\n    name: a\n")
    node = document.root().child("architecture").child("nodes").child(0).child("name")
    with pytest.raises(SpecError, match=r"file0\.yaml:6: architecture\.nodes\[0\]\.name: wrong"):
        node.fail("wrong")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: !!python/object/apply:os.system ['touch owned']", "tag .* is not accepted"),
        ("a: !include x", "tag !include is not accepted"),
        ("a: &x [*x]", "contains itself"),
        ("a: *nowhere", "not defined"),
        ("a: {b: 1", "not valid YAML"),
        ("a: 1\n---\nb: 2", "second YAML document"),
        ("a: " + "[" * 5000, "nested too deeply"),
        ("a: \x01", "not valid YAML"),
        ("? [a, b]\n: 1", "map or list as a key"),
        ("a: {<<: 3}", "<< needs a map"),
        ("[1, 2]", "not a map"),
        ("just text", "not a map"),
    ],
)
def test_hostile_yaml_ends_in_one_clear_error(tmp_path: Path, text: str, message: str) -> None:
    for style in ("timeloop", "frontend"):
        with pytest.raises(SpecError, match=message):
            load(tmp_path, text, style=style)


def test_alias_bomb(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [" + ", ".join([f"*a{i - 1}"] * 9) + "]" for i in range(1, 10)]
    with pytest.raises(SpecError, match="too large"):
        load(tmp_path, "\n".join(lines))


def test_merge_bomb(tmp_path: Path) -> None:
    lines = ["a0: &a0 {x: 1, y: 1}"]
    lines += [f"a{i}: &a{i} {{p: *a{i - 1}, q: *a{i - 1}, r: {{<<<: *a{i - 1}}}}}" for i in range(1, 40)]
    with pytest.raises(SpecError, match="too large"):
        load(tmp_path, "\n".join(lines))


def test_binary_and_foreign_encodings(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff")
    with pytest.raises(SpecError, match="not a text file"):
        load_document([path])
    path.write_bytes("a: ü".encode("utf-16"))
    assert load_document([path]).data == {"a": "ü"}
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert load_document([path]).data == {"a": 1, "b": 2}


def test_huge_files_are_refused_without_reading_them(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    with path.open("wb") as stream:
        stream.truncate(65 << 20)
    with pytest.raises(SpecError, match="too large"):
        load_document([path])


def test_file_names(tmp_path: Path) -> None:
    good = write(tmp_path, a="a: 1")[0]
    (tmp_path / "timeloop-mapper.map.yaml").write_text("mapping: []")
    document = load_document([good, "timeloop-mapper.map.yaml", good])
    assert document.data == {"a": 1}
    assert len(document.notices) == 1
    assert "ignored" in document.notices[0]
    document = load_document([good, tmp_path / "timeloop-mapper.map.yaml", good])
    assert document.data == {"a": 1, "mapping": []}
    with pytest.raises(SpecError, match="not an input file"):
        load_document([tmp_path / "a.txt"])
    with pytest.raises(UnsupportedFeatureError, match="libconfig"):
        load_document([tmp_path / "a.cfg"])
    with pytest.raises(SpecError, match="No such file"):
        load_document([tmp_path / "none.yaml"])
    with pytest.raises(SpecError, match="not a file"):
        folder = tmp_path / "folder.yaml"
        folder.mkdir()
        load_document([folder])
    with pytest.raises(UsageError, match="no input file"):
        load_document([])
    with pytest.raises(UsageError, match="unknown style"):
        load_document([good], style="other")


def test_empty_files_are_empty_documents(tmp_path: Path) -> None:
    assert load(tmp_path, "", "# nothing\n", "a: 1").data == {"a": 1}
