"""Why a path is no dataset: what was looked for, what is there, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nasion.data.datasets._table_header import read_first_line, why_no_points
from nasion.discovery import DATASETS
from nasion.errors import DataError

_TABLES, _JSON, _XML = (".csv", ".tsv", ".gz"), (".json", ".jsonl"), (".xml",)
# Files of published sets, and of tools whose labels are in a folder of their own.
_OTHERS = (".pts", ".asf", ".slp", ".yaml", ".tem", ".mat", ".txt")
_LABELS = (*_TABLES, *_JSON, *_XML, *_OTHERS)
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
        if suffix in _TABLES:
            return why_no_points(read_first_line(path))
    except (OSError, DataError) as error:
        return f"it cannot be read ({error})"
    if suffix in _JSON:
        return (
            "COCO's images, annotations and keypoints, the keys of LabelMe and Label Studio, or "
            "the images and faces that nasion writes, were looked for, and are not in it"
        )
    if suffix in _XML:
        return "imglab's <dataset> or CVAT's <annotations> is not at its beginning"
    if suffix == ".pts":
        return "labels in .pts files are given by their folder"
    return f"files of labels end in {', '.join(_LABELS)}"


def _why_no_folder(folder: Path) -> str:
    files = sorted(each for each in folder.iterdir() if each.suffix.lower() in _LABELS)
    readable = next((each for each in files[:_LOOKED_AT] if _is_recognised(each)), None)
    if readable is not None:
        return f"it holds {_some(files)}; give the path of one of them, as {readable}"
    if files:
        more = f" ({_some(files)})" if files[1:] else ""
        return f"of its files of labels{more}, {files[0].name}: {why_unrecognised(files[0])}"
    inside = sorted(each for each in folder.iterdir() if each.is_dir())
    looked = f"files of labels ({', '.join(_LABELS)}) were looked for in it"
    return f"{looked}; found only folders ({_some(inside)})" if inside else f"{looked}; found none"


def _is_recognised(file: Path) -> bool:
    return any(DATASETS.load(name).recognises(file) for name in DATASETS.names())


def _some(paths: Sequence[Path]) -> str:
    names = ", ".join(each.name for each in paths[:_SHOWN])
    return names if len(paths) <= _SHOWN else f"{names} and {len(paths) - _SHOWN} more"
