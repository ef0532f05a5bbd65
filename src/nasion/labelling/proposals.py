"""Where a network would put the points of a face, in the scheme that is labelled.

Points are matched by name. Those that the network does not know are weighted means of those that it
knows, fitted to labels (``training/point_map.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nasion.array_types import Bool, Float, Float64, Int64
from nasion.data.missing_boxes import estimate_boxes
from nasion.inference.landmarker import Landmarker
from nasion.landmarks.boxes import iou
from nasion.landmarks.face import VISIBLE, Face
from nasion.landmarks.face_extent import boxes_of_points
from nasion.landmarks.geometry import points_box
from nasion.landmarks.scheme import Scheme
from nasion.training.point_map import combine_points

FEWEST = 3  # labelled faces, from which weights of unknown points are fitted
_SMALL = 128  # pixels: images up to this size are cut-outs of one face
_INSIDE = 0.5  # of the labelled points that a detected box must hold
_SAME_FACE = 0.3  # intersection over union of a face's box and a detected one


@dataclass(frozen=True, eq=False)
class NetworkPoints:
    """What the network says of a face, in its own points.

    ``expected``: expected errors in pixels, and ``score``: that it is a face; None if the network
    does not predict its own error. ``box``: around the points. ``visible``: the chance that each
    point can be seen; None if the network does not predict it.
    """

    points: Float64[np.ndarray, "J 2"]
    expected: Float64[np.ndarray, " J"] | None
    score: float | None
    box: Float64[np.ndarray, " 4"]
    visible: Float64[np.ndarray, " J"] | None = None


@dataclass(frozen=True, eq=False)
class Proposal:
    """A face's points in pixels, NaN for those that cannot be proposed.

    ``error``: expected errors in pixels, NaN where they are not known. ``visible``: as of
    ``NetworkPoints``, NaN for points that are not proposed.
    """

    points: Float64[np.ndarray, "K 2"]
    error: Float64[np.ndarray, " K"]
    score: float | None
    visible: Float64[np.ndarray, " K"] | None = None

    @property
    def hidden(self) -> Bool[np.ndarray, " K"]:
        """True for points that would be labelled as occluded."""
        if self.visible is None:
            return np.zeros(len(self.points), dtype=bool)
        return self.visible < VISIBLE

    @property
    def doubt(self) -> float:
        """The mean expected error in parts of the face's size; NaN if it is not known."""
        known = ~np.isnan(self.points).any(axis=1) & ~np.isnan(self.error)
        if not known.any():
            return float("nan")
        box = points_box(self.points[None])[0]
        size = float(np.sqrt(np.prod(np.maximum(box[2:] - box[:2], 1))))
        return float(self.error[known].mean()) / size


