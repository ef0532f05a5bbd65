"""From a path to ``Faces``: which dataset it is, what the cache keeps, and the splits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from nasion.data import cache, datasets
from nasion.data.annotators import GROUP
from nasion.data.found_images import tell_found, with_found_images
from nasion.data.image_faults import without_image_faults
from nasion.data.label_reading import AS_IT_SEEMS, LabelReading, read_labels
from nasion.data.missing_boxes import with_boxes, with_tight_boxes
from nasion.data.record_faults import Fault
from nasion.data.scheme_beside import scheme_beside
from nasion.data.splits import (
    SimilarPair,
    alike_across,
    connecting_pairs,
    honest_split,
    same_photographs,
)
from nasion.data.stated_sizes import warn_of_other_sizes
from nasion.errors import SettingError, refusing_damage
from nasion.landmarks.faces import Faces, join
from nasion.landmarks.geometry import tight_boxes
from nasion.landmarks.scheme import Scheme

TRAIN_VAL = ("train", "val")  # the sides of a split, in the order in which functions return them
_WHOLE_FACE = 30  # labelled points that reach from ear to ear and from brow to chin


def load_faces(
    name: str | None,
    path: str | Path,
    split: str = "all",
    *,
    scheme: Scheme | None = None,
    whole_images: bool | None = None,
    reading: LabelReading = AS_IT_SEEMS,
    box_scheme: Scheme | None = None,
) -> Faces:
    """Load a dataset's faces: one of its published splits, or ``train`` or ``val``.

    ``name``: the dataset's or format's name; None to recognise it by the path. A dataset without
    its own ``train`` and ``val`` is split by ``splits.honest_split``, which leaves out faces
    without a label. ``scheme``: convert the faces
    to it. ``whole_images``: faces without a box are whole images; False: all get the box around
    their points; None: as the dataset says. ``box_scheme``: whose points are meant there, if it is
    another scheme than the faces'. ``reading``: what labels mean where the file leaves it open, as
    -1 for a missing point. Raises ``DataError`` at the first faulty row, unless
    ``reading.skip_faults``.
    """
    module = _module(name or reading.dataset, path)
    own = datasets.splits_of(module, path)
    if split in TRAIN_VAL and split not in own:
        sides = load_train_val(
            name,
            path,
            scheme=scheme,
            whole_images=whole_images,
            reading=reading,
            box_scheme=box_scheme,
        )
        return sides[TRAIN_VAL.index(split)]
    if split not in own:
        existing = ", ".join(dict.fromkeys((*own, *TRAIN_VAL)))
        raise SettingError(f"No split {split!r} in {_short(module)}; it has {existing}.")
    faces = _read(module, Path(path), split, scheme, reading)
    return _boxed(module, path, faces, whole_images, scheme, box_scheme)


def load_train_val(
    name: str | None,
    path: str | Path,
    *,
    scheme: Scheme | None = None,
    whole_images: bool | None = None,
    reading: LabelReading = AS_IT_SEEMS,
    box_scheme: Scheme | None = None,
) -> tuple[Faces, Faces]:
    """(training, validation) faces: the dataset's own splits, or a split without leakage."""
    module, path = _module(name or reading.dataset, path), Path(path)
    if set(TRAIN_VAL) <= set(datasets.splits_of(module, path)):
        sides = [_read(module, path, side, scheme, reading) for side in TRAIN_VAL]
        train, val = (
            _boxed(module, path, side, whole_images, scheme, box_scheme) for side in sides
        )
    else:
        # POOL leaves a dataset's test folders out of both sides.
        pool = getattr(module, "POOL", "all")
        faces = _read(module, path, pool, scheme, reading)
        # Before boxes are estimated: whole photographs are compared, as the file gives them.
        pairs = _cached_pairs(module, path, faces, reading.skip_faults)
        boxed = _boxed(module, path, faces, whole_images, scheme, box_scheme)
        # By labels of any point, so that training and evaluation in other schemes split alike.
        sides = honest_split(faces, pairs=pairs)
        train, val = (boxed.subset(side.ids) for side in sides)
    return train, val


