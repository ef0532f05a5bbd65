"""Faces that nasion predict wrote as JSON or JSON lines, as labels.

Correct them by hand, or train a small network on a large one's points. Images lie beside the file
or in a folder beside it.
"""

from __future__ import annotations

from pathlib import Path

from nasion.data.datasets._face_records import faces_of, has_keys, meant_scheme
from nasion.data.datasets._predicted_json import read_json, read_json_lines
from nasion.data.record_faults import Faults
from nasion.errors import SettingError
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme

SCHEME = None
SPLITS = ("all",)


def recognises(root: Path) -> bool:
    """True for a file that predict wrote, or a folder with one such."""
    if root.is_dir():
        files = [*root.glob("*.json"), *root.glob("*.jsonl")]
        return len(files) == 1 and recognises(files[0])
    if not root.is_file():
        return False
    suffix = root.suffix.lower()
    if suffix == ".jsonl":
        return has_keys(root, "image", "faces", "points")
    return suffix == ".json" and has_keys(root, "point_names", "images", "faces", "points")


def read(
    root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None
) -> Faces:
    """All faces. Group: photograph (linked), if an image has several faces.

    ``scheme``: what points mean that the file does not name or only numbers.
    """
    if split not in SPLITS:
        raise SettingError(f"No split {split!r} in nasion's JSON; it has {', '.join(SPLITS)}.")
    if root.is_dir():
        root = next(iter([*root.glob("*.json"), *root.glob("*.jsonl")]), root)
    own, records = (read_json_lines if root.suffix.lower() == ".jsonl" else read_json)(root, scheme)
    return faces_of(records, meant_scheme(own, scheme, root), root, faults)
