"""Datasets and label formats, one file each, found by file name (``discovery.DATASETS``).

Each file has ``SCHEME`` (None: a format for any scheme), ``SPLITS`` (``"all"`` first),
``recognises(path)`` and ``read(path, split, scheme=, faults=) -> Faces``. It may have
``splits(path)``, those of its splits that are there; ``files(path, split)``, the files that it
reads, so that they are cached; ``POOL``, the split that ``train`` and ``val`` are sides of, if the
dataset holds test faces back; ``stated_sizes(path)``, the images' sizes (width, height) by the
images' names as the labels' file states them; ``PIXEL_ORIGIN``, what its files call the centre of
the first pixel (else 0), or ``pixel_origin(path)`` where that depends on the file; ``IMAGE_SIDE``,
1 or 100, if its numbers are fractions or percent of the image; and ``WHOLE_IMAGES = True`` if its
images are crops of one face (else faces without a box are cropped around their points).

A format that can be written has ``write_labels(faces, folder) -> Path``, what to read again;
``IMAGE_FOLDER``, where below the folder the images lie that the faces name; ``KEEPS``, what it
holds beside points (``occluded``, ``boxes``, ``edges``); and ``PRECISION`` in pixels if it rounds.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from nasion.data.datasets import _pictures
from nasion.data.datasets._unrecognised import why_unrecognised
from nasion.discovery import DATASETS
from nasion.errors import SettingError

PICTURES: ModuleType = _pictures  # folders without labels, whose faces are in change lists


def recognise(path: Path) -> str:
    """The name of the dataset at this path.

    A published dataset's own reader knows more than a reader for any scheme, so it is preferred.
    ``pictures`` is a folder without labels whose faces are in a change list beside it.
    Raises ``SettingError`` if none recognises the path, or several of the same kind do.
    """
    found = [name for name in DATASETS.names() if DATASETS.load(name).recognises(path)]
    own = [name for name in found if DATASETS.load(name).SCHEME is not None]
    candidates = own or found
    if not candidates and _pictures.recognises(path):
        return _pictures.NAME
    if not candidates and not path.exists():
        raise SettingError(
            f"{path} is not a dataset that nasion recognises: there is no such file or folder."
        )
    if not candidates:
        raise SettingError(
            f"{path} is not a dataset that nasion recognises: {why_unrecognised(path)}. If it is "
            f"one of another name, give its kind with --dataset ({', '.join(DATASETS.names())})."
        )
    if len(candidates) > 1:
        raise SettingError(
            f"{path} looks like several datasets ({', '.join(candidates)}); "
            "name the right one with --dataset."
        )
    return candidates[0]


def module_at(path: str | Path, name: str | None = None) -> ModuleType:
    """The reader of the data at this path, by its name or as it is recognised."""
    name = name or recognise(Path(path))
    return _pictures if name == _pictures.NAME else DATASETS.load(name)


def splits_of(module: ModuleType, path: str | Path) -> tuple[str, ...]:
    """The splits of the dataset at this path: those of its kind's that are there."""
    return module.splits(Path(path)) if hasattr(module, "splits") else module.SPLITS
