"""Drawn faces with exactly known points: any scheme, any pattern of missing labels, no download.

Path: ``toy``, ``toy:COUNT`` or ``toy:COUNT:SEED``. A third of the faces have all labels, the rest
about half.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from nasion.array_types import Float32, UInt8
from nasion.data.datasets._label_files import check_split
from nasion.data.record_faults import Faults
from nasion.errors import SettingError, require
from nasion.landmarks.catalog import fkd15, ibug68
from nasion.landmarks.face_model import Expression, brow, jaw, lid, points_of, rotate_head
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme
from nasion.media.number_text import parse_whole

SCHEME: Scheme = fkd15
SPLITS = ("all",)
WHOLE_IMAGES = True  # as published, images are crops of one face
SIDE = 96  # pixels, as in Kaggle's set
Pattern = tuple[float, Sequence[str]]  # the fraction of faces with just these points labelled
_SKINS = (
    (255, 219, 190), (241, 194, 155), (224, 172, 125), (198, 134, 90), (141, 85, 52), (92, 58, 40),
)  # fmt: skip
_HAIRS = (
    (20, 16, 14), (60, 40, 25), (110, 75, 40), (190, 150, 90), (150, 60, 30), (150, 150, 150),
)  # fmt: skip
_MAX_COUNT = 1_000_000  # faces of 9 kB each, held in memory
_SUPERSAMPLING = 3  # canvas pixels per image pixel and axis; averaged at the end


def recognises(root: Path) -> bool:
    return str(root).split(":")[0] == "toy"


def read(
    root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None
) -> Faces:
    """The faces of a path like ``toy:500:1``; two in three miss about half of their labels."""
    check_split(split, SPLITS, "toy")
    words = str(root).split(":")[1:]
    wrong = f"{root}: toy faces are named toy, toy:COUNT or toy:COUNT:SEED, with COUNT from 1"
    require(recognises(root) and len(words) <= 2, f"{wrong}.")
    try:
        count = parse_whole(words[0], 1, _MAX_COUNT) if words else 1000
        seed = parse_whole(words[1]) if words[1:] else 0
    except ValueError as error:
        raise SettingError(f"{wrong}; found {error}.") from None
    faces = draw(count, scheme or SCHEME, seed=seed)
    rng = np.random.default_rng([seed, 1])
    partly = rng.uniform(size=len(faces)) < 2 / 3
    hidden = partly[:, None] & (rng.uniform(size=faces.labelled.shape) < 0.5)
    if faces.scheme.norm is not None:
        # Keep the points of the norm: without them hardly a face has an NME.
        hidden[:, faces.scheme.index(name for group in faces.scheme.norm for name in group)] = False
    return hide_labels(faces, hidden)


def draw(
    count: int,
    scheme: Scheme = fkd15,
    *,
    seed: int = 0,
    size: int = SIDE,
    colour: bool = False,
    patterns: Sequence[Pattern] = (),
) -> Faces:
    """Faces of varied pose, light, skin, hair and glasses in square images of ``size`` pixels.

    ``patterns``: fractions of the faces with only the named points labelled, as
    ``[(0.7, ("nose_tip", ...))]``; the rest are complete. ``occluded`` marks eye points behind dark
    glasses.
    """
    images, points, hidden = [], [], []
    for i in range(count):
        # A generator per face: the first faces are the same however many follow.
        image, place, covered = _face(scheme, np.random.default_rng([seed, i]), size)
        images.append(image if colour else np.asarray(Image.fromarray(image).convert("L")))
        points.append(place)
        hidden.append(covered)
    faces = Faces(
        scheme=scheme,
        ids=tuple(f"toy/{seed}/{i}" for i in range(count)),
        images=np.stack(images),
        points=np.stack(points),
        occluded=np.stack(hidden),
    )
    fractions = [fraction for fraction, _ in patterns]
    rng = np.random.default_rng([seed, count])
    kind = rng.choice(len(patterns) + 1, count, p=[*fractions, 1 - sum(fractions)])
    unlabelled = np.zeros(faces.labelled.shape, dtype=bool)
    for i, (_, names) in enumerate(patterns):
        unlabelled[kind == i] = ~np.isin(np.arange(len(scheme)), scheme.index(names))
    return hide_labels(faces, unlabelled)


def hide_labels(faces: Faces, unlabelled: np.ndarray) -> Faces:
    """The same faces without these labels (True: remove), (N, K)."""
    return replace(faces, points=np.where(unlabelled[..., None], np.float32(np.nan), faces.points))


class _View:
    """Pose, expression and position of one face, and the canvas that it is drawn on."""

    def __init__(self, rng: np.random.Generator, size: int) -> None:
        self.face = Expression(
            eyes=rng.uniform(0.35, 1),
            # Shut in 3 of 8 faces.
            mouth=max(0, rng.uniform(-0.6, 1)),
            smile=rng.uniform(-0.6, 1),
            gaze=rng.uniform(-0.8, 0.8),
            brows=rng.uniform(-0.5, 1),
            width=rng.uniform(0.92, 1.08),
            jaw=rng.uniform(0.92, 1.08),
        )
        # Yaw, pitch and roll in degrees.
        self.angles = (rng.normal(0, 14), rng.normal(0, 8), rng.normal(0, 7))
        self.size = size
        # Pixels between the outer eye corners.
        self.scale = size * rng.uniform(0.4, 0.48)
        self.center = size * np.array([0.5 + rng.normal(0, 0.025), 0.36 + rng.normal(0, 0.02)])
        self.canvas = Image.new("RGB", (size * _SUPERSAMPLING, size * _SUPERSAMPLING))
        self.pen = ImageDraw.Draw(self.canvas)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Points of the 3-D face to (n, 2) pixels of the final image."""
        return rotate_head(points, *self.angles)[..., :2] * self.scale + self.center

    def corners(self, points: np.ndarray) -> list[tuple[float, float]]:
        # Pillow's origin is the corner of the first pixel, ours its centre.
        return [tuple(p) for p in ((self.project(points) + 0.5) * _SUPERSAMPLING).tolist()]

    def area(self, points: np.ndarray, colour: tuple[int, ...]) -> None:
        self.pen.polygon(self.corners(points), fill=colour)

    def line(self, points: np.ndarray, colour: tuple[int, ...], width: float) -> None:
        self.pen.line(
            self.corners(points),
            fill=colour,
            width=max(1, round(width * self.scale * _SUPERSAMPLING)),
            joint="curve",
        )

    def disc(self, middle: np.ndarray, radius: float, colour: tuple[int, ...]) -> None:
        (x, y), r = self.corners(middle[None])[0], radius * self.scale * _SUPERSAMPLING
        self.pen.ellipse([x - r, y - r, x + r, y + r], fill=colour)