def load_joint_train_val(
    paths: Sequence[str | Path],
    scheme: Scheme,
    *,
    whole_images: bool | None = None,
    reading: LabelReading = AS_IT_SEEMS,
) -> tuple[Faces, Faces]:
    """(training, validation) faces of several datasets in one scheme, each split as it is alone.

    Ids begin with the dataset's name; so does the group ``source``, unless the dataset has its own.
    Training faces from a photograph that another dataset validates on are left out.
    """
    sides: tuple[list[Faces], list[Faces]] = ([], [])
    names = [reading.dataset or datasets.recognise(Path(path)) for path in paths]
    for i, (path, name) in enumerate(zip(paths, names, strict=True)):
        # Two folders of one kind may hold the same ids.
        prefix = f"{name}-{names[:i].count(name) + 1}" if name in names[:i] else name
        split = load_train_val(
            name,
            path,
            scheme=scheme,
            whole_images=whole_images,
            reading=reading,
        )
        for side, faces in zip(sides, split, strict=True):
            # The dataset's own `source` comes last and wins.
            groups = {GROUP: (name,) * len(faces), **faces.groups}
            ids = tuple(f"{prefix}/{face}" for face in faces.ids)
            boxed = faces if whole_images else with_spanned_boxes(faces)
            side.append(replace(boxed, ids=ids, groups=groups))
    train, val = (join(*side) for side in sides)
    if len(paths) > 1:
        leaking = _leaking(train, val)
        train = train[np.array([i not in leaking for i in range(len(train))], dtype=bool)]
    return train, val


def _leaking(train: Faces, val: Faces) -> set[int]:
    """Positions of training faces that show a validation face, also of another dataset."""
    leaking = {first for first, _ in alike_across(train, val)}
    of_train, of_val = ([face.partition("/")[0] for face in side.ids] for side in (train, val))
    pairs = same_photographs(train, val)
    # Only across datasets: within one, its own split decides.
    return leaking | {first for first, second in pairs if of_train[first] != of_val[second]}


def _boxed(
    module: ModuleType,
    path: str | Path,
    faces: Faces,
    whole_images: bool | None,
    scheme: Scheme | None,
    box_scheme: Scheme | None,
) -> Faces:
    """The faces in the scheme, with boxes around the points of those that have none.

    Not if they fill their images. ``whole_images`` False: around the box scheme's points of all.
    """
    source, meant = Path(path).name, box_scheme or scheme
    if not has_whole_images(module, whole_images):
        # The dataset may have more points than the scheme, or fewer.
        faces = with_boxes(faces, source, meant)
    faces = faces if scheme is None else faces.to(scheme)
    return with_tight_boxes(faces, source, meant) if whole_images is False else faces


def has_whole_images(module: ModuleType, whole_images: bool | None) -> bool:
    """Whether faces without a box are whole images: as asked for, else as the dataset says."""
    return getattr(module, "WHOLE_IMAGES", False) if whole_images is None else whole_images


def with_spanned_boxes(faces: Faces) -> Faces:
    """Give whole images the tight box around their points, if these span the whole face.

    Beside datasets with boxes, faces that fill their images would have another scale.
    """
    if faces.boxes is not None:
        return faces
    spanning = faces.labelled.sum(1) >= _WHOLE_FACE
    points = np.where(spanning[:, None, None], faces.points, np.float32(np.nan))
    return replace(faces, boxes=tight_boxes(points))


def _module(name: str | None, path: str | Path) -> ModuleType:
    return datasets.module_at(path, name)


