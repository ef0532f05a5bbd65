"""Labelled faces and predicted points, and the conventions that hold everywhere.

Points are ``(x, y)`` float32 in pixels of the source image, pixel centres at integers: the centre
of the top-left pixel is (0, 0). NaN in both coordinates means "not labelled" (in predictions, "not
predicted"). Boxes are ``x0 y0 x1 y1`` in the same coordinates: a whole image is
(-0.5, -0.5, W - 0.5, H - 0.5).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from nasion.array_types import Bool, Float32, Float64
from nasion.errors import DataError, SettingError
from nasion.landmarks.geometry import grow_box, image_box, shift_box
from nasion.landmarks.scheme import Scheme
from nasion.media.counted import counted
from nasion.media.images import image_size
from nasion.media.quoted import quoted, shortened

Image = Path | np.ndarray  # a file, or uint8 (H, W) grey or (H, W, 3) RGB
Images = np.ndarray | Sequence[Image]
NO_GROUP = ""  # the value of a face that belongs to no group; it links no faces


def check_points(scheme: Scheme, ids: Sequence[str], points: np.ndarray) -> None:
    """Raise ``DataError`` for duplicate ids, a wrong shape, half a point, infinite coordinates."""
    duplicates = [name for name, count in Counter(ids).items() if count > 1]
    if duplicates:
        raise DataError(
            f"{len(duplicates)} ids occur more than once, {quoted(duplicates[0])} first; "
            "each face needs its own id."
        )
    if points.shape != (len(ids), len(scheme), 2):
        shape = " x ".join(map(str, points.shape))
        raise DataError(
            f"Points of shape {shape} do not fit {len(ids)} faces of scheme {scheme.name}, "
            f"which has {len(scheme)} points with x and y."
        )
    # Half a point is refused here, so that everywhere else x's NaN stands for both.
    missing = np.isnan(points)
    for problem, wrong in (
        ("half a point (one coordinate of two)", missing[..., 0] != missing[..., 1]),
        ("an infinite coordinate", np.isinf(points).any(-1)),
    ):
        if wrong.any():
            face, point = np.argwhere(wrong)[0]
            value, name = points[face, point].tolist(), shortened(scheme.points[point])
            raise DataError(
                f"Face {quoted(ids[face])} has {problem} at {name}: {value}. "
                "Give both x and y, or NaN for both."
            )


@dataclass(frozen=True, kw_only=True)
class Faces:
    """Labelled faces of one scheme.

    ``images``: uint8 (N, H, W[, 3]), or one file or array per face. ``boxes``: NaN where unknown.
    ``groups``: for each name (source, person, subset ...) one value per face, reported separately;
    faces that share a value of a group in ``linked`` stay on one side of a split.
    Raises ``DataError``.
    """

    scheme: Scheme
    ids: tuple[str, ...]
    images: Images
    points: Float32[np.ndarray, "N K 2"]
    boxes: Float32[np.ndarray, "N 4"] | None = None
    occluded: Bool[np.ndarray, "N K"] | None = None
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    linked: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_points(self.scheme, self.ids, self.points)
        self._check_images()
        self._check_lengths()
        self._check_boxes()
        unknown = [name for name in self.linked if name not in self.groups]
        if unknown:
            raise DataError(
                f"Linked groups {unknown} are not among the groups {list(self.groups)}."
            )

    def _check_images(self) -> None:
        if isinstance(self.images, np.ndarray):
            # Axes at least: (N, H, W) of a stack, (H, W) of a single image. Colour has one more.
            named = [("images", self.images, 3)]
        else:
            named = [(name, image, 2) for name, image in zip(self.ids, self.images, strict=False)]
        for name, image, least in named:
            if not isinstance(image, np.ndarray):
                continue
            if image.dtype != np.uint8 or image.ndim not in (least, least + 1):
                found = f"{image.dtype} of {' x '.join(map(str, image.shape))}"
                raise DataError(
                    f"{name}: images are uint8 arrays of height x width or height x width x 3, "
                    f"with values 0 to 255; found {found}."
                )

    def _check_lengths(self) -> None:
        columns: dict[str, Any] = {"images": self.images, "boxes": self.boxes}
        columns |= {"occluded": self.occluded, **self.groups}
        for name, column in columns.items():
            if column is not None and len(column) != len(self.ids):
                raise DataError(
                    f"{len(column)} {name} for {len(self.ids)} faces; one each expected."
                )

    def _check_boxes(self) -> None:
        if self.boxes is None:
            return
        # A comparison with NaN is false, so unknown boxes look flat and are excused below.
        unknown = np.isnan(self.boxes).any(axis=1)
        has_area = (self.boxes[:, 2:] > self.boxes[:, :2]).all(axis=1)
        flat = np.flatnonzero(~(has_area | unknown))
        if len(flat):
            box = self.boxes[flat[0]].tolist()
            raise DataError(
                f"Face {quoted(self.ids[flat[0]])} has the box {box}; x1 > x0 and y1 > y0 "
                "expected, or NaN for the whole image."
            )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def labelled(self) -> Bool[np.ndarray, "N K"]:
        """True where a point has a label."""
        return np.isfinite(self.points).all(axis=-1)

    @property
    def complete(self) -> Bool[np.ndarray, " N"]:
        """True for faces with every point labelled."""
        return self.labelled.all(axis=1)

    def __getitem__(self, chosen: Any) -> Faces:
        """Select faces by a slice, positions, or one True/False per face."""
        # Slices, masks and positions all become positions; a single one gives a set of one face.
        at = np.atleast_1d(np.arange(len(self))[chosen])
        images = self.images
        return replace(
            self,
            ids=tuple(self.ids[i] for i in at),
            images=images[at] if isinstance(images, np.ndarray) else tuple(images[i] for i in at),
            points=self.points[at],
            boxes=None if self.boxes is None else self.boxes[at],
            occluded=None if self.occluded is None else self.occluded[at],
            groups={name: tuple(values[i] for i in at) for name, values in self.groups.items()},
        )

    def subset(self, ids: Iterable[str]) -> Faces:
        """The faces with these ids, in this order. ``SettingError`` names the first unknown id."""
        position = {name: i for i, name in enumerate(self.ids)}
        ids = list(ids)
        unknown = [name for name in ids if name not in position]
        if unknown:
            raise SettingError(
                f"{counted(len(unknown), 'id is', 'ids are')} not among these {len(self)} faces, "
                f"{quoted(unknown[0])} first."
            )
        return self[np.array([position[name] for name in ids], dtype=np.int64)]

    def group(self, name: str) -> np.ndarray:
        """One value per face. Raises ``SettingError`` that lists the groups."""
        if name not in self.groups:
            existing = ", ".join(self.groups) or "none"
            raise SettingError(f"No group {quoted(name)}; these faces have {existing}.")
        return np.array(self.groups[name], dtype=object)

    def to(self, scheme: Scheme) -> Faces:
        """The same faces in another scheme. Points match by name or alias; others become NaN."""
        if scheme == self.scheme:
            return self
        points, occluded = _match_points(self.scheme, scheme, self.points, self.occluded)
        return replace(self, scheme=scheme, points=points, occluded=occluded)


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Predicted points of one scheme, in pixels of the source image.

    ``scores``: the chance that a point is off by at most ``calibration.TOLERANCE`` of the face's
    size. ``expected``: its expected error in pixels. ``visible``: the chance that a point can be
    seen, as in ``Face``. Each is None if the network does not predict it. Raises ``DataError``.
    """

    scheme: Scheme
    ids: tuple[str, ...]
    points: Float32[np.ndarray, "N K 2"]
    scores: Float32[np.ndarray, "N K"] | None = None
    expected: Float32[np.ndarray, "N K"] | None = None
    visible: Float32[np.ndarray, "N K"] | None = None

    def __post_init__(self) -> None:
        check_points(self.scheme, self.ids, self.points)
        for name in ("scores", "expected", "visible"):
            column = getattr(self, name)
            if column is not None and column.shape != self.points.shape[:2]:
                shape = " x ".join(map(str, column.shape))
                raise DataError(
                    f"{name} of shape {shape} for {len(self.ids)} faces of {len(self.scheme)} "
                    "points; one number for each point of each face expected."
                )

    def __len__(self) -> int:
        return len(self.ids)

    def to(self, scheme: Scheme) -> Predictions:
        """As ``Faces.to``: by name, NaN where this scheme has no such point."""
        points, scores = _match_points(self.scheme, scheme, self.points, self.scores)
        _, expected = _match_points(self.scheme, scheme, self.points, self.expected)
        _, visible = _match_points(self.scheme, scheme, self.points, self.visible)
        columns = {"scores": scores, "expected": expected, "visible": visible}
        return replace(self, scheme=scheme, points=points, **columns)


