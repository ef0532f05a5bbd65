"""``nasion data check``: faults, suspect labels, and what was looked for and what could not be."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from nasion.data import datasets, label_places, label_shapes
from nasion.data.equal_images import equal_images, only_faces
from nasion.data.file_numbers import FileNumbers, file_numbers_of
from nasion.data.found_images import with_found_images
from nasion.data.image_faults import image_faults, missing_files
from nasion.data.label_outliers import MIN_FACES, outlier_scores, suspect_labels
from nasion.data.label_reading import AS_IT_SEEMS, LabelReading, read_labels
from nasion.data.labelled_twice import labelled_twice
from nasion.data.mirror_check import check_mirror, mirror_faults
from nasion.data.missing_boxes import estimate_boxes
from nasion.data.point_names import misspelt_points, never_labelled
from nasion.data.record_faults import Fault
from nasion.data.scheme_beside import scheme_beside
from nasion.data.stated_sizes import (
    StatedSizes,
    fits_stated,
    other_sizes,
    stated_sizes_of,
    told_sizes,
)
from nasion.data.swapped_pairs import LEAST_PAIRS, swapped_pairs, told_pairs
from nasion.errors import DataError, SettingError, SplitNotFound, refusing_damage
from nasion.landmarks.faces import Faces
from nasion.media.counted import counted
from nasion.media.several_images import note_several

_MAX_DISAGREEMENT = 0.1  # of the labels' extent, between two copies of one image
_Found = Iterable[tuple[int, str]]  # positions of faces, and what is wrong with them


@dataclass
class CheckResult:
    """``faults``: what breaks the format's rules. ``suspects``: valid, but look wrong.

    ``notes``: what was read otherwise than it is written, as images under another name.
    ``looked_for``: what was searched for, by name. ``not_looked_for``: what could not be, and why.
    """

    faults: list[Fault] = field(default_factory=list)
    suspects: list[Fault] = field(default_factory=list)
    notes: list[Fault] = field(default_factory=list)
    looked_for: list[str] = field(default_factory=list)
    not_looked_for: dict[str, str] = field(default_factory=dict)


def check(path: Path, reading: LabelReading = AS_IT_SEEMS) -> CheckResult:
    """Check all of a dataset's files that exist; one that cannot be read at all is one fault."""
    module = datasets.module_at(path, reading.dataset)
    own = None if reading.scheme else scheme_beside(path)
    result = CheckResult()
    result.looked_for += ["rows that break the format", "images that cannot be read"]
    faults: list[Fault] = []
    checked: list[set[str]] = []
    files: dict[Path, None] = {}  # a dictionary keeps the order
    splits = datasets.splits_of(module, path)
    for split in splits:
        is_first = split == splits[0]
        if hasattr(module, "files"):
            try:
                module.files(path, split)
            except DataError as error:
                if is_first:
                    faults.append(Fault(str(path), str(error)))
                continue
        try:
            with refusing_damage(path):
                faces = module.read(path, split, scheme=reading.scheme or own, faults=faults)
            faces, notes = with_found_images(faces, path, faults)
            result.notes += notes
            faces = read_labels(faces, module, reading, path, own=own, split=split, faults=faults)
        except DataError as error:
            # Not every dataset comes with all of its published splits.
            if is_first or not isinstance(error, SplitNotFound):
                faults.append(Fault(split, str(error)))
            continue
        unreadable = image_faults(faces, images_optional=module.SCHEME is None)
        faults += unreadable.values()
        files |= {each: None for each in faces.images if isinstance(each, Path)}
        if is_first and not faces.labelled.any():
            problem = (
                f"none of its {len(faces)} faces has a label: nothing to train or evaluate on."
            )
            result.suspects.append(Fault(path.name, problem))
            result.not_looked_for["wrong labels"] = "there are none"
        # A split whose faces are all in an earlier one would only repeat its suspects.
        if faces.labelled.any() and not any(set(faces.ids) <= ids for ids in checked):
            stated = stated_sizes_of(module, path)
            numbers = file_numbers_of(module, path)
            _Inspection(faces, set(unreadable), stated, numbers, result).run()
        checked.append(set(faces.ids))
    for file in files:
        note_several(file, str(file))
    # A faulty file belongs to several splits, but is one fault.
    result.faults = list(dict.fromkeys([*faults, *result.faults]))
    result.notes = list(dict.fromkeys(result.notes))
    result.looked_for = list(dict.fromkeys(result.looked_for))
    for what in result.looked_for:
        result.not_looked_for.pop(what, None)
    return result


