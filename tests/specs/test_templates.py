"""Jinja2 files: the include functions, origins, and the sandbox."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from timeloop_marl.errors import SpecError
from timeloop_marl.specs.document import Document, Origin
from timeloop_marl.specs.loading import load_document


def load(folder: Path, text: str, jinja_data: dict[str, Any] | None = None, **files: str) -> Document:
    for name, content in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".yaml").write_text(content)
    top = folder / "top.yaml.jinja2"
    top.write_text(text)
    return load_document([top], jinja_data=jinja_data)


def test_variables_and_statements(tmp_path: Path) -> None:
    text = "a: {{ n * 2 }}\n"
    text += "{% if wide %}b: 1{% else %}b: 0{% endif %}\nl:\n{% for i in range(3) %}- {{ i }}\n{% endfor %}"
    assert load(tmp_path, text, {"n": 4, "wide": True}).data == {"a": 8, "b": 1, "l": [0, 1, 2]}


def test_an_unknown_variable_is_an_error_unless_it_has_a_default(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"top\.yaml\.jinja2:2: template error: 'n' is undefined") as caught:
        load(tmp_path, "a: 1\nb: {{ n }}")
    assert "jinja_data" in str(caught.value)
    assert load(tmp_path, "b: {{ n | default(3) }}\nc: {% if n %}1{% else %}2{% endif %}").data == {
        "b": 3,
        "c": 2,
    }


def test_include_takes_a_value_with_its_origin(tmp_path: Path) -> None:
    document = load(
        tmp_path,
        "a: {{ include('part/x.yaml', 'p.q') }}\n",
        part__x="p:\n  q:\n    r: '45nm'\n    s: [1, 2]\n",
    )
    assert document.data == {"a": {"r": "45nm", "s": [1, 2]}}
    assert document.at("a", "s").origin == Origin(str(tmp_path / "part/x.yaml"), 4, ("p", "q", "s"))


def test_included_scalars_are_values_of_the_template(tmp_path: Path) -> None:
    assert load(tmp_path, "a: {{ include('x.yaml', 'n') + 1 }}", x="n: 4").data == {"a": 5}


def test_include_keeps_tags(tmp_path: Path) -> None:
    document = load(tmp_path, "a: {{ include('x.yaml', 'n') }}", x="n: [!Component {name: b}]")
    assert document.data["a"][0].tag == "!Component"


def test_include_text_shares_anchors_and_keeps_lines(tmp_path: Path) -> None:
    text = "{{ include_text('../base.yaml') }}\nproblem:\n  <<<: *base\n  instance: {C: 3}\n"
    (tmp_path / "base.yaml").write_text("x_ignore: &base\n  instance:\n    N: 1\n    C: 1\n")
    (tmp_path / "layers").mkdir()
    document = load(tmp_path / "layers", text)
    assert document.data == {"problem": {"instance": {"N": 1, "C": 3}}}
    assert document.at("problem", "instance", "C").origin.line == 4
    assert document.at("problem", "instance", "N").origin.line == 3
    assert document.at("problem", "instance", "N").origin.file.endswith("base.yaml")


def test_include_all_joins_lists(tmp_path: Path) -> None:
    document = load(
        tmp_path, "c: {{ include_all('p/*.yaml', 'k.l') }}", p__b="k: {l: [2]}", p__a="k: {l: [1]}"
    )
    assert document.data == {"c": [1, 2]}


def test_paths(tmp_path: Path) -> None:
    text = (
        "{{ add_to_path('deep/er') }}a: {{ include('x.yaml', 'v') }}\n"
        "b: '{{ cwd() }}'\nc: {{ path_exists('x.yaml') }}\n"
        "d: {{ path_exists('y.yaml') }}\ne: '{{ find_path('x.yaml') }}'"
    )
    data = load(tmp_path, text, deep__er__x="v: 7").data
    assert data["a"] == 7
    assert data["b"] == str(tmp_path)
    assert (data["c"], data["d"]) == (True, False)
    assert Path(data["e"]) == tmp_path / "deep/er/x.yaml"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: {{ include('none.yaml') }}", "not found"),
        ("a: {{ include('x.yaml', 'n.mm') }}", "did you mean 'm'"),
        ("a: {{ include('top.yaml.jinja2', 'a') }}", "includes itself"),
        ("a: {{ include_text('/etc/passwd') }}", "must not be included"),
        ("a: {{ include_text('link.yaml') }}", "must not be included"),
        ("a: {{ include_all('**/*.yaml') }}", "too wide"),
        ("a: {{ include_all('q*.yaml') }}", "no file matches"),
        ("a: {{ include(3) }}", "not a file name"),
        ("a: {% if %}", "template error"),
        ("a: {{ 1 / 0 }}", "division by zero"),
        ("a: {% include 'x.yaml' %}", "template error"),
        ("a: {{ [1e999, cwd()] }}", "template error: name 'inf' is not defined"),
    ],
)
def test_errors_are_clear(tmp_path: Path, text: str, message: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s: 1")
    (tmp_path / "link.yaml").symlink_to(secret)
    with pytest.raises(SpecError, match=message):
        load(tmp_path, text, x="n: {m: 1}")


@pytest.mark.parametrize(
    "payload",
    [
        "''.__class__.__mro__[1].__subclasses__()",
        "include.__globals__",
        "self.__init__.__globals__",
        "namespace.__init__.__globals__",
        "''.join(['a'])",
        "'{0.__class__}'.format(1)",
        "('%s' % 1)",
        "'a' * 10**9",
        "[0] * 10**9",
        "2 ** (10 ** 8)",
        "range(10**9) | list",
        "'a' | center(10**9)",
        "('a' * 1000000).replace('a', 'b' * 1000)",
        "[('a' * 1000000)] * 1000 | join",
        "lipsum(9999)",
        "cycler.__init__",
        "'a' | attr('__class__')",
        "([('a' * 1000000)] * 4000) | map('upper') | list | length",
        "(range(99999) | map('replace', '', 'b' * 1000000) | list | length)",
        "([[0]] * 1000) | sum(start=[])",
        "()|attr('__class__')",
        "([range(100000)] * 1000000) | map('max') | list | length",
        "([range(100000)] * 2000) | map('list') | list",
    ],
)
def test_the_sandbox_holds(tmp_path: Path, payload: str) -> None:
    started = time.monotonic()
    with pytest.raises(SpecError, match="template error"):
        load(tmp_path, f"a: {{{{ {payload} }}}}")
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    "text",
    [
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{% macro f(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(1) }}",
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
        "{% set n = namespace(x='ab') %}{% for i in range(90) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
        "{% set n = namespace(x=[1]) %}{% for i in range(90) %}{% set n.x = n.x + n.x %}{% endfor %}",
        "{% set x %}{% for i in range(99999) %}" + "# long text here\n" * 100 + "{% endfor %}{% endset %}",
        "a: {{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
        "{{ include_text('loop.yaml') }}",
    ],
)
def test_endless_templates_end(tmp_path: Path, text: str) -> None:
    started = time.monotonic()
    with pytest.raises(SpecError):
        load(tmp_path, text, loop="{{ include_text('loop2.yaml') }}", loop2="{{ include_text('loop.yaml') }}")
    assert time.monotonic() - started < 15


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: {{ include('x.yaml', 'n').replace('\"0\"', '\"9\"') }}", "changed by the template"),
        ("a: '{{ include('x.yaml', 'n') }}'", "inside other text"),
        ("a: x {{ include('x.yaml', 'n') }}", "inside other text"),
    ],
)
def test_includes_are_whole_values(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        load(tmp_path, text, x="n: {m: 1}")


def test_templates_in_comments_of_plain_files_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "plain.yaml"
    path.write_text("# write {{ n }} here\na: 1\na: 2\n")
    assert load_document([path]).data == {"a": 1}


def test_plain_text_that_looks_like_a_line_mark_is_kept(tmp_path: Path) -> None:
    assert load(tmp_path, 'a: {{ 1 }}\nb: "x\ue00099.1\ue001y"').data["a"] == 1


def test_templates_read_only_near_the_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    far, near = tmp_path / "far", tmp_path / "near" / "design"
    far.mkdir()
    (far / "x.yaml").write_text("n: 4")
    near.mkdir(parents=True)
    text = f"a: {{{{ include('{far}/x.yaml', 'n') }}}}"
    with pytest.raises(SpecError, match=r"lies elsewhere than the input(.|\n)*--allow-path .*far"):
        load(near, text)
    monkeypatch.setenv("TIMELOOP_MARL_ALLOW_PATH", str(far))
    assert load(near, text).data == {"a": 4}
    (near.parent / "y.yaml").write_text("n: 5")  # as public layers have it: one folder up
    assert load(near, "a: {{ include('../y.yaml', 'n') }}").data == {"a": 5}
