"""Images that are there under another spelling than in the labels: found, and said."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nasion.data.datasets._image_files import ImageFinder
from nasion.data.datasets._image_names import NUMBERED_FACE
from nasion.data.datasets._label_files import images_root
from nasion.data.image_faults import missing_files
from nasion.data.record_faults import Fault, Faults, report_fault
from nasion.landmarks.faces import Faces
from nasion.media.counted import counted
from nasion.media.quoted import quoted

_log = logging.getLogger(__name__)
_Found = dict[Path, tuple[Path, str]]  # by the path of the labels: the file, in what it differs


def with_found_images(faces: Faces, root: Path, faults: Faults) -> tuple[Faces, list[Fault]]:
    """The faces with the images that their labels most likely mean, and a note for each of these.

    Only where no file is at the labels' path, and one file fits that no other label names.
    ``root``: the file or folder of the labels, in or below whose folder images lie. Several fitting
    files are a fault.
    """
    missing = missing_files(faces)
    folder = root if root.is_dir() else images_root(root)
    if not missing or not folder.is_dir():
        return faces, []
    found, unclear = _search(faces, missing, folder)
    images = list(faces.images)
    notes: dict[Path, Fault] = {}
    for i in missing:
        image = images[i]
        if not isinstance(image, Path):
            continue
        if image in unclear:
            report_fault(faults, faces.ids[i], f"{unclear[image]}.")
        if image in found:
            file, differs = found[image]
            there = quoted(file.relative_to(folder).as_posix(), 60)
            note = f"its image was found at {there}, which differs in {differs}."
            notes.setdefault(image, Fault(faces.ids[i], note))
            images[i] = file
    if not found:
        return faces, []
    return replace(faces, images=tuple(images)), list(notes.values())


def tell_found(notes: Sequence[Fault], source: str) -> None:
    """Log how many images were found under another spelling, with an example."""
    if notes:
        count = counted(len(notes), "image is", "images are")
        _log.info(
            "%s: %s there under another name than in the labels, as %s", source, count, notes[0]
        )


def _search(faces: Faces, missing: Sequence[int], folder: Path) -> tuple[_Found, dict[Path, str]]:
    """The files found, and why others are unclear, by the path of the labels."""
    gone = set(missing)
    there = [each for i, each in enumerate(faces.images) if i not in gone]
    taken = {
        each.relative_to(folder).as_posix()
        for each in there
        if isinstance(each, Path) and each.is_relative_to(folder)
    }
    finder, found, unclear = ImageFinder(folder), {}, {}
    meant: dict[Path, list[Path]] = defaultdict(list)
    for i in missing:
        image = faces.images[i]
        if not isinstance(image, Path) or image in found or image in unclear:
            continue
        try:
            like = finder.like(_name_in_labels(image, faces.ids[i]), taken=taken)
        except ValueError as error:
            unclear[image] = str(error)
            continue
        if like is not None:
            found[image] = (folder / like[0], like[1])
            meant[folder / like[0]].append(image)
    for file, images in meant.items():
        if len(images) > 1:
            names = " and ".join(quoted(each.name, 60) for each in images[:2])
            for image in images:
                del found[image]
                unclear[image] = (
                    f"the labels name {names}, and neither is there; both could be {file.name}: "
                    "correct the names in the labels"
                )
    return found, unclear


def _name_in_labels(image: Path, face: str) -> str:
    """The image as the labels name it; its path has the folder that was looked in, too."""
    numbered = NUMBERED_FACE.match(face)
    for name in (face, numbered[1] if numbered else face):
        if image.as_posix().endswith(name):
            return name
    return "/".join(image.parts[-2:])
