"""Face crops that the detector learns from: the training sides of the sets of face_sets.py.

Faces of which a half is labelled have the other half placed by symmetry, so that their boxes are
of the whole face.
"""

from dataclasses import dataclass

import numpy as np
from face_sets import load_mtfl, load_sets
from PIL import Image

import nasion
from nasion.data.drawn_patterns import draw_animal, draw_pattern
from nasion.inference.detectors.single_shot import SingleShot
from nasion.landmarks import geometry
from nasion.landmarks.catalog import ibug68
from nasion.landmarks.half_faces import with_other_half
from nasion.media.images import open_image

# How likely each set's faces are to be drawn. iBUG's photographs vary most; udacity68's are frames
# of few videos.
SHARES = {
    "ibug68": 0.42,
    "udacity68": 0.12,
    "cfp_profile": 0.13,
    "cfp_frontal": 0.12,
    "fgnet": 0.11,
    "mtfl5": 0.07,
    "webmorph": 0.03,
}
DRAWINGS = 500  # of patterns, and of animals
_MAX_SIDE = 200  # pixels of a stored crop's longer side
_NOSE_TIP, _JAW_ENDS = 30, [0, 16]
# Score from which a detection beside the labelled face is a possible face. In the first two sets
# bystanders are common; in the others a low score is mostly hair, an ear or clothes.
_BYSTANDER = {"ibug68": 0.1, "udacity68": 0.1}
_BYSTANDER_ELSEWHERE = 0.4


@dataclass(frozen=True)
class FaceCrop:
    """A grey crop of one labelled face, as an image pyramid (each level half the one before)."""

    pyramid: tuple[Image.Image, ...]
    points: np.ndarray  # (K, 2) in pixels of the first level; none is NaN
    ignored: np.ndarray  # (M, 4) boxes of possible faces without labels
    box: np.ndarray  # (4,) tight around the points
    back: int  # of a profile: 1 if the back of the head is at the right of the face, -1 left


@dataclass(frozen=True)
class Sources:
    """What scenes are composed of. ``chances``: of each crop, accumulated to 1."""

    crops: list[FaceCrop]
    chances: np.ndarray
    profiles: list[FaceCrop]
    drawings: list[Image.Image]

    def face(self, rng):
        return self.crops[np.searchsorted(self.chances, rng.uniform(), side="right")]

    def profile(self, rng):
        return self.profiles[rng.integers(len(self.profiles))]

    def drawing(self, rng):
        return self.drawings[rng.integers(len(self.drawings))]


def load_sources(data, marker):
    """All crops of the sets, and drawings. ``marker``: the ONNX file that finds bystanders."""
    train = load_sets(data)[0]
    train["mtfl5"] = load_mtfl(data / "mtfl5", nasion.load_model("face68_light"))
    crops, chances, profiles = [], [], []
    for name, share in SHARES.items():
        min_score = _BYSTANDER.get(name, _BYSTANDER_ELSEWHERE)
        detector = SingleShot(min_face=12, min_score=min_score, file=marker)
        some = load_crops(train[name], outlines(train[name]), detector, name == "cfp_profile")
        crops += some
        chances += [share / len(some)] * len(some)
        profiles += [crop for crop in some if crop.back]
    rng = np.random.default_rng(10_000)
    drawings = [
        Image.fromarray(draw(rng)).convert("L")
        for draw in (draw_pattern, draw_animal)
        for _ in range(DRAWINGS)
    ]
    accumulated = np.cumsum(chances)
    return Sources(crops, accumulated / accumulated[-1], profiles, drawings)


def outlines(faces):
    """(N, K, 2): all points of each face; an ellipse in its box where few are labelled."""
    if faces.labelled.sum(axis=1).min() > 10:
        return with_other_half(faces.points, ibug68)[0]
    angles = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    low, high = faces.boxes[:, None, :2].astype(np.float64), faces.boxes[:, None, 2:]
    return (low + high) / 2 + circle * (high - low) / 2


def load_crops(faces, outlines, detector, profile):
    """All faces as crops that are small enough to keep in memory.

    What the detector finds beside the labelled face may be a face without labels: it is ignored.
    """
    crops = []
    for path, points in zip(faces.images, outlines, strict=True):
        image = Image.fromarray(open_image(path, colour=False))
        factor = min(1.0, _MAX_SIDE / max(image.size))
        size = tuple(max(8, round(side * factor)) for side in image.size)
        to_small = geometry.box_to_frame(geometry.image_box(*image.size), size)
        points = geometry.apply(to_small, points[~np.isnan(points[:, 0])])
        image = image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2)
        box = geometry.points_box(points)
        detected = detector(np.asarray(image))[0].astype(np.float64)
        centers = (detected[:, :2] + detected[:, 2:]) / 2
        others = ((centers < box[:2]) | (centers > box[2:])).any(1)
        padded, offset = _pad_by_mirroring(np.asarray(image), box)
        pyramid = [Image.fromarray(padded)]
        while min(pyramid[-1].size) > 24:
            pyramid.append(pyramid[-1].reduce(2))
        ignored = detected[others] + np.tile(offset, 2)
        back = 0
        if profile and len(points) == len(ibug68.points):
            back = int(np.sign(points[_JAW_ENDS, 0].mean() - points[_NOSE_TIP, 0]))
        box = box + np.tile(offset, 2)
        crops.append(FaceCrop(tuple(pyramid), points + offset, ignored, box, back))
    return crops


def _pad_by_mirroring(pixels, box):
    """The crop padded with its mirror image, and the offset (x, y) of its old origin.

    Each side is padded by at most the room beside the face, so that no part of it is mirrored.
    """
    height, width = pixels.shape
    room = [box[0], box[1], width - 1 - box[2], height - 1 - box[3]]
    left, top, right, bottom = (
        int(np.clip(space, 0, side // 2))
        for space, side in zip(room, (width, height) * 2, strict=True)
    )
    padded = np.pad(pixels, ((top, bottom), (left, right)), mode="symmetric")
    return padded, np.array([left, top], dtype=np.float64)
