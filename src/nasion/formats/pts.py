"""A ``.pts`` file per face, as iBUG's: pixels counted from 1. The first face has the picture's name, others a number behind it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nasion.files import write_text
from nasion.formats import Found


def write(found: Sequence[Found], folder: Path) -> None:
    for picture in found:
        for number, face in enumerate(picture.faces, start=1):
            lines = [f"{x + 1:.3f} {y + 1:.3f}" for x, y in face.points.tolist()]
            text = "\n".join(["version: 1", f"n_points:  {len(lines)}", "{", *lines, "}"]) + "\n"
            write_text(folder / f"{picture.stem}{f'-{number}' if number > 1 else ''}.pts", text)
