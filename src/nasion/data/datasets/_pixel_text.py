"""Grey values written as text, ``"202 197 0 ..."``, to bytes: look up each token's last characters.

Much faster than converting each token, and exact: what is not 0..255 in plain digits is refused,
never wrapped or guessed.
"""

from __future__ import annotations

import numpy as np

from nasion.array_types import UInt8
from nasion.media.quoted import quoted

_SPACE = ord(" ")
_INVALID = 0


def _key(text: str) -> int:
    # The last character is the highest byte, as in a little-endian word.
    a, b, c = text.encode()
    return a | b << 8 | c << 16


def _table() -> np.ndarray:
    """Value + 1 for each three characters that a token can end with; 0 for what is invalid."""
    # Three characters of 8 bits; values are shifted by 1, since 256 must fit and 0 means invalid.
    table = np.zeros(1 << 24, dtype=np.uint16)  # only the touched pages take memory
    for value in range(256):
        table[_key(f"{value:03d}")] = value + 1
    for value in range(100):
        table[_key(f" {value:02d}")] = value + 1
    for value in range(10):
        # A single digit follows a space, and that the last digit of the token before.
        for before in " 0123456789":
            table[_key(f"{before} {value}")] = value + 1
    return table


_TABLE = _table()


def parse(text: bytes, out: UInt8[np.ndarray, " n"]) -> None:
    """Fill ``out`` from exactly as many numbers. ``ValueError`` says which value is wrong."""
    # Spaces in front so that four bytes precede the end of the first token, and one behind so that
    # the last token ends too.
    padded = b"    " + text.strip(b' "\r') + b" "
    characters = np.frombuffer(padded, dtype=np.uint8)
    # Counted so that the four bytes before the end of a token start at `ends`.
    ends = np.flatnonzero(characters[4:] == _SPACE)
    if len(ends) == len(out):
        shape = (len(padded) - 3,)
        # An overlapping 32-bit word at every byte, without a copy. The word at a token's end is
        # shifted by 8 bits, which drops the first of its four characters.
        windows = np.ndarray(shape, dtype="<u4", buffer=padded, strides=(1,))
        values = _TABLE[windows[ends] >> 8]
        # 1234 would look like 234; tokens are as long as their ends are apart. Doubled spaces end
        # on a space, which the table does not have.
        longest = max(int(ends[0]), int(np.diff(ends).max(initial=1)) - 1)
        if longest <= 3 and values.min() != _INVALID:
            np.subtract(values, 1, out=out, casting="unsafe")
            return
    raise ValueError(_problem(text, len(out)))


def _problem(text: bytes, expected: int) -> str:
    tokens = text.strip(b' "\r').split()
    for i, token in enumerate(tokens):
        if not token.isdigit() or int(token) > 255:
            found = token[:20].decode("ascii", "replace")
            return f"value {i + 1} is {quoted(found)}, a whole number 0 to 255 expected."
    if len(tokens) != expected:
        return f"has {len(tokens)} values, {expected} expected."
    return "has more than one space between two values; one expected."
