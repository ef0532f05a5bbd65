"""What is labelled: faces with labels, and pictures without any, at one path."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nasion.data import datasets
from nasion.data.corrections.added_faces import picture_name
from nasion.data.datasets._label_files import images_root
from nasion.data.datasets._pictures import no_faces, scheme_of_list
from nasion.data.label_reading import LabelReading
from nasion.data.load import load_faces
from nasion.data.scheme_beside import scheme_beside
from nasion.discovery import DATASETS
from nasion.errors import SettingError
from nasion.landmarks.faces import Faces, Image
from nasion.landmarks.scheme import Scheme
from nasion.media.drawn_marks import is_drawn
from nasion.media.signatures import IMAGE_SUFFIXES

_OWN_FOLDERS = (".changes", ".audit")  # beside data, with files that nasion wrote


@dataclass(frozen=True, eq=False)
class LabelData:
    """``faces``: those of the labels, as their files have them. ``image_names``: of each.

    ``pictures``: names of pictures without a label, in order; ``images``: all images by name.
    """

    root: Path
    faces: Faces
    image_names: tuple[str, ...]
    pictures: tuple[str, ...]
    images: dict[str, Image] = field(repr=False)
    position: dict[str, int] = field(repr=False)

    @property
    def scheme(self) -> Scheme:
        return self.faces.scheme


def open_data(
    path: str, reading: LabelReading, network_scheme: Scheme, own_list: Path | None = None
) -> LabelData:
    """Labels and pictures at a path. ``own_list``: that is to be written, if it exists already.

    Pictures without labels have the scheme that is asked for, else that of this list, else of other
    lists beside them, else of a ``scheme.toml``, else ``network_scheme``.

    Raises ``DataError`` for faulty labels, ``SettingError`` for a path with nothing to label.
    """
    root = Path(path)
    if _has_labels(root, reading):
        # With the boxes that the files give, which changes are made from.
        faces = load_faces(None, path, scheme=reading.scheme, whole_images=True, reading=reading)
    else:
        known = scheme_beside(root) or network_scheme
        scheme = reading.scheme
        if scheme is None and own_list is not None and own_list.is_file():
            scheme = scheme_of_list(own_list, known)
        # Other people may label other points on the same pictures.
        faces = datasets.PICTURES.read(root, scheme=known) if scheme is None else no_faces(scheme)
    names = tuple(
        picture_name(image, face, root) for image, face in zip(faces.images, faces.ids, strict=True)
    )
    images: dict[str, Image] = dict(zip(names, faces.images, strict=True))
    pictures: list[str] = []
    for name, file in _files(root, faces, names):
        if name not in images:
            images[name] = file
            pictures.append(name)
    if not len(faces) and not pictures:
        raise SettingError(
            f"{path}: no picture that nasion did not draw itself; give a folder of pictures."
        )
    position = {face: i for i, face in enumerate(faces.ids)}
    return LabelData(root, faces, names, tuple(pictures), images, position)


def _has_labels(root: Path, reading: LabelReading) -> bool:
    """False for a folder of pictures alone; paths that are neither are refused when read."""
    if reading.dataset is not None or not root.is_dir():
        return True
    if any(DATASETS.load(name).recognises(root) for name in DATASETS.names()):
        return True
    return next(_below(root), None) is None


def _files(root: Path, faces: Faces, names: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    """Pictures in the data's folder, by their names from there.

    Of a file of labels: in the folders beside it in which its images lie.
    """
    folder = root if root.is_dir() else images_root(root)
    if root.is_dir():
        starts = [folder]
    elif not root.is_file():
        return
    else:
        labelled = [n for n, i in zip(names, faces.images, strict=True) if isinstance(i, Path)]
        tops = {name.split("/")[0] if "/" in name else "" for name in labelled}
        starts = [folder] if "" in tops else [folder / top for top in sorted(tops)]
    for start in starts:
        for file in _below(start):
            if not is_drawn(file):
                yield file.relative_to(folder).as_posix(), file


def _below(folder: Path) -> Iterator[Path]:
    """Image files in order of their names, not those in hidden folders."""
    for at, folders, files in os.walk(folder):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and not name.endswith(_OWN_FOLDERS)
        )
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES:
                yield Path(at) / name


def missing_points(scheme: Scheme) -> np.ndarray:
    """Points (K, 2) of a face without labels."""
    return np.full((len(scheme), 2), np.nan)