def _face(
    scheme: Scheme, rng: np.random.Generator, size: int
) -> tuple[UInt8[np.ndarray, "H W 3"], Float32[np.ndarray, "K 2"], np.ndarray]:
    """(image, points, which points are occluded)"""
    view = _View(rng, size)
    skin = _shade(_SKINS[rng.integers(len(_SKINS))], rng.uniform(0.9, 1.05))
    hair = _HAIRS[rng.integers(len(_HAIRS))]
    # Painter's order: what is drawn later hides what is behind it.
    _background(view, rng)
    _head(view, rng, skin, hair)
    for mirrored in (1, -1):
        _eye(view, rng, hair, skin, mirrored)
    _nose(view, skin)
    _mouth(view, skin)
    glasses = rng.choice(["none", "clear", "dark"], p=[0.68, 0.22, 0.1])
    if glasses != "none":
        _glasses(view, rng, dark=glasses == "dark")
    # Projected by the same view that drew the face, so the labels are exact.
    points = view.project(points_of(scheme.points, view.face)).astype(np.float32)
    eyes = np.array(["_eye_" in name or "pupil" in name for name in scheme.points])
    return _lit(view, rng), points, eyes & (glasses == "dark")


def _shade(colour: tuple[int, ...], factor: float) -> tuple[int, ...]:
    return tuple(int(np.clip(c * factor, 0, 255)) for c in colour)


