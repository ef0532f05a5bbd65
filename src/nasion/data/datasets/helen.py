"""HELEN (Le et al., 2012): 2,330 photographs from Flickr with 194 points.

``annotation/N.txt``: the image's name without suffix, then a line ``x , y`` for each point, pixels
from 0. Images lie in the folder or in one beside ``annotation`` (``train_1``, ``test`` ...).
``testnames.txt`` lists the test images; without it those in a folder ``test`` are. For HELEN's
part of 300-W, with 68 points, see ``ibug68``. Research use.
"""

from __future__ import annotations

from pathlib import Path

from nasion.data.datasets._image_names import image_name
from nasion.data.datasets._label_files import any_case, check_split
from nasion.data.datasets._labelled_face import ImagesByStem, LabelledFace, as_faces, read_each
from nasion.data.datasets._photographs import photograph
from nasion.data.datasets._point_lines import headed_lines, points_of_lines
from nasion.data.record_faults import Faults
from nasion.errors import DataError, SplitNotFound
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme
from nasion.landmarks.scheme_tables.helen import helen194
from nasion.media.files import read_text

SCHEME: Scheme = helen194
SPLITS = ("all", "training", "test")
POOL = "training"  # what train and val are sides of
_LABELS, _TEST, _TEST_NAMES = "annotation", "test", "testnames.txt"
_HEAD = 4096  # bytes


def recognises(root: Path) -> bool:
    """True for a folder with ``annotation`` whose files are a name and pairs with commas."""
    first = next((root / _LABELS).glob("*" + any_case(".txt")), None)
    if first is None:
        return False
    with first.open("rb") as file:
        lines = file.read(_HEAD).splitlines()
    return len(lines) > 2 and b"," not in lines[0] and all(b"," in line for line in lines[1:3])


def read(
    root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None
) -> Faces:
    """The faces of a split. Group: photograph (linked), the number before a name's ``_``."""
    check_split(split, SPLITS, "helen")
    paths = sorted((root / _LABELS).glob("*" + any_case(".txt")))
    if not paths:
        raise DataError(f"{root}: no {_LABELS}/1.txt and the like here; give the folder above.")
    names = root / _TEST_NAMES
    test = set(read_text(names).split()) if names.is_file() else None
    folders = [root, *sorted(path for path in root.iterdir() if path.is_dir())]
    images = ImagesByStem()

    def read_one(path: Path, place: str) -> LabelledFace:
        (number, title), lines = headed_lines(path, place, "the image's name")
        try:
            stem = image_name(title.strip(), root)
        except ValueError as error:
            raise DataError(f"{place} line {number}: {error}.") from None
        points = points_of_lines(lines, len(SCHEME), place, ",")
        image = _image(images, folders, stem, place)
        name = str(image.relative_to(root))
        return LabelledFace(name, image, points, (photograph(stem),))

    found = read_each(root, paths, read_one, faults)
    if split != "all":
        wanted = split == "test"
        found = [face for face in found if _is_test(face.image, test) == wanted]
    if not found:
        raise SplitNotFound(f"{root}: no face of split {split} among {len(paths)} label files.")
    return as_faces(found, SCHEME, ("photograph",), linked=("photograph",), tight_boxes=True)


def _is_test(image: Path, names: set[str] | None) -> bool:
    return image.parent.name == _TEST if names is None else image.stem in names


def _image(images: ImagesByStem, folders: list[Path], stem: str, place: str) -> Path:
    for folder in folders:
        try:
            return images.find(folder, stem, place)
        except DataError:
            continue
    raise DataError(f"{place}: no image {stem} beside {_LABELS} or in a folder beside it.")
