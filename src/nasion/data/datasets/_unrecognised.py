"""Why a path is no dataset: what was looked for, what is there, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nasion.data.datasets._label_files import JSON, LABEL_SUFFIXES, TABLES, XML, label_folder
from nasion.data.datasets._table_header import read_first_line, why_no_points
from nasion.discovery import DATASETS
from nasion.errors import DataError

# Why a folder with such files is none of a set, since the files are given by their folder.
_OF_FOLDERS = {
    ".asf": "IMM's .asf files are named as 01-1m.asf, by person, view and gender",
    ".mat": "labels in .mat files are of images with the same name (.jpg, .png) beside them",
    ".yaml": "a YOLO pose dataset has one YAML file with kpt_shape",
    ".txt": "of labels in .txt files CFP's, HELEN's, LaPa's and MTFL's are read, in the folders "
    "that these sets have, and YOLO's by their data.yaml",
}
_SHOWN = 3  # names in a message
_LOOKED_AT = 20  # files of a folder


def why_unrecognised(path: Path) -> str:
    """A sentence's end without its full stop, as "the file is empty"."""
    if path.is_dir():
        return _why_no_folder(path)
    suffix = path.suffix.lower()
    try:
        if path.stat().st_size == 0:
            return "the file is empty"
        if suffix in TABLES:
            return why_no_points(read_first_line(path))
    except (OSError, DataError) as error:
        return f"it cannot be read ({error})"
    if suffix in JSON:
        return (
            "COCO's images, annotations and keypoints, the keys of LabelMe and Label Studio, or "
            "the images and faces that nasion writes, were looked for, and are not in it"
        )
    if suffix in XML:
        return "imglab's <dataset> or CVAT's <annotations> is not at its beginning"
    if suffix in (".pts", ".tem", ".asf", ".mat"):
        return f"a {suffix} file is given by its folder"
    return f"files of labels end in {', '.join(LABEL_SUFFIXES)}"


def _why_no_folder(folder: Path) -> str:
    labels = label_folder(folder)
    files = sorted(each for each in labels.iterdir() if each.suffix.lower() in LABEL_SUFFIXES)
    readable = next((each for each in files[:_LOOKED_AT] if _is_recognised(each)), None)
    if readable is not None:
        return f"it holds {_some(files)}; give the path of one of them, as {readable}"
    reason = _OF_FOLDERS.get(files[0].suffix.lower()) if files else None
    if files and reason is not None:
        return f"it holds {_some(files)}; {reason}"
    if files:
        more = f" ({_some(files)})" if files[1:] else ""
        return f"of its files of labels{more}, {files[0].name}: {why_unrecognised(files[0])}"
    inside = sorted(each for each in folder.iterdir() if each.is_dir())
    looked = f"files of labels ({', '.join(LABEL_SUFFIXES)}) were looked for in it"
    return f"{looked}; found only folders ({_some(inside)})" if inside else f"{looked}; found none"


def _is_recognised(file: Path) -> bool:
    return any(DATASETS.load(name).recognises(file) for name in DATASETS.names())


def _some(paths: Sequence[Path]) -> str:
    names = ", ".join(each.name for each in paths[:_SHOWN])
    return names if len(paths) <= _SHOWN else f"{names} and {len(paths) - _SHOWN} more"