def _background(view: _View, rng: np.random.Generator) -> None:
    side = view.canvas.width
    view.pen.rectangle([0, 0, side, side], fill=tuple(rng.integers(30, 225, 3).tolist()))
    for _ in range(rng.integers(2, 7)):
        x, y, w, h = (rng.uniform(-0.2, 1, 4) * side).tolist()
        view.pen.ellipse(
            [x, y, x + abs(w), y + abs(h)], fill=tuple(rng.integers(20, 235, 3).tolist())
        )
    view.canvas.paste(view.canvas.filter(ImageFilter.GaussianBlur(side * rng.uniform(0.01, 0.05))))


def _head(
    view: _View, rng: np.random.Generator, skin: tuple[int, ...], hair: tuple[int, ...]
) -> None:
    right = jaw(np.linspace(0, 1, 20), view.face)
    angle = np.linspace(0, np.pi, 24)[1:-1]
    cos, sin = np.cos(angle), np.sin(angle)
    skull = np.stack([0.83 * view.face.width * cos, 0.02 - 0.98 * sin, -0.55 + 0.35 * sin], -1)
    outline = np.concatenate([right, right[::-1][1:] * [-1, 1, 1], skull])
    long = rng.uniform() < 0.45
    tuft = outline * [1.14, 1.1, 1] + [0, -0.06, -0.25]
    if long:
        corners = [[-1.0, -0.2, -0.7], [1.0, -0.2, -0.7], [1.12, 1.6, -0.7], [-1.12, 1.6, -0.7]]
        view.area(np.array(corners), hair)
    if rng.uniform() < 0.9:
        view.area(tuft[tuft[:, 1] < (1.5 if long else 0.35)], hair)
    neck = [[-0.45, 0.9, -0.3], [0.45, 0.9, -0.3], [0.6, 2.4, -0.3], [-0.6, 2.4, -0.3]]
    view.area(np.array(neck), _shade(skin, 0.8))
    view.area(outline, skin)
    fringe = rng.uniform(-0.75, -0.42)
    if rng.uniform() < 0.75:
        parting = [rng.uniform(-0.4, 0.4), fringe, 0.05]
        edge = np.array([[-0.75, fringe + 0.12, 0], parting, [0.75, fringe + 0.12, 0]])
        view.area(np.concatenate([skull * [1.05, 1.06, 1], edge]), hair)
    if rng.uniform() < 0.12:
        view.line(right[6:] * [0.95, 0.99, 1], hair, 0.12)
        view.line(right[6:] * [-0.95, 0.99, 1], hair, 0.12)


def _eye(
    view: _View,
    rng: np.random.Generator,
    hair: tuple[int, ...],
    skin: tuple[int, ...],
    mirrored: int,
) -> None:
    side = np.array([mirrored, 1, 1])
    u = np.linspace(0, 1, 15)
    upper, lower = lid(u, True, view.face) * side, lid(u, False, view.face) * side
    ring = np.concatenate([upper, lower[::-1]])
    view.area((ring - ring.mean(0)) * 1.5 + ring.mean(0), _shade(skin, 0.85))
    eyeball = Image.new("L", view.canvas.size)
    ImageDraw.Draw(eyeball).polygon(view.corners(ring), fill=255)
    # The eyeball is drawn whole, then pasted within the lids only.
    before = view.canvas.copy()
    view.area(ring, (236, 232, 228))
    pupil = points_of(("right_pupil" if mirrored == 1 else "left_pupil",), view.face)[0]
    view.disc(pupil, 0.062, (70, 90, 90) if hair[0] > 100 else (70, 45, 30))
    view.disc(pupil, 0.03, (10, 10, 10))
    view.canvas.paste(Image.composite(view.canvas, before, eyeball))
    view.line(upper, _shade(skin, 0.35), 0.022)
    view.line(lower, _shade(skin, 0.6), 0.012)
    s = np.linspace(0, 1, 12)
    edges = [brow(s, -1, view.face) * side, (brow(s, 1, view.face) * side)[::-1]]
    view.area(np.concatenate(edges), _shade(hair, 0.9) if hair[0] < 140 else _shade(hair, 0.6))


