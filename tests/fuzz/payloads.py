"""Hostile values: numbers, expressions, templates, tags and YAML tricks."""

NUMBERS = (
    "0", "-1", "1", "2.5", "1e-9", "1e999", "-1e999", ".nan", ".inf", "-.inf", "9" * 18, "9" * 19, "9" * 40, "9" * 5000,
    "0x7fffffffffffffff", "0o17", "007", "1_000", "+3", "1e5", "4294967296", "18446744073709551616", "-2147483649",
)  # fmt: skip
WORDS = (
    "null", "~", "true", "no", "''", '"\\0"', "hello", '"hello world"', "hello world", "'*'", "*", "&a 3", "🙂", "\\",
    "Weights", "DRAM", "M=1", "[M=1, M=2]", "C<=4,C>=8", "M=M", "N=0", "MNK", "M M", "_", "all", "RF[0..3]", "x[3..1]",
    "x[0..99999999999999999999]", "x[1..1e9]", "[]", "{}", "[[[]]]", "{a: {a: {a: {}}}}", "- - - 1", "a: b", "? [a]\n: 1",
    "inter_pe_spatial", "read", "random_pruned", "edp", "accesses-99", "accesses--1", "cnn_layer", "../../etc/passwd",
)  # fmt: skip
EXPRESSIONS = (
    "1/0", "2**99999999", "9**9**9**9", "'a'*10**9", "[0]*10**12", "(1).__class__.__mro__", "__import__('os').system('id')",
    "().__class__.__bases__[0].__subclasses__()", "open('/tmp/x','w')", "exec('1')", "lambda: 0", "(lambda: 0)()",
    "max(1, ceil(log2(depth)))", "depth", "width / depth", "DRAM.attributes['depth']", "mac.attributes.width", "factorial(10**9)",
    "[x for x in range(10**9)]", "sum(range(9999) for x in range(9999))", "(" * 500 + "1" + ")" * 500, "-" * 2000 + "1",
    "not " * 900 + "1", "math.sqrt(-1)", "log2(0)", "int('9'*9999)", "1 if", "0x", "f'{x}'", "max", "DRAM", "a if b else c",
    "1 << 10**9", "comb(10**6, 5)", "round(1, 10**9)", "'%s' % 1", "{}[1]", "[][0]", "None", "True", "min()", "1 @ 2", "x := 1",
)  # fmt: skip
TEMPLATES = (
    "{{ 1 }}", "{{ x }}", "{{ 7 * 'a' * 10**9 }}", "{% for i in range(10**9) %}a{% endfor %}", "{{ ''.__class__.__mro__ }}",
    "{{ self.__init__.__globals__ }}", "{{ cycler.__init__.__globals__.os.popen('id') }}", "{{ include('x.yaml') }}",
    "{{ include_text('/etc/passwd') }}", "{{ include_text('../../../../etc/hosts') }}", "{% include 'x' %}", "{% import 'x' as y %}",
    "{{ range(99999) | list | string }}", "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{{ 'a' | center(10**9) }}", "{{ 'a'.replace('', 'b' * 1000).replace('b', 'c' * 100000) }}", "{{ 2 ** 10 ** 9 }}", "{{",
    "{% macro f(n) %}{{ f(n - 1) }}{{ f(n - 1) }}{% endmacro %}{{ f(99) }}", "{% if %}", "{# c", "{{ include_all('/*/*/*') }}",
    "{{ include_all('**') }}", "{{ cwd() }}", "{{ add_to_path('/') }}", "{{ find_path('passwd') }}", "{{ path_exists(1) }}",
    "{{ '%999999999d' | format(1) }}", "{{ namespace() }}", "{{ [1, 2] }}", "{{ lipsum() }}", "{{ dict }}", "{{ 1 / 0 }}",
    "{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}",
)  # fmt: skip
TAGS = (
    "!!python/object/apply:os.system ['id']", "!!python/name:os.system", "!!binary aGk=", "!!timestamp 2001-01-01", "!include x",
    "!Component {}", "!Container {name: z}", "!Nothing {name: a}", "!Parallel {}", "!Parallel {nodes: []}", "!Hierarchical {nodes: 3}",
    "!!set {a}", "!!int x", "!!float 3", "!!str 3", "!!null x", "!!map []", "!!seq {}", "!<tag:x> 3", "!!omap [a: 1]", "!Container 3",
)  # fmt: skip
ALIASES = (
    "&a [*a]", "&a {x: *a}", "*nowhere", "{<<: 3}", "{<<: [1]}", "{<<<: *nowhere}", "&a {<<: *a}",
    "[&a [x, x, x, x, x, x, x, x, x], &b [*a, *a, *a, *a, *a, *a, *a, *a, *a], &c [*b, *b, *b, *b, *b, *b, *b, *b, *b], "
    "&d [*c, *c, *c, *c, *c, *c, *c, *c, *c], &e [*d, *d, *d, *d, *d, *d, *d, *d, *d], &f [*e, *e, *e, *e, *e, *e, *e, *e], "
    "[*f, *f, *f, *f, *f, *f, *f, *f, *f]]",
    "{? *a : 1}", "{<<: &m {p: 1}, <<: *m}",
)  # fmt: skip
ALL = (*NUMBERS, *WORDS, *EXPRESSIONS, *TEMPLATES, *TAGS, *ALIASES)
