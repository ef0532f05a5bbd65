"""Crops to train a face head on (``face_head.py``): faces as they are met, and what is no face.

Faces are badly cropped, turned, blurred and covered. No faces are drawings, cropped where the
detector proposes a face; windows beside faces, or of parts of them, and what the detector proposes
there; and faces whose pieces are out of order. A point cannot be seen if something was put in front
of it, if it is on the far half of a profile, or if its label says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from nasion.array_types import Float32, Float64, UInt8
from nasion.data.augment import Augment
from nasion.data.corrupt import Corrupt
from nasion.data.covers import cover
from nasion.data.drawn_patterns import draw_animal, draw_pattern
from nasion.inference.backends import Network
from nasion.inference.crops import augmented_batch, crop_faces, crop_images, input_images
from nasion.inference.detectors.single_shot import SingleShot
from nasion.inference.predictor import Predictor
from nasion.landmarks import geometry
from nasion.landmarks.boxes import iou
from nasion.landmarks.faces import Faces, crop_boxes
from nasion.landmarks.half_faces import is_half, with_other_half
from nasion.landmarks.head_pose import fit_head_poses
from nasion.landmarks.mean_face import mean_face
from nasion.media.images import as_pixels
from nasion.model_spec import ModelSpec

Inputs = Float32[np.ndarray, "N C H W"]
_BATCH = 64
# Without flips, which would exchange left and right of what can be seen.
_AUGMENT = Augment(rotate=35, scale=0.25, shift=0.12, brightness=0.3, contrast=0.5, stretch=0.1)
_CORRUPT = Corrupt(blur=2.0, noise=0.05, jpeg=0.3)
_PROFILE, _TURNED = 50.0, 35.0  # degrees of yaw: half faces beyond are profiles; others uncertain
# Sides of windows beside a face, and how much of a face they may overlap (IoU).
_WINDOW, _OVERLAP, _TRIES = (0.12, 2.2), 0.2, 20
_PER_PICTURE = 2  # proposals of the detector in one image
_MUCH_SMALLER = 0.3  # times the labelled face's side
_MIN_SCORE = 0.05  # of such proposals: other detectors, and the next one, propose others


@dataclass(frozen=True, eq=False)
class FaceExamples:
    """Network inputs, and what the head should say of them; NaN: not known."""

    images: Float32[np.ndarray, "N C H W"]
    face: Float32[np.ndarray, " N"]
    visible: Float32[np.ndarray, "N K"]


def face_examples(
    faces: Faces, spec: ModelSpec, network: Network, count: int, rng: np.random.Generator
) -> FaceExamples:
    """``count`` crops of faces, and more of what is no face, as this network is shown them."""
    predictor = Predictor(spec=spec, network=network, tta="none")
    images, visible = _faces_shown(faces, spec, count, rng)
    others = np.concatenate(
        [
            _beside_faces(faces, predictor, count // 2, rng),
            _proposed_beside(faces, predictor, count // 4, rng),
            _drawings(predictor, count // 2, rng),
            _out_of_order(images[: count // 6], rng),
        ]
    )
    unknown = np.full((len(others), visible.shape[1]), np.nan, dtype=np.float32)
    return FaceExamples(
        images=np.concatenate([images, others]),
        face=np.repeat([1, 0], [len(images), len(others)]).astype(np.float32),
        visible=np.concatenate([visible, unknown]),
    )


def _faces_shown(
    faces: Faces, spec: ModelSpec, count: int, rng: np.random.Generator
) -> tuple[Inputs, Float32[np.ndarray, "N K"]]:
    """Crops of faces, half of them of profiles if there are any, and which points can be seen."""
    known = seen_points(faces)
    half = is_half(faces.points, faces.scheme)
    whole = faces.points.copy()
    whole[half] = with_other_half(faces.points[half], faces.scheme)[0]
    crops = crop_faces(replace(faces, points=whole), spec, _AUGMENT)
    profile = (known == 0).any(axis=1)
    chance = np.where(profile, 1 / max(profile.sum(), 1), 1 / max((~profile).sum(), 1))
    chosen = rng.choice(len(faces), count, p=chance / chance.sum())
    images, visible = [], []
    for start in range(0, count, _BATCH):
        at = chosen[start : start + _BATCH]
        batch = augmented_batch(crops, at, spec, _AUGMENT, _CORRUPT, rng)
        shown, covered = cover(np.asarray(batch.images), batch.points, spec.pixel_range, rng)
        seen = known[at].copy()
        seen[covered & ~np.isnan(seen)] = 0
        images.append(shown)
        visible.append(seen)
    return np.concatenate(images), np.concatenate(visible)


def seen_points(faces: Faces) -> Float32[np.ndarray, "N K"]:
    """1 for points that can be seen, 0 for hidden ones, NaN where labels and pose do not tell."""
    scheme, labelled = faces.scheme, faces.labelled
    seen = np.where(labelled, 1, np.nan).astype(np.float32)
    yaw = fit_head_poses(faces.points, scheme).yaw
    half = is_half(faces.points, scheme)
    side = np.sign(mean_face(scheme)[:, 0])  # -1 on the subject's right
    midline = scheme.flip == np.arange(len(scheme))
    # A head turned to its left hides its left half.
    far = (side[None] == np.sign(yaw)[:, None]) & ~midline
    profile = (half & (np.abs(yaw) > _PROFILE))[:, None] & ~np.isnan(side)
    seen[profile & far & ~labelled] = 0
    # The other half is in sight, its unlabelled points too. As unknown they would be taken for
    # hidden: in other profiles only hidden points have no labels.
    seen[profile & ~far] = 1
    seen[(~half & (np.abs(yaw) > _TURNED))[:, None] & far] = np.nan
    if faces.occluded is not None:
        seen[faces.occluded] = 0
    return seen


def _beside_faces(
    faces: Faces, predictor: Predictor, count: int, rng: np.random.Generator
) -> Inputs:
    """Windows of the faces' images that show hardly any of the face, or a part of it too close."""
    images, windows = [], []
    boxes = crop_boxes(faces.images, faces.boxes)
    while len(windows) < count:
        i = int(rng.integers(len(faces)))
        image = as_pixels(faces.images[i], predictor.spec.colour)
        window = _window(boxes[i], image.shape[:2], rng)
        if window is not None:
            images.append(image)
            windows.append(window)
    return _looked_at(images, np.array(windows), predictor)