def _nose(view: _View, skin: tuple[int, ...]) -> None:
    side = points_of(("nasion", "nose_tip", "nose_base", "nose_base_left_end"), view.face)
    bridge = points_of(("nasion", "nose_bridge_lower", "nose_tip"), view.face)
    base = points_of(ibug68.points[31:36], view.face)
    view.area(side, _shade(skin, 0.86))
    view.line(bridge, _shade(skin, 1.12), 0.05)
    view.disc(bridge[-1], 0.06, _shade(skin, 1.1))
    view.line(base, _shade(skin, 0.6), 0.025)
    for nostril in (base[1], base[3]):
        view.disc(nostril + [0, -0.015, 0], 0.028, _shade(skin, 0.3))


def _mouth(view: _View, skin: tuple[int, ...]) -> None:
    lips = points_of(ibug68.points[48:], view.face)
    view.area(lips[:12], _shade((skin[0], int(skin[1] * 0.62), int(skin[2] * 0.65)), 0.85))
    view.area(lips[12:], (50, 15, 15))
    if view.face.mouth > 0.25:
        teeth = np.concatenate([lips[13:16], lips[13:16][::-1] + [0, 0.05, 0]])
        view.area(teeth, (225, 220, 210))
    view.line(lips[[12, 13, 14, 15, 16]], _shade(skin, 0.4), 0.014)


def _glasses(view: _View, rng: np.random.Generator, dark: bool) -> None:
    frame = _shade(_HAIRS[rng.integers(3)], rng.uniform(0.3, 1.2))
    turn = np.linspace(0, 2 * np.pi, 25)
    for side in (-1, 1):
        ring = np.stack(
            [side * 0.36 + 0.24 * np.cos(turn), 0.02 + 0.17 * np.sin(turn), np.full(25, 0.12)], -1
        )
        if dark:
            view.area(ring, (18, 18, 22))
        view.line(ring, frame, 0.03)
        view.line(np.array([[side * 0.6, -0.02, 0.1], [side * 0.84, -0.04, -0.5]]), frame, 0.03)
    view.line(np.array([[-0.12, 0.0, 0.16], [0.12, 0.0, 0.16]]), frame, 0.03)


def _lit(view: _View, rng: np.random.Generator) -> UInt8[np.ndarray, "H W 3"]:
    """The final image: averaged down, with light from one side, blur and noise."""
    blurred = view.canvas.filter(ImageFilter.GaussianBlur(_SUPERSAMPLING * rng.uniform(0.2, 0.9)))
    reduced = blurred.resize((view.size, view.size), Image.Resampling.BOX)
    small = np.asarray(reduced, dtype=np.float32)
    across = np.linspace(-1, 1, view.size)
    angle = rng.uniform(0, 2 * np.pi)
    gradient = np.cos(angle) * across[None] + np.sin(angle) * across[:, None]
    light = 1 + rng.uniform(0, 0.45) * gradient
    lit = small * (light * rng.uniform(0.6, 1.1))[..., None]
    # Grey noise, the same in all channels.
    noise = rng.normal(0, rng.uniform(1, 7), (view.size, view.size, 1))
    return np.clip(lit + noise, 0, 255).astype(np.uint8)
