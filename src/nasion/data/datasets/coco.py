"""COCO keypoints: a JSON file of images, annotations, and a category that names the points.

Visibility 0 is not labelled, 1 occluded, 2 visible; ``bbox`` is the face's box. nasion's own
predictions in this format are read as well. Images lie beside the file or in a folder beside it.
"""

from __future__ import annotations

from pathlib import Path

from nasion.data.datasets._coco_document import read_annotations
from nasion.data.datasets._face_records import faces_of, has_keys, meant_scheme, read_text_document
from nasion.data.record_faults import Faults
from nasion.errors import SettingError
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme

SCHEME = None
SPLITS = ("all",)


def recognises(root: Path) -> bool:
    """True for a JSON file of annotations with keypoints, or a folder with one such."""
    if root.is_dir():
        files = list(root.glob("*.json"))
        return len(files) == 1 and recognises(files[0])
    is_file = root.is_file() and root.suffix.lower() == ".json"
    return is_file and has_keys(root, "images", "annotations", "keypoints", "image_id")


def read(
    root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None
) -> Faces:
    """The annotated faces. Group: photograph (linked), if an image has several faces.

    ``scheme``: what points mean that the file does not name or only numbers.
    """
    if split not in SPLITS:
        raise SettingError(f"No split {split!r} in a COCO file; it has {', '.join(SPLITS)}.")
    root = next(root.glob("*.json"), root) if root.is_dir() else root
    own, records = read_annotations(read_text_document(root), scheme, faults)
    return faces_of(records, meant_scheme(own, scheme, root), root, faults)
