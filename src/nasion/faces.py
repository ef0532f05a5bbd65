"""Labelled faces and predicted points, and the conventions that hold everywhere.

Points are ``(x, y)`` float32 in pixels of the source picture, pixel centres at integers, the centre of the top-left pixel
at (0, 0). NaN in both coordinates means "not labelled" (in predictions: "not predicted"). Boxes are ``x0 y0 x1 y1`` in the
same coordinates: a whole picture is (-0.5, -0.5, W - 0.5, H - 0.5).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64

from nasion.errors import DataError, SettingError
from nasion.files import picture_size
from nasion.geometry import grow_box, whole_picture
from nasion.scheme import Scheme

Picture = Path | np.ndarray  # uint8, (H, W) grey or (H, W, 3) red green blue
Images = np.ndarray | Sequence[Picture]
NO_GROUP = ""


def check_points(scheme: Scheme, ids: Sequence[str], points: np.ndarray) -> None:
    """Refuse duplicate ids, a wrong shape, half a point and infinite coordinates, naming the face and the point."""
    twice = [name for name, count in Counter(ids).items() if count > 1]
    if twice:
        raise DataError(f"{len(twice)} ids occur more than once, {twice[0]!r} first; each face needs an id of its own.")
    if points.shape != (len(ids), len(scheme), 2):
        found = " x ".join(map(str, points.shape))
        raise DataError(f"Points of {found} do not fit {len(ids)} faces of scheme {scheme.name}, which has {len(scheme)} points with x and y.")
    missing = np.isnan(points)
    for what, wrong in (
        ("half a point (one coordinate of two)", missing[..., 0] != missing[..., 1]),
        ("an infinite coordinate", np.isinf(points).any(-1)),
    ):
        if wrong.any():
            face, point = np.argwhere(wrong)[0]
            value = points[face, point].tolist()
            raise DataError(f"Face {ids[face]!r} has {what} at {scheme.points[point]}: {value}. Give both x and y, or NaN for both.")


@dataclass(frozen=True, kw_only=True)
class Faces:
    """Labelled faces of one scheme.

    ``images``: uint8 (N, H, W[, 3]), or one path or array per face. ``groups``: for each name (source, person, subset ...)
    one value per face, reported apart; those named in ``linked`` must also not straddle a split. Raises ``DataError``.
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
        for name, picture in [("images", self.images)] if isinstance(self.images, np.ndarray) else zip(self.ids, self.images, strict=False):
            if isinstance(picture, np.ndarray) and (picture.dtype != np.uint8 or picture.ndim - (name == "images") not in (2, 3)):
                found = f"{picture.dtype} of {' x '.join(map(str, picture.shape))}"
                raise DataError(f"{name}: pictures are uint8 arrays of height x width or height x width x 3, with values 0 to 255; found {found}.")
        columns = {"images": self.images, "boxes": self.boxes, "occluded": self.occluded, **self.groups}
        for name, column in columns.items():
            if column is not None and len(column) != len(self.ids):
                raise DataError(f"{len(column)} {name} for {len(self.ids)} faces; each face needs one.")
        if self.boxes is not None:
            flat = np.flatnonzero(~((self.boxes[:, 2:] > self.boxes[:, :2]).all(axis=1) | np.isnan(self.boxes).any(axis=1)))
            if len(flat):
                box = self.boxes[flat[0]].tolist()
                raise DataError(f"Face {self.ids[flat[0]]!r} has the box {box}; x1 > x0 and y1 > y0 expected, or NaN for the whole picture.")
        unknown = [name for name in self.linked if name not in self.groups]
        if unknown:
            raise DataError(f"Linked groups {unknown} are not among the groups {list(self.groups)}.")

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
        """Faces at these positions: a slice, positions, or one True/False per face."""
        at = np.arange(len(self))[chosen]
        at = np.atleast_1d(at)
        return replace(
            self,
            ids=tuple(self.ids[i] for i in at),
            images=_rows(self.images, at),
            points=self.points[at],
            boxes=None if self.boxes is None else self.boxes[at],
            occluded=None if self.occluded is None else self.occluded[at],
            groups={name: tuple(values[i] for i in at) for name, values in self.groups.items()},
        )

    def subset(self, ids: Iterable[str]) -> Faces:
        """The faces with these ids, in this order; ``SettingError`` names the first unknown one."""
        position = {name: i for i, name in enumerate(self.ids)}
        ids = list(ids)
        unknown = [name for name in ids if name not in position]
        if unknown:
            raise SettingError(f"{len(unknown)} ids are not among these {len(self)} faces, {unknown[0]!r} first.")
        return self[np.array([position[name] for name in ids], dtype=np.int64)]

    def split_by(self, group: str, values: Iterable[str]) -> tuple[Faces, Faces]:
        """Faces whose ``group`` is one of ``values``, and all others."""
        inside = np.isin(self.group(group), list(values))
        return self[inside], self[~inside]

    def group(self, name: str) -> np.ndarray:
        """One value per face; ``SettingError`` lists the groups there are."""
        if name not in self.groups:
            raise SettingError(f"No group {name!r}; these faces have {', '.join(self.groups) or 'none'}.")
        return np.array(self.groups[name], dtype=object)

    def to(self, scheme: Scheme) -> Faces:
        """The same faces in another scheme: points are matched by name, those that this scheme lacks become NaN."""
        if scheme == self.scheme:
            return self
        points, occluded = _matched(self.scheme, scheme, self.points, self.occluded)
        return replace(self, scheme=scheme, points=points, occluded=occluded)


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Predicted points of one scheme, in pixels of the source picture.

    ``scores``: the chance that a point is off by no more than ``calibration.TOLERANCE`` of the face's size; ``expected``: how many
    pixels it is expected to be off. None where the network says neither.
    """

    scheme: Scheme
    ids: tuple[str, ...]
    points: Float32[np.ndarray, "N K 2"]
    scores: Float32[np.ndarray, "N K"] | None = None
    expected: Float32[np.ndarray, "N K"] | None = None

    def __post_init__(self) -> None:
        check_points(self.scheme, self.ids, self.points)

    def __len__(self) -> int:
        return len(self.ids)

    def to(self, scheme: Scheme) -> Predictions:
        """As ``Faces.to``: by name, NaN where this scheme has no such point."""
        points, scores = _matched(self.scheme, scheme, self.points, self.scores)
        _, expected = _matched(self.scheme, scheme, self.points, self.expected)
        return replace(self, scheme=scheme, points=points, scores=scores, expected=expected)


def join(*sets: Faces) -> Faces:
    """All faces of several sets of one scheme (take ``to`` first); a group or box that a set lacks is empty or NaN there."""
    schemes = sorted({faces.scheme.name for faces in sets})
    if len(schemes) != 1:
        raise SettingError(f"Faces of schemes {', '.join(schemes)} cannot be joined as they are; bring them to one with .to(scheme) first.")
    names = list(dict.fromkeys(name for faces in sets for name in faces.groups))
    return Faces(
        scheme=sets[0].scheme,
        ids=tuple(i for faces in sets for i in faces.ids),
        images=_joined_images([faces.images for faces in sets]),
        points=np.concatenate([faces.points for faces in sets]),
        boxes=_joined([faces.boxes for faces in sets], [(len(faces), 4) for faces in sets], np.float32(np.nan)),
        occluded=_joined([faces.occluded for faces in sets], [faces.points.shape[:2] for faces in sets], np.False_),
        groups={name: tuple(v for faces in sets for v in faces.groups.get(name, (NO_GROUP,) * len(faces))) for name in names},
        linked=tuple(dict.fromkeys(name for faces in sets for name in faces.linked)),
    )


def crop_boxes(faces: Faces, scale: float = 1.0) -> Float64[np.ndarray, "N 4"]:
    """Each face's box with its sides times ``scale``; the whole picture, as it is, where it has none."""
    boxes = np.full((len(faces), 4), np.nan) if faces.boxes is None else grow_box(faces.boxes, (scale - 1) / 2)
    without = np.isnan(boxes).any(axis=1)
    for i in np.flatnonzero(without).tolist():
        boxes[i] = whole_picture(*picture_size(faces.images[i]))
    return boxes


