"""Changes to a file: by bytes, by lines and numbers of text, and by values of JSON.

All are drawn from a NumPy generator, so a case is known by its seed.
"""

import json
import re
from dataclasses import dataclass

import numpy as np

# What no reader may take for a number.
NOT_NUMBERS = ("1_0", "١٢", "inf", "-Infinity", "0x10", "1e", "--1", "½", "1 0")
_ODD_TEXT = (
    *NOT_NUMBERS, "1e39", "-1e39", "nan", "-1", "0", "", "1e308", "9" * 400, "a" * 300, "../a",
    "\0", "\ufeff", '"', "'", "\r", "\n", "\r\r\n", ",", ";", "\t", "{", "}", "[" * 3000, "<a>",
    "&b;", "null", "true", "\ud7ff", "é", "\x85", "\u2028", "#2",
)  # fmt: skip
_ODD_VALUES = (
    None, True, False, 0, -1, 7, 2.5, -2.5, 1e39, 10**400, float("nan"), float("inf"), "", "x",
    "1_0", "a" * 300, "a\0b", "\ud800", [], {}, [[]], [1], {"a": 1}, [None], ["x"], [[1, 2]],
    {"class": "Adam"},    {"function": "main"}, {"class": "Recipe"}, {"class": []},
)  # fmt: skip
# A number that stands alone: not part of a name such as p0_x, 1.jpg, "nose@4 points" or WFLW's
# folder 0--Parade, which any file system may have as ½--Parade.
_NUMBER = re.compile(r"(?<![\w.#/@\"-])-?\d+(?:\.\d+)?(?:e-?\d+)?(?![\w./-])")
_JSON_DEPTHS = (50, 800, 5000)


@dataclass(frozen=True)
class Mutation:
    """``data``: the changed file. ``must_not_count``: what was put in has no meaning.

    A reader may refuse such a file, or read it as if it were unchanged; it may not use the value.
    """

    data: bytes
    what: str
    must_not_count: bool = False


def mutate(data: bytes, kind: str, rng: np.random.Generator) -> Mutation:
    """A changed file. ``kind``: ``bytes``, ``text`` or ``json``, what the file holds."""
    ways = {"bytes": (_bytes,), "text": (_bytes, _lines, _token, _not_a_number)}
    ways["json"] = (_bytes, _json_value, _json_value, _json_value, _not_a_number, _json_text)
    return ways[kind][rng.integers(len(ways[kind]))](data, rng)


def _bytes(data: bytes, rng: np.random.Generator) -> Mutation:
    """One to four changes of single bytes or runs of them."""
    changed = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        at = int(rng.integers(len(changed) + 1))
        run = int(rng.integers(1, 9)) if rng.random() < 0.7 else int(rng.integers(1, 2000))
        way = rng.integers(7)
        if way == 0 and at < len(changed):
            changed[at] ^= 1 << int(rng.integers(8))
        elif way == 1:
            changed[at : at + run] = rng.integers(0, 256, min(run, 64), dtype=np.uint8).tobytes()
        elif way == 2:
            del changed[at : at + run]
        elif way == 3:
            changed[at:at] = changed[at : at + run]
        elif way == 4:
            odd = _ODD_TEXT[rng.integers(len(_ODD_TEXT))]
            changed[at:at] = odd.encode()
        elif way == 5 and rng.random() < 0.3:
            del changed[at:]
        elif way == 6:
            other = int(rng.integers(len(changed) + 1))
            changed[at : at + run] = changed[other : other + run]
    return Mutation(bytes(changed), "bytes")


