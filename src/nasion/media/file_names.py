r"""File names as text that any program reads, and back.

On Linux a name is bytes, which need not be UTF-8: Python holds byte 0xFF as the surrogate U+DCFF,
which no UTF-8 file can hold. It is written as ``\udcff``, as Python shows it. A name that looks
like that already gets ``\u005c`` for its backslash, so that each text means one name.
"""

from __future__ import annotations

import re
from pathlib import Path

_SURROGATE = "[dD][89a-fA-F][0-9a-fA-F]{2}"
_LOOKS_ESCAPED = re.compile(rf"\\(?=u(?:{_SURROGATE}|005[cC]))")
_ESCAPED = re.compile(rf"\\u({_SURROGATE}|005[cC])")


def named_path(path: str | Path) -> Path:
    """The path as one with a name, which `.` and `..` are not."""
    found = Path(path)
    return found if found.name not in ("", "..") else found.resolve()


def name_bytes(text: str) -> bytes:
    """Text with file names in it as bytes to hash: UTF-8, also where a name is not."""
    return text.encode("utf-8", "surrogatepass")


def name_as_text(name: str) -> str:
    """A file's name as valid Unicode; most names are that already."""
    escaped = _LOOKS_ESCAPED.sub(r"\\u005c", name)
    return escaped.encode("utf-8", "backslashreplace").decode("utf-8")


def name_from_text(text: str) -> str:
    """The name that ``name_as_text`` wrote."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
