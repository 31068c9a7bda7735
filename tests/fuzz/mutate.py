"""Mutations of input files: of bytes, of lines, of scalars in the text, and of the YAML tree."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

import yaml

from . import payloads

_SCALAR = re.compile(r"(?<=: )[^\s{\[,#&*!|>][^,}\]\n#]*")
_KEY = re.compile(r"\b[A-Za-z_]\w{0,40}(?=:)")
_NUMBER = re.compile(r"\b\d+\b")


def mutate(text: str, rng: random.Random) -> bytes:
    """One to four mutations of a file."""
    for _ in range(rng.choice((1, 1, 1, 1, 2, 2, 3))):
        text = rng.choice(_TEXT_MUTATIONS)(text, rng)
    raw = text.encode("utf-8", "surrogatepass") if rng.random() < 0.995 else text.encode("utf-16")
    return _bytes(raw, rng) if rng.random() < 0.05 else raw


def _bytes(raw: bytes, rng: random.Random) -> bytes:
    data = bytearray(raw)
    for _ in range(rng.randint(1, 8)):
        at = rng.randrange(len(data) + 1)
        choice = rng.randrange(5)
        if choice == 0 and data:
            data[at % len(data)] ^= 1 << rng.randrange(8)
        elif choice == 1:
            data[at:at] = bytes(rng.randrange(256) for _ in range(rng.randint(1, 6)))
        elif choice == 2:
            del data[at : at + rng.randint(1, 40)]
        elif choice == 3:
            data[at:at] = data[at : at + rng.randint(1, 80)]
        else:
            del data[at:]
    return bytes(data)


def _lines(text: str, rng: random.Random) -> str:
    lines = text.split("\n")
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(lines))
        other = rng.randrange(len(lines))
        choice = rng.randrange(5)
        if choice == 0 and len(lines) > 1:
            del lines[at]
        elif choice == 1:
            lines.insert(other, lines[at])
        elif choice == 2:
            lines[at], lines[other] = lines[other], lines[at]
        elif choice == 3:
            lines[at] = " " * rng.randint(1, 4) + lines[at]
        else:
            lines[at] = lines[at][min(len(lines[at]), rng.randint(1, 4)) :]
    return "\n".join(lines)


def _replace(
    pattern: re.Pattern[str], make: Callable[[str, random.Random], str]
) -> Callable[[str, random.Random], str]:
    def mutation(text: str, rng: random.Random) -> str:
        found = list(pattern.finditer(text))
        if not found:
            return text
        hit = rng.choice(found)
        return text[: hit.start()] + make(hit[0], rng) + text[hit.end() :]

    return mutation


def _payload(_: str, rng: random.Random) -> str:
    group = rng.choice(
        (
            payloads.NUMBERS,
            payloads.WORDS,
            payloads.EXPRESSIONS,
            payloads.TEMPLATES,
            payloads.TAGS,
            payloads.ALIASES,
        )
    )
    return rng.choice(group)


def _typo(word: str, rng: random.Random) -> str:
    letters = list(word)
    at = rng.randrange(len(letters))
    choice = rng.randrange(4)
    if choice == 0:
        del letters[at]
    elif choice == 1:
        letters.insert(at, rng.choice("abcxyz_-"))
    elif choice == 2:
        letters[at] = letters[at].swapcase()
    else:
        letters = list(
            rng.choice(
                ("nodes", "subtree", "name", "attributes", "instances", "target", "type", "<<", "version")
            )
        )
    return "".join(letters)


def _insert(text: str, rng: random.Random) -> str:
    lines = text.split("\n")
    lines.insert(rng.randrange(len(lines) + 1), " " * rng.choice((0, 0, 2, 4, 6)) + _payload("", rng))
    return "\n".join(lines)


def _deep(text: str, rng: random.Random) -> str:
    depth = rng.choice((10, 90, 110, 5000))
    opening, closing = rng.choice((("[", "]"), ("{a: ", "}")))
    return _replace(_SCALAR, lambda _, __: opening * depth + closing * depth)(text, rng)


def _long(text: str, rng: random.Random) -> str:
    return _replace(_SCALAR, lambda _, __: rng.choice("x1-([ ") * rng.choice((100, 10_000, 300_000)))(
        text, rng
    )


def _depth(text: str) -> int:
    depth = deepest = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        deepest = max(deepest, depth)
        if deepest > 100:
            break
    return deepest


def _tree(text: str, rng: random.Random) -> str:
    """Mutate the YAML tree and write it anew; text that is no YAML (templates) is left as it is."""
    try:
        # compose() of the C parser overflows the stack on deep nesting: look first
        if _depth(text) > 100:
            return text
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return text
    nodes: list[tuple[list, int | tuple[int, int]]] = []
    pending, seen = [root], set()
    while pending:
        node = pending.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            for index, (key, value) in enumerate(node.value):
                nodes.append((node.value, (index, 1)))
                pending += [key, value]
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                nodes.append((node.value, index))
                pending.append(value)
    if not nodes:
        return text
    for _ in range(rng.randint(1, 3)):
        _change(*rng.choice(nodes), rng)
    try:
        return yaml.serialize(root, Dumper=yaml.SafeDumper, width=100_000)
    except (yaml.YAMLError, RecursionError, TypeError, AttributeError):
        return text


def _scalar_node(rng: random.Random) -> yaml.ScalarNode:
    """A payload that is written without quotes, so that it is read as what it looks like."""
    text = rng.choice((*payloads.NUMBERS, *payloads.WORDS, *payloads.EXPRESSIONS))
    tag = yaml.SafeLoader("").resolve(yaml.ScalarNode, text, (True, False))
    return yaml.ScalarNode(tag, text)


def _change(holder: list, place: int | tuple[int, int], rng: random.Random) -> None:
    index = place if isinstance(place, int) else place[0]
    if index >= len(holder):
        return
    old = holder[index] if isinstance(place, int) else holder[index][1]
    choice = rng.randrange(8)
    new: yaml.Node = _scalar_node(rng)
    if choice == 0:
        new = yaml.SequenceNode("tag:yaml.org,2002:seq", [old] * rng.randint(0, 3))
    elif choice == 1:
        new = yaml.MappingNode(
            "tag:yaml.org,2002:map", [(yaml.ScalarNode("tag:yaml.org,2002:str", "a"), old)]
        )
    elif choice == 2:
        new = yaml.ScalarNode("tag:yaml.org,2002:null", "null")
    elif choice == 3:
        del holder[index]
        return
    elif choice == 4:
        holder.append(holder[index])
        return
    elif choice == 5 and len(holder) > 1:
        other = rng.randrange(len(holder))
        holder[index], holder[other] = holder[other], holder[index]
        return
    elif choice == 6 and isinstance(old, (yaml.MappingNode, yaml.SequenceNode)):
        old.tag = rng.choice(
            ("!Component", "!Container", "!Parallel", "!Nothing", "!x", "tag:yaml.org,2002:map")
        )
        return
    if isinstance(place, int):
        holder[index] = new
    else:
        holder[index] = (holder[index][0], new)


_TEXT_MUTATIONS = (
    _lines,
    _replace(_SCALAR, _payload),
    _replace(_SCALAR, lambda _, rng: rng.choice((*payloads.NUMBERS, *payloads.EXPRESSIONS))),
    _replace(_SCALAR, lambda _, rng: rng.choice(payloads.WORDS)),
    _replace(_NUMBER, lambda _, rng: rng.choice(payloads.NUMBERS)),
    _replace(_NUMBER, lambda _, rng: rng.choice(payloads.NUMBERS)),
    _replace(_KEY, _typo),
    _replace(_KEY, _typo),
    _insert,
    _deep,
    _long,
    _tree,
    _tree,
    _tree,
    _tree,
    _tree,
)