@dataclass
class _Inspection:
    """Searches the labels of one split, and records what it could not search for."""

    faces: Faces
    unreadable: set[int]
    stated: StatedSizes
    numbers: FileNumbers
    result: CheckResult

    def run(self) -> None:
        faces, missing = self.faces, set(missing_files(self.faces))
        sizes = label_places.image_sizes(faces)
        reference = label_shapes.reference_face(faces)
        unseen = ""  # why images say nothing about the labels
        if len(missing) == len(faces):
            unseen = "no image is there"
            self._no_images()
        elif np.isnan(sizes).all():
            unseen = "no image can be read"
        others = other_sizes(faces, sizes, self.stated)
        # Report one cause once: a label outside its image may fit an image of the stated size.
        explained = {each.face for each in others if fits_stated(faces, each)}
        outside = label_places.outside_image(faces, sizes)
        turned = {} if unseen else label_places.orientations(faces)
        stored = label_places.labels_as_stored(faces, sizes, turned, reference)
        boxes = label_places.absurd_boxes(faces, sizes)
        copies = _copies(faces, self.unreadable | missing)
        sentinels = label_places.sentinels(faces, self.numbers.of(faces))
        self._record("points at -1 -1 or 0 0", sentinels)
        scaled = label_places.relative_places(faces)
        if not (scaled or self.stated or unseen):
            scaled = label_places.other_scale(faces, sizes)
        if scaled:
            self.result.suspects.append(Fault(counted(len(faces), "face"), scaled))
            outside = iter(())
        if self.stated:
            told = told_sizes(others, len(set(map(str, faces.images))))
            self._record("images of another size than their labels'", told, unseen)
        self._record("points far outside their images", _without(outside, explained), unseen)
        self._record("labels of images as stored, before EXIF turns them", stored, unseen)
        self._record(
            "boxes far from their faces",
            _without(boxes, explained),
            "there are none" if faces.boxes is None else "",
        )
        corners = label_places.corners_as_sizes(faces)
        if faces.boxes is not None:
            self._record("boxes whose width and height are a corner", corners)
        swapped = swapped_pairs(faces)
        few = f"the scheme has fewer than {LEAST_PAIRS} mirror pairs"
        too_few = len(faces.scheme.mirror) < LEAST_PAIRS
        self._record(
            "left and right swapped in single pairs", told_pairs(swapped), few if too_few else ""
        )
        self._shapes(reference, swapped)
        self._point_names()
        self._mirror_pairs()
        self._record("faces labelled twice", labelled_twice(faces))
        self._record("copies of an image with other labels", copies, unseen)

    def _no_images(self) -> None:
        faces = self.faces
        missing = (
            f"its image is not at {faces.images[0]}, nor is any other of the {len(faces)} faces'"
        )
        problem = f"{missing}; such points can be evaluated, not trained on."
        self.result.suspects.append(Fault(faces.ids[0], problem))

    def _record(self, what: str, found: _Found, reason: str = "") -> None:
        """Take what is found; with a reason, it could not be looked for."""
        if reason:
            self.result.not_looked_for[what] = reason
            return
        self.result.looked_for.append(what)
        self.result.suspects += [Fault(self.faces.ids[i], problem) for i, problem in found]

    def _shapes(self, reference: np.ndarray | None, told: Collection[int]) -> None:
        """Outliers of the shapes of a hundred faces or more; of fewer, each face by itself.

        ``told``: positions whose fault is known already.
        """
        what, coarse = "points that do not form a face", "gross faults of single faces"
        faces = _boxed(self.faces)
        scores, suspect = outlier_scores(faces), suspect_labels(faces)
        labelled = faces.labelled.any(axis=1)
        found = [
            (
                i,
                "its points lie together as no other face's do "
                f"({scores[i]:.0f} times the usual distance); look at its labels.",
            )
            for i in np.flatnonzero(suspect).tolist()
        ]
        few = np.asarray(labelled & np.isnan(scores))
        self._record(
            what, _without(found, told), "" if (labelled & ~few).any() else _why_no_outliers(faces)
        )
        if not few.any():
            return
        if reference is None:
            self.result.not_looked_for[coarse] = (
                f"the scheme's names are not the catalog's, and fewer than "
                f"{label_shapes.LEAST_FACES} faces have half of the points"
            )
        else:
            misplaced = label_shapes.misplaced_labels(faces, reference, few)
            self._record(coarse, _without(misplaced, told))

    def _point_names(self) -> None:
        if empty := never_labelled(self.faces):
            self.result.suspects.append(Fault(f"scheme {self.faces.scheme.name}", empty))
        self._record("points that no face has, and misspelt names", misspelt_points(self.faces))

    def _mirror_pairs(self) -> None:
        self.result.looked_for.append("mirror pairs of the scheme")
        place = f"scheme {self.faces.scheme.name}"
        try:
            check_mirror(self.faces)
        except SettingError as error:
            self.result.suspects.append(Fault(place, str(error)))
            return
        for fault in mirror_faults(self.faces):
            self.result.suspects.append(Fault(place, f"a mirror pair seems wrong: {fault}."))


def _without(found: _Found, positions: Collection[int]) -> Iterator[tuple[int, str]]:
    return ((i, problem) for i, problem in found if i not in positions)


def _boxed(faces: Faces) -> Faces:
    """Files of different sizes compare by boxes: those around the points, as in training."""
    if faces.boxes is not None or isinstance(faces.images, np.ndarray):
        return faces
    boxes = estimate_boxes(faces.points, faces.scheme).astype(np.float32)
    return replace(faces, boxes=boxes)


def _why_no_outliers(faces: Faces) -> str:
    per_source = " of a source" if "source" in faces.groups else ""
    return f"it takes {MIN_FACES} faces{per_source} to learn how faces vary; here are {len(faces)}"


def _copies(faces: Faces, unreadable: set[int]) -> Iterator[tuple[int, str]]:
    """Images that occur twice, byte for byte, with labels far apart."""
    for group in equal_images(faces, unreadable):
        at = only_faces(faces, group)
        for second in at[1:]:
            problem = _disagreement(faces, at[0], second)
            if problem:
                yield second, problem


def _disagreement(faces: Faces, a: int, b: int) -> str:
    """What is wrong with the labels of two copies of an image; empty if they agree."""
    distances = np.linalg.norm(faces.points[a].astype(float) - faces.points[b], axis=-1)
    both = ~np.isnan(distances)
    if not both.any():
        return ""
    mean, extent = distances[both].mean(), np.ptp(faces.points[a][both], axis=0).max()
    if mean <= _MAX_DISAGREEMENT * extent:
        return ""
    return (
        f"the same image as {faces.ids[a]}, "
        f"but their labels are {mean:.1f} pixels apart on average."
    )