def _short(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


def _read(
    module: ModuleType,
    root: Path,
    split: str,
    scheme: Scheme | None,
    reading: LabelReading,
) -> Faces:
    """Read a split, and what its labels mean.

    Numbered points are those of the scheme that the reading names, of the one beside the data, of
    the one that the reading assumes, or of ``scheme``.
    """
    own = None if reading.scheme else scheme_beside(root)
    meant = reading.scheme or own or reading.assumed or scheme
    faces = _read_numbers(module, root, split, meant, reading.skip_faults)
    faces = read_labels(faces, module, reading, root, own=own, split=split)
    warn_of_other_sizes(faces, module, root)
    return faces


def _read_numbers(
    module: ModuleType, root: Path, split: str, scheme: Scheme | None, skip_faults: bool
) -> Faces:
    """Read a split as its files have it; from the cache if the dataset names its ``files``."""
    faults: list[Fault] | None = [] if skip_faults else None

    def read() -> Faces:
        with refusing_damage(root):
            faces = module.read(root, split, scheme=scheme, faults=faults)
        faces, notes = with_found_images(faces, root, faults)
        tell_found(notes, root.name)
        return faces

    def make() -> cache.Entry:
        return pack_faces(read())

    if not hasattr(module, "files"):
        return without_image_faults(read()) if skip_faults else read()
    # The whole scheme, not its name: a user's scheme may change and keep it.
    requested = json.dumps(asdict(scheme)) if scheme else ""
    settings = (module.__name__, split, requested, str(skip_faults))
    key = cache.content_key(module.files(root, split), *settings)
    return unpack_faces(*cache.cached(key, make))


def pack_faces(faces: Faces) -> cache.Entry:
    """Faces as arrays and a JSON value."""
    arrays = {"points": faces.points, "boxes": faces.boxes, "occluded": faces.occluded}
    value: dict[str, Any] = {
        "scheme": asdict(faces.scheme),
        "ids": faces.ids,
        "groups": dict(faces.groups),
        "linked": faces.linked,
    }
    if isinstance(faces.images, np.ndarray):
        arrays["images"] = faces.images
    elif all(isinstance(image, Path) for image in faces.images):
        value["files"] = [str(image) for image in faces.images]
    else:
        arrays |= {f"image{i}": np.asarray(image) for i, image in enumerate(faces.images)}
    return {name: array for name, array in arrays.items() if array is not None}, value


def unpack_faces(arrays: Any, value: dict[str, Any]) -> Faces:
    """The inverse of ``pack_faces``."""
    if "images" in arrays:
        images = arrays["images"]
    elif "files" in value:
        images = tuple(map(Path, value["files"]))
    else:
        images = tuple(arrays[f"image{i}"] for i in range(len(value["ids"])))
    # Images stay mapped; the small arrays are copied, and so become writable.
    optional = {n: np.array(arrays[n]) for n in ("boxes", "occluded") if n in arrays}
    return Faces(
        scheme=_scheme(value["scheme"]),
        ids=tuple(value["ids"]),
        images=images,
        points=np.array(arrays["points"]),
        groups={group: tuple(values) for group, values in value["groups"].items()},
        linked=tuple(value["linked"]),
        **optional,
    )


def _scheme(value: dict) -> Scheme:
    """A scheme from JSON, where tuples have become lists."""

    def as_tuple(item: Any) -> Any:
        return tuple(map(as_tuple, item)) if isinstance(item, (list, tuple)) else item

    return Scheme(**{name: as_tuple(item) for name, item in value.items()})


def _cached_pairs(
    module: ModuleType, root: Path, faces: Faces, skip_faults: bool
) -> list[SimilarPair]:
    """What connects the dataset's similar images; from the cache if their files are known."""

    def make() -> cache.Entry:
        pairs = connecting_pairs(faces)
        return {}, {"pairs": [(p.first, p.second, p.similarity, p.exact) for p in pairs]}

    images = faces.images
    paths = [] if isinstance(images, np.ndarray) else [p for p in images if isinstance(p, Path)]
    # Thumbnails are of the boxes, so pairs depend on them.
    boxes = "" if faces.boxes is None else cache.digest_of(faces.boxes)
    if len(paths) == len(faces) and all(path.is_file() for path in paths):
        key = cache.content_key(paths, "connecting pairs", boxes)
    elif hasattr(module, "files"):
        files = module.files(root, "all")
        # Corrections add and remove faces, and pairs are positions.
        settings = (
            module.__name__,
            "connecting pairs",
            str(skip_faults),
            boxes,
            "\0".join(faces.ids),
        )
        key = cache.content_key(files, *settings)
    else:
        return connecting_pairs(faces)
    return [SimilarPair(*pair) for pair in cache.cached(key, make)[1]["pairs"]]