@dataclass(frozen=True, eq=False)
class Proposer:
    """``weights``: of the network's points, for each point of the scheme; NaN: not proposed."""

    landmarker: Landmarker
    scheme: Scheme
    weights: Float64[np.ndarray, "K J"]

    @property
    def is_complete(self) -> bool:
        """Whether the network knows every point by name."""
        return bool((_named(self.landmarker, self.scheme) >= 0).all())

    def of_points(self, found: NetworkPoints) -> Proposal:
        """What the network says, in the points of the scheme."""
        # 0 times NaN would be NaN; the network's own points are all there.
        points = self.weights @ found.points
        if found.expected is None:
            error = np.full(len(self.scheme), np.nan)
        else:
            # As of independent errors: a mean of points is surer than one of them.
            error = np.sqrt(self.weights**2 @ found.expected**2)
        visible = None if found.visible is None else self.weights @ found.visible
        return Proposal(points, error, found.score, visible)

    def faces_in(self, pixels: np.ndarray) -> list[NetworkPoints]:
        """Every face of an image, best first."""
        return [_network_points(face) for face in self.landmarker(pixels)]

    def in_box(self, pixels: np.ndarray, box: Sequence[float]) -> NetworkPoints:
        """The face in a box. Raises ``DataError`` for one that is outside of the image."""
        return _network_points(self.landmarker(pixels, np.asarray(box, np.float32))[0])

    def of_labelled(
        self,
        pixels: np.ndarray,
        points: Float[np.ndarray, "K 2"],
        box: Float[np.ndarray, " 4"] | None,
    ) -> NetworkPoints:
        """The face that these labels are of. ``box``: as the labels give it.

        Labels may be wrong, so the detector's box counts beside theirs: whichever the network is
        surer of.
        """
        own = estimate_boxes(points[None], self.scheme)[0] if box is None else box
        if max(pixels.shape[:2]) <= _SMALL:
            own = np.full(4, np.nan)
            boxes = own[None]
        else:
            found = self._detected(pixels, points, own)
            boxes = np.array([each for each in (found, own) if not np.isnan(each).any()])
            boxes = boxes if len(boxes) else np.full((1, 4), np.nan)
        faces = self.landmarker.predictor.faces_in(pixels, boxes.astype(np.float32))
        # The first of the best: the detector's, if the network does not tell.
        return _network_points(max(faces, key=lambda face: face.score))

    def fitted(
        self,
        known: Float64[np.ndarray, "N J 2"],
        labels: Float64[np.ndarray, "N K 2"],
        groups: Sequence[str],
    ) -> Proposer:
        """With weights that are fitted to labels. ``known``: the network's points on these faces.

        ``groups``: as of persons, which are left out together to choose how much is fitted.
        """
        weights = combine_points(known, labels, _named(self.landmarker, self.scheme), groups)
        return replace(self, weights=weights)

    def without(self, unknown: Bool[np.ndarray, " K"]) -> Proposer:
        """Without proposals for these points, as of outputs that were never trained."""
        return replace(self, weights=np.where(unknown[:, None], np.nan, self.weights))

    def _detected(
        self, pixels: np.ndarray, points: np.ndarray, own: Float[np.ndarray, " 4"]
    ) -> Float64[np.ndarray, " 4"]:
        """The detected box that holds most of the points, else overlaps most; NaN without one."""
        nothing = np.full(4, np.nan)
        if self.landmarker.detector is None:
            return nothing
        boxes = np.asarray(self.landmarker.detector(pixels)[0], np.float64)
        labelled = points[~np.isnan(points).any(axis=1)]
        if not len(boxes):
            return nothing
        if len(labelled):
            low, high = boxes[:, None, :2], boxes[:, None, 2:]
            shares = ((labelled >= low) & (labelled <= high)).all(axis=2).mean(axis=1)
            needed = _INSIDE
        elif not np.isnan(own).any():
            shares, needed = iou(np.asarray(own, np.float64), boxes), _SAME_FACE
        else:
            return nothing
        best = int(np.argmax(shares))
        if shares[best] < needed:
            return nothing
        spec = self.landmarker.predictor.spec
        return boxes_of_points(boxes[best : best + 1], spec.scheme, spec.face_margins)[0]


def proposer(landmarker: Landmarker, scheme: Scheme) -> Proposer:
    """Proposals of a network, for the points that it knows by name."""
    named = _named(landmarker, scheme)
    weights = np.full((len(scheme), len(landmarker.predictor.spec.scheme)), np.nan)
    known = named >= 0
    weights[known] = np.eye(weights.shape[1])[named[known]]
    return Proposer(landmarker, scheme, weights)


def _named(landmarker: Landmarker, scheme: Scheme) -> Int64[np.ndarray, " K"]:
    """The position of the network's point of the same name; -1 if there is none."""
    own = landmarker.predictor.spec.scheme
    same = scheme.matches(own)
    return np.array([own.points.index(same[p]) if p in same else -1 for p in scheme.points])


def _network_points(face: Face) -> NetworkPoints:
    expected = None if face.expected is None else face.expected.astype(np.float64)
    score = None if face.scores is None else float(face.score)
    visible = None if face.visible is None else face.visible.astype(np.float64)
    return NetworkPoints(
        face.points.astype(np.float64), expected, score, face.box.astype(np.float64), visible
    )