def _window(
    face: Float64[np.ndarray, " 4"], size: tuple[int, ...], rng: np.random.Generator
) -> Float64[np.ndarray, " 4"] | None:
    """A square that overlaps the face little; None if none was found."""
    height, width = size
    side = (face[2:] - face[:2]).mean()
    for _ in range(_TRIES):
        own = side * np.exp(rng.uniform(*np.log(_WINDOW)))
        room = np.maximum(np.array([width, height]) - 0.8 * own, 1)
        corner = rng.uniform(-0.2 * own, room)
        window = np.concatenate([corner, corner + own])
        both = np.minimum(window[2:], face[2:]) - np.maximum(window[:2], face[:2])
        shared = np.prod(np.maximum(both, 0))
        if shared / (own**2 + np.prod(face[2:] - face[:2]) - shared) < _OVERLAP:
            return window
    return None


def _proposed_beside(
    faces: Faces, predictor: Predictor, count: int, rng: np.random.Generator
) -> Inputs:
    """What the detector takes for much smaller faces beside a labelled one, as folds and letters.

    At most ``count``. Larger ones may be people without labels.
    """
    detector = SingleShot(min_score=_MIN_SCORE)
    images, windows = [], []
    boxes = crop_boxes(faces.images, faces.boxes)
    for i in rng.permutation(len(faces))[: _TRIES * count].tolist():
        image = as_pixels(faces.images[i], predictor.spec.colour)
        proposed = detector(image)[0].astype(np.float64)
        sides = np.sqrt(np.prod(proposed[:, 2:] - proposed[:, :2], axis=1))
        much_smaller = sides < _MUCH_SMALLER * (boxes[i, 2:] - boxes[i, :2]).mean()
        beside = iou(boxes[i], proposed) == 0
        for box in proposed[much_smaller & beside][:_PER_PICTURE]:
            images.append(image)
            windows.append(box)
        if len(windows) >= count:
            break
    if not windows:
        return np.zeros((0, *_input_shape(predictor.spec)), dtype=np.float32)
    return _looked_at(images[:count], np.array(windows[:count]), predictor)


def _input_shape(spec: ModelSpec) -> tuple[int, int, int]:
    width, height = spec.input_size
    return 3 if spec.colour else 1, height, width


def _drawings(predictor: Predictor, count: int, rng: np.random.Generator) -> Inputs:
    """What the detector takes for faces in drawings, and as many windows in drawings."""
    detector = SingleShot(min_score=_MIN_SCORE)
    images, windows = [], []
    for picture in _pictures(rng):
        side = picture.shape[0]
        proposed = detector(picture)[0][:_PER_PICTURE].astype(np.float64)
        whole = np.array([0.15, 0.15, 0.85, 0.85]) * side
        for box in (*proposed, whole):
            size = (box[2:] - box[:2]).mean()
            images.append(picture)
            windows.append(box + rng.normal(0, 0.06 * size, 4))
        if len(windows) >= count:
            return _looked_at(images[:count], np.array(windows[:count]), predictor)
    raise AssertionError("pictures do not end")


def _pictures(rng: np.random.Generator) -> Iterator[UInt8[np.ndarray, "side side 3"]]:
    while True:
        yield draw_pattern(rng)
        yield draw_animal(rng)


def _looked_at(
    images: list[np.ndarray], boxes: Float64[np.ndarray, "N 4"], predictor: Predictor
) -> Inputs:
    """Crops of these boxes; of every other one, as a second look crops what the first has found."""
    again = np.arange(len(images)) % 2 == 1
    some = tuple(image for image, chosen in zip(images, again, strict=True) if chosen)
    found = geometry.points_box(predictor(some, boxes[again].astype(np.float32)).points)
    boxes = boxes.copy()
    boxes[again] = found
    return _inputs(images, boxes, predictor.spec)


def _inputs(images: list[np.ndarray], boxes: np.ndarray, spec: ModelSpec) -> Inputs:
    seen = crop_boxes(tuple(images), boxes.astype(np.float32), spec.box_scale, spec.box_shift)
    crops = crop_images(tuple(images), seen, spec)
    return np.asarray(input_images(crops, np.arange(len(crops)), spec))


def _out_of_order(images: Inputs, rng: np.random.Generator) -> Inputs:
    """Faces cut into nine or sixteen pieces, in another order."""
    mixed = images.copy()
    for image in mixed:
        count = int(rng.integers(3, 5))
        high, wide = image.shape[1] // count, image.shape[2] // count
        spots = [(y * high, x * wide) for y in range(count) for x in range(count)]
        pieces = [image[:, y : y + high, x : x + wide].copy() for y, x in spots]
        for (y, x), k in zip(spots, rng.permutation(len(spots)).tolist(), strict=True):
            image[:, y : y + high, x : x + wide] = pieces[k]
    return mixed
