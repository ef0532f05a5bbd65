"""Labels from one format to another: images placed, labels written, and read back to compare.

What a format cannot hold (occlusion, boxes, fractions of pixels) is counted by comparing what was
read with what the written files give, not by what formats promise. A scheme that the files do not
give back whole is written beside them as ``scheme.toml``.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import numpy as np

from nasion.data import datasets
from nasion.data.found_images import tell_found, with_found_images
from nasion.data.image_faults import image_faults, missing_files
from nasion.data.label_reading import AS_IT_SEEMS, LabelReading, read_labels
from nasion.data.record_faults import Fault
from nasion.data.scheme_beside import scheme_beside, scheme_path
from nasion.discovery import DATASETS
from nasion.errors import DataError, SettingError, require
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme_file import write_scheme
from nasion.media.counted import counted
from nasion.media.files import atomic_write, check_output_folder
from nasion.media.images import open_image, stored_orientation
from nasion.media.signatures import IMAGE_SUFFIXES

WRITE = "write_labels"
_SHOWN = 20  # faults that an error lists
_MOVED = 1e-3  # pixels from which a point counts as moved
_SAME = 2.0  # pixels within which a face read back is the one that was written


@dataclass(frozen=True)
class Conversion:
    """What was written. ``data``: what ``--data`` takes; ``lost``: counts by what was lost.

    ``turned``: images that their EXIF tag turns, written upright. ``faults``: records of the source
    that were left out. ``scheme``: the ``scheme.toml`` beside labels that do not say all of theirs.
    """

    data: Path
    faces: int
    images: int
    lost: dict[str, int]
    turned: int
    faults: tuple[Fault, ...]
    scheme: Path | None = None


def formats() -> list[str]:
    """The formats that can be written."""
    return DATASETS.with_function(WRITE)


def convert(
    source: Path,
    target: Path,
    to: str,
    *,
    split: str = "all",
    reading: LabelReading = AS_IT_SEEMS,
) -> Conversion:
    """Write the labels at ``source`` as format ``to`` into the folder ``target``, with images.

    ``target`` must be empty or not exist. Images that an EXIF tag turns are written upright, so
    that every program sees the labels' image. Raises ``DataError`` that lists the faults of the
    source, unless ``reading.skip_faults``. What has failed leaves nothing in ``target``.
    """
    require(to in formats(), f"No format {to!r} can be written; there are {', '.join(formats())}.")
    require(
        not target.exists() or (target.is_dir() and not any(target.iterdir())),
        f"{target} exists and is not an empty folder; name another one.",
    )
    check_output_folder(target)
    faces, faults = _read(source, split, reading)
    module = DATASETS.load(to)
    with _emptied_after_failure(target):
        images, turned = _place(faces, target / module.IMAGE_FOLDER)
        written = replace(faces, images=images)
        data = getattr(module, WRITE)(written, target)
        lost = _lost(written, module.read(data, "all", scheme=faces.scheme))
        has_own = (reading.scheme or scheme_beside(source)) == faces.scheme
        said = _write_scheme(written, module, data, has_own)
    return Conversion(data, len(faces), len(set(images)), lost, turned, tuple(faults), said)


@contextmanager
def _emptied_after_failure(folder: Path) -> Iterator[None]:
    """Remove all that was written into an empty or new folder if what writes into it fails."""
    is_new = not folder.exists()
    try:
        yield
    except BaseException:
        for path in list(folder.iterdir()) if folder.is_dir() else []:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if is_new and folder.is_dir():
            folder.rmdir()
        raise


def _write_scheme(written: Faces, module: ModuleType, data: Path, has_own: bool) -> Path | None:
    """``scheme.toml`` beside the data, unless their files alone give the whole scheme.

    ``has_own``: a person wrote the scheme, so its name counts too. Else the name is only that of a
    file.
    """
    try:
        alone = module.read(data, "all").scheme
    except (DataError, SettingError):
        alone = None  # numbered points, which fit no scheme or several
    if alone is not None and not has_own:
        alone = replace(alone, name=written.scheme.name)
    if alone == written.scheme:
        return None
    path = scheme_path(data)
    write_scheme(path, written.scheme)
    return path


def _read(source: Path, split: str, reading: LabelReading) -> tuple[Faces, list[Fault]]:
    """The faces as the files have them, without estimated boxes, and all faults."""
    module = datasets.module_at(source, reading.dataset)
    splits = datasets.splits_of(module, source)
    require(split in splits, f"No split {split!r} in {_name(module)}; it has {', '.join(splits)}.")
    faults: list[Fault] = []
    own = None if reading.scheme else scheme_beside(source)
    try:
        faces = module.read(source, split, scheme=reading.scheme or own, faults=faults)
    except DataError as error:
        if not faults:
            raise
        # That no face is left says less than why.
        raise DataError(f"{error} The first fault: {faults[0]}") from error
    faces, notes = with_found_images(faces, source, faults)
    tell_found(notes, source.name)
    faces = read_labels(faces, module, reading, source, own=own, split=split)
    by_face = image_faults(faces, images_optional=False)
    if len(missing_files(faces)) == len(faces):
        raise DataError(f"{next(iter(by_face.values()))} Put the images where the labels say.")
    faults += by_face.values()
    if faults and not reading.skip_faults:
        shown = " ".join(map(str, faults[:_SHOWN]))
        count = counted(len(faults), "fault")
        more = " ..." if len(faults) > _SHOWN else ""
        raise DataError(
            f"{source}: {count}. {shown}{more} Correct them (nasion data check lists all), or "
            "leave such faces out with --skip-faults (in Python: "
            "reading=LabelReading(skip_faults=True))."
        )
    kept = [i for i in range(len(faces)) if i not in by_face]
    if not kept:
        raise DataError(f"{source}: no face without a fault is left.")
    return faces[kept], faults


def _name(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


def _place(faces: Faces, folder: Path) -> tuple[tuple[Path, ...], int]:
    """Each face's image as a file in ``folder``, and how many were turned upright."""
    names = _names(faces)
    placed: dict[str, Path] = {}
    taken: set[str] = set()
    turned = 0
    for i, name in enumerate(names):
        if name in placed:
            continue
        image = faces.images[i]
        is_turned = isinstance(image, Path) and stored_orientation(image)[0] != 1
        turned += is_turned
        file = Path(name)
        if not isinstance(image, Path) or is_turned:
            file = file.with_name(f"{file.stem}.png")
        target = folder / _free(file, taken)
        if isinstance(image, Path) and not is_turned:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(image, target)
        else:
            _write_png(open_image(image, True) if isinstance(image, Path) else image, target)
        placed[name] = target
    return tuple(placed[name] for name in names), turned


