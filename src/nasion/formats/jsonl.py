"""A JSON value per line and picture, each complete in itself but for the points' names, which the scheme's name stands for."""

from __future__ import annotations

import json
from collections.abc import Sequence

from nasion.formats import Found
from nasion.formats.json import picture_value

ENDING = ".jsonl"


def line(picture: Found) -> str:
    """The picture's line, with its end."""
    scheme = picture.faces[0].scheme.name if picture.faces else None
    return json.dumps({"scheme": scheme, **picture_value(picture)}) + "\n"


def text(found: Sequence[Found]) -> str:
    return "".join(map(line, found))