def join(*sets: Faces) -> Faces:
    """All faces of several sets of one scheme (use ``to`` first).

    A group that a set lacks is empty there; a missing box is NaN.
    """
    schemes = sorted({faces.scheme.name for faces in sets})
    if len(schemes) != 1:
        raise SettingError(
            f"Faces of schemes {', '.join(schemes)} cannot be joined as they are; "
            "bring them to one with .to(scheme) first."
        )
    lengths = [len(faces) for faces in sets]
    names = dict.fromkeys(name for faces in sets for name in faces.groups)
    boxes = [faces.boxes for faces in sets]
    occluded = [faces.occluded for faces in sets]
    return Faces(
        scheme=sets[0].scheme,
        ids=tuple(i for faces in sets for i in faces.ids),
        images=_join_images([faces.images for faces in sets]),
        points=np.concatenate([faces.points for faces in sets]),
        boxes=_join_columns(boxes, lengths, np.float32(np.nan)),
        occluded=_join_columns(occluded, lengths, np.False_),
        groups={name: _join_group(sets, name) for name in names},
        linked=tuple(dict.fromkeys(name for faces in sets for name in faces.linked)),
    )


def crop_boxes(
    images: Images,
    boxes: Float32[np.ndarray, "N 4"] | None,
    scale: float = 1.0,
    shift: tuple[float, float] = (0.0, 0.0),
) -> Float64[np.ndarray, "N 4"]:
    """Each face's box, moved by ``shift`` of its mean sides, with its sides times ``scale``.

    The whole image, as it is, without a box.
    """
    if boxes is None:
        grown = np.full((len(images), 4), np.nan)
    else:
        # Sides times `scale`: half of what is added goes to each end.
        grown = grow_box(shift_box(boxes, shift), (scale - 1) / 2)
    for i in np.flatnonzero(np.isnan(grown).any(axis=1)).tolist():
        # From the file's header; nothing is decoded.
        grown[i] = image_box(*image_size(images[i]))
    return grown