def _names(faces: Faces) -> list[str]:
    """A relative name for each face's image; faces of one image share it."""
    files = [image for image in faces.images if isinstance(image, Path)]
    if isinstance(faces.images, np.ndarray) or not files:
        parents = [Path()]
    else:
        parents = [file.absolute().parent for file in files]
    common = parents[0]
    for parent in parents:
        while not parent.is_relative_to(common):
            common = common.parent
    names: list[str] = []
    arrays: dict[int, str] = {}
    for face, image in zip(faces.ids, faces.images, strict=True):
        if isinstance(image, Path):
            names.append(str(image.absolute().relative_to(common)))
            continue
        # Faces of one image share its array. Rows of a stack are new objects each time.
        own = _png_name(face)
        is_stack = isinstance(faces.images, np.ndarray)
        names.append(own if is_stack else arrays.setdefault(id(image), own))
    return names


def _png_name(face: str) -> str:
    path = Path(face)
    is_image = path.suffix.lower() in IMAGE_SUFFIXES
    return str(path.with_suffix(".png")) if is_image else f"{face}.png"


def _free(file: Path, taken: set[str]) -> Path:
    """The name, or one beside it whose stem no other image has.

    Formats with a label file for each image name it by the image's stem.
    """
    number, free = 1, file
    while str(free.with_suffix("")).casefold() in taken:
        number += 1
        free = file.with_name(
            f"{file.stem}_{file.suffix[1:]}{'' if number == 2 else number}{file.suffix}"
        )
    taken.add(str(free.with_suffix("")).casefold())
    return free


def _write_png(pixels: np.ndarray, path: Path) -> None:
    from PIL import Image

    with atomic_write(path) as temporary:
        Image.fromarray(np.asarray(pixels)).save(temporary, "PNG")


def _lost(written: Faces, back: Faces) -> dict[str, int]:
    """Counts of what the files read back do not have, by what it is."""
    partner = _partners(written, back)
    there = np.flatnonzero(partner >= 0)
    before, after = written[there], back.to(written.scheme)[partner[there]]
    difference = np.abs(before.points - after.points).max(axis=2, initial=0)
    occluded = _flags(before) & ~_flags(after)
    lost = {
        "faces without a point or box": int((partner < 0).sum()),
        "labelled points": int((before.labelled & ~after.labelled).sum()),
        "marks of occluded points": int((occluded & before.labelled).sum()),
        "boxes": int((_has_box(before) & ~_has_box(after)).sum()),
        "fractions of pixels": int((difference > _MOVED).sum()),
    }
    return {what: count for what, count in lost.items() if count}


def _flags(faces: Faces) -> np.ndarray:
    if faces.occluded is None:
        return np.zeros(faces.points.shape[:2], dtype=bool)
    return faces.occluded


def _has_box(faces: Faces) -> np.ndarray:
    if faces.boxes is None:
        return np.zeros(len(faces), dtype=bool)
    return ~np.isnan(faces.boxes).any(axis=1)


def _partners(written: Faces, back: Faces) -> np.ndarray:
    """For each face the position of the same one among those read back; -1 for none."""
    by_image: dict[str, list[int]] = defaultdict(list)
    for i, image in enumerate(back.images):
        by_image[str(image.resolve()) if isinstance(image, Path) else str(i)].append(i)
    points = back.to(written.scheme).points
    partner = np.full(len(written), -1)
    for i, image in enumerate(written.images):
        # A format that holds the images has no files to tell faces by, but their order.
        name = str(image.resolve()) if isinstance(image, Path) else ""
        candidates = by_image.get(name, by_image.get(str(i), []))
        found = next((j for j in candidates if _same(written.points[i], points[j])), None)
        if found is not None:
            partner[i] = found
            candidates.remove(found)
    return partner


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    known = ~np.isnan(a) & ~np.isnan(b)
    if not known.any():
        return bool(np.isnan(a).all() and np.isnan(b).all())
    return bool((np.abs(a - b)[known] < _SAME).all())