def _matched(old: Scheme, new: Scheme, points: np.ndarray, extra: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Points and a second (N, K) array reordered by name; where ``new`` has a point that ``old`` lacks: NaN or False."""
    shared = [name for name in new.points if name in old]
    here, there = new.index(shared), old.index(shared)
    moved = np.full((len(points), len(new), 2), np.nan, dtype=np.float32)
    moved[:, here] = points[:, there]
    if extra is None:
        return moved, None
    empty = np.zeros if extra.dtype == bool else lambda shape, dtype: np.full(shape, np.nan, dtype)
    other = empty((len(points), len(new)), extra.dtype)
    other[:, here] = extra[:, there]
    return moved, other


def _rows(images: Images, at: np.ndarray) -> Images:
    return images[at] if isinstance(images, np.ndarray) else tuple(images[i] for i in at)


def _joined_images(images: list[Images]) -> Images:
    arrays = [part for part in images if isinstance(part, np.ndarray)]
    if len(arrays) == len(images) and len({part.shape[1:] for part in arrays}) == 1:
        return np.concatenate(arrays)
    return tuple(picture for part in images for picture in part)


def _joined(columns: list[np.ndarray | None], shapes: Sequence[tuple[int, ...]], empty: np.generic) -> np.ndarray | None:
    if all(column is None for column in columns):
        return None
    return np.concatenate([np.full(shape, empty) if column is None else column for column, shape in zip(columns, shapes, strict=True)])