def _lines(data: bytes, rng: np.random.Generator) -> Mutation:
    """Lines twice, left out, swapped; other line ends and encodings."""
    lines = data.split(b"\n")
    i, j = rng.integers(len(lines), size=2).tolist()
    way = int(rng.integers(6))
    if way == 0:
        lines.insert(i, lines[j])
    elif way == 1:
        del lines[i]
    elif way == 2:
        lines[i], lines[j] = lines[j], lines[i]
    elif way == 3:
        end = (b"\r", b"\r\n", b"\r\r\n", b"\n\n", b" \n")[rng.integers(5)]
        return Mutation(end.join(lines), "line ends")
    elif way == 4:
        name = ("utf-16", "utf-8-sig", "utf-16-le", "utf-32", "cp500")[rng.integers(5)]
        return Mutation(data.decode("utf-8", "replace").encode(name, "replace"), name)
    else:
        # Columns: a cell twice, or one less.
        cells = lines[i].split(b",")
        at = int(rng.integers(len(cells)))
        cells[at : at + 1] = [cells[at]] * int(rng.integers(0, 3))
        lines[i] = b",".join(cells)
    return Mutation(b"\n".join(lines), "lines")


def _token(data: bytes, rng: np.random.Generator) -> Mutation:
    """A number or a word becomes something odd."""
    text = data.decode("utf-8", "replace")
    tokens = list(re.finditer(r"[\w.]+", text))
    if not tokens:
        return _bytes(data, rng)
    token, odd = tokens[rng.integers(len(tokens))], _ODD_TEXT[rng.integers(len(_ODD_TEXT))]
    return Mutation(_replaced(text, token, odd), f"{token[0]!r} -> {odd[:20]!r}")


def _not_a_number(data: bytes, rng: np.random.Generator) -> Mutation:
    text = data.decode("utf-8", "replace")
    tokens = list(_NUMBER.finditer(text))
    if not tokens:
        return _bytes(data, rng)
    token, odd = tokens[rng.integers(len(tokens))], NOT_NUMBERS[rng.integers(len(NOT_NUMBERS))]
    return Mutation(_replaced(text, token, odd), f"{token[0]!r} -> {odd!r}", must_not_count=True)


def _replaced(text: str, token: re.Match[str], odd: str) -> bytes:
    return (text[: token.start()] + odd + text[token.end() :]).encode("utf-8", "replace")


def _json_value(data: bytes, rng: np.random.Generator) -> Mutation:
    """A value becomes another one, or a key or an element goes."""
    root = [json.loads(line) for line in data.splitlines()] if b"}\n{" in data else json.loads(data)
    places = list(_places(root))
    holder, key = places[rng.integers(len(places))] if places else ([root], 0)
    if rng.random() < 0.2:
        del holder[key]
        what = f"without {key}"
    else:
        odd = _ODD_VALUES[rng.integers(len(_ODD_VALUES))]
        holder[key] = odd
        what = f"{key} = {str(odd)[:20]!r}" if odd != 10**400 else f"{key} = 10**400"
    if b"}\n{" in data:
        return Mutation("\n".join(map(json.dumps, root)).encode(), what)
    return Mutation(json.dumps(root).encode(), what)


def _json_text(data: bytes, rng: np.random.Generator) -> Mutation:
    """What ``json.dumps`` does not write: a key twice, values nested deeply, blank lines."""
    text = data.decode()
    way = int(rng.integers(3))
    if way == 0:
        keys = list(re.finditer(r'"\w+": ', text))
        if keys:
            key = keys[rng.integers(len(keys))]
            odd = json.dumps(_ODD_VALUES[rng.integers(7)])
            twice = f"{text[: key.start()]}{key[0]}{odd}, {text[key.start() :]}"
            return Mutation(twice.encode(), f"{key[0]} twice", must_not_count=True)
    if way == 1:
        depth = _JSON_DEPTHS[rng.integers(len(_JSON_DEPTHS))]
        numbers = list(_NUMBER.finditer(text))
        if numbers:
            token = numbers[rng.integers(len(numbers))]
            return Mutation(_replaced(text, token, "[" * depth + "]" * depth), f"depth {depth}")
    return Mutation(text.replace("\n", "\n\n").encode(), "blank lines")


def _places(value: object) -> list[tuple[object, object]]:
    """(holder, key) of every value in lists and objects."""
    found: list[tuple[object, object]] = []
    pending = [value]
    while pending:
        holder = pending.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        for key in keys:
            found.append((holder, key))
            if isinstance(holder[key], (dict, list)):
                pending.append(holder[key])
    return found