def _match_points(
    old: Scheme, new: Scheme, points: np.ndarray, extra: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Reorder points and a second (N, K) array by name; NaN or False where ``old`` has no point."""
    shared = new.matches(old)
    here, there = new.index(shared), old.index(shared.values())
    matched = np.full((len(points), len(new), 2), np.nan, dtype=np.float32)
    matched[:, here] = points[:, there]
    if extra is None:
        return matched, None
    # `occluded` is boolean and has no NaN.
    empty = False if extra.dtype == bool else np.nan
    other = np.full((len(points), len(new)), empty, dtype=extra.dtype)
    other[:, here] = extra[:, there]
    return matched, other


def _join_images(images: list[Images]) -> Images:
    arrays = [part for part in images if isinstance(part, np.ndarray)]
    if len(arrays) == len(images) and len({part.shape[1:] for part in arrays}) == 1:
        return np.concatenate(arrays)
    return tuple(image for part in images for image in part)


def _join_columns(
    columns: Sequence[np.ndarray | None], lengths: Sequence[int], empty: np.generic
) -> np.ndarray | None:
    """Concatenate arrays, filling those that are missing; None if all are."""
    there = next((column for column in columns if column is not None), None)
    if there is None:
        return None
    width = there.shape[1]
    filled = [
        np.full((length, width), empty) if column is None else column
        for column, length in zip(columns, lengths, strict=True)
    ]
    return np.concatenate(filled)


def _join_group(sets: Sequence[Faces], name: str) -> tuple[str, ...]:
    values: list[str] = []
    for faces in sets:
        values += faces.groups.get(name, (NO_GROUP,) * len(faces))
    return tuple(values)
