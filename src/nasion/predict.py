"""From pictures to points with a trained run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from types import ModuleType

import numpy as np
from jaxtyping import Float32, Float64, Int64
from numpy.typing import ArrayLike

from nasion import calibration, geometry, metrics, networks, run, weights
from nasion.arrays import Array, as_float32, as_numpy
from nasion.augment import warp
from nasion.batches import Batch, Canvases, batch, canvases, canvases_through
from nasion.calibration import TOLERANCE, Calibration, face_sizes
from nasion.errors import RunError, SettingError, require
from nasion.faces import Faces, Images, Predictions
from nasion.files import open_picture, write_text
from nasion.networks import Network, onnx
from nasion.recipe import Recipe
from nasion.sources import gathered

_BATCH = 256
VIEWS = ("none", "flip", "flip+shift")
CALIBRATION = "calibration.json"
_WELL_SEEN = 0.08  # how far a corner of the picture that the network saw may be from where it should have been, in its sides
_SHIFTS = ((0.0, 0.0), (0.02, 0.02), (-0.02, 0.02))  # of the input's sides


_Said = tuple[Float64[np.ndarray, "N W 2"], Float64[np.ndarray, "N W"] | None]  # points and spreads, in pixels of the source pictures


@dataclass(frozen=True, eq=False)
class Model:
    """A trained network that takes pictures and says points.

    ``average``: whether every face is also seen mirrored (``flip``), or mirrored and moved by a little (``flip+shift``), and what is
    said averaged; ``none`` is neither, None as the recipe's ``views`` say.
    """

    recipe: Recipe
    network: Network
    calibration: Calibration | None = None
    average: str | None = None

    def __post_init__(self) -> None:
        require(self.views in VIEWS, f"average is one of {', '.join(VIEWS)}; found {self.views!r}.")

    @property
    def views(self) -> str:
        """What is averaged: one of ``VIEWS``."""
        return self.average or self.recipe.views

    def __call__(self, images: Images | Sequence[str], boxes: ArrayLike | None = None, ids: Sequence[str] | None = None) -> Predictions:
        """Points of one face per picture, in the picture's pixels.

        ``images``: uint8 (N, H, W[, 3]), or a list of arrays and paths; ``boxes``: where in the picture the face is (None:
        all of it); ``ids``: names for the predictions (None: the position).
        """
        if not isinstance(images, np.ndarray):
            images = tuple(Path(picture) if isinstance(picture, str) else picture for picture in images)
        boxes = None if boxes is None else np.asarray(boxes, dtype=np.float32)
        names = tuple(str(i) for i in range(len(images))) if ids is None else tuple(ids)
        points = np.full((len(images), len(self.recipe.scheme), 2), np.nan, dtype=np.float32)
        faces = Faces(scheme=self.recipe.scheme, ids=names, images=images, points=points, boxes=boxes)
        return self.predict(faces)

    def predict(self, faces: Faces) -> Predictions:
        """Points for faces, by their ids; their labels are not looked at. Their ``source`` is, where sources were learnt apart."""
        recipe = self.recipe
        faces = faces.to(recipe.scheme)
        points, spread = self._looked(canvases(faces, recipe)) if recipe.passes == 1 else self._looked_again(faces)
        points = gathered(points, faces, recipe.apart).astype(np.float32)
        if spread is None or self.calibration is None:
            return Predictions(scheme=recipe.scheme, ids=faces.ids, points=points)
        spread = gathered(spread, faces, recipe.apart)
        scores = self.calibration.scores(spread / face_sizes(points, faces)[:, None], TOLERANCE)
        expected = self.calibration.expected(spread)
        return Predictions(scheme=recipe.scheme, ids=faces.ids, points=points, scores=scores.astype(np.float32), expected=expected.astype(np.float32))

    def _looked_again(self, faces: Faces) -> _Said:
        """Points after all looks; pictures are opened once, some at a time. A face that was seen well is not looked at again."""
        found = []
        for start in range(0, len(faces), _BATCH):
            some = faces if len(faces) <= _BATCH else faces[start : start + _BATCH]
            if any(isinstance(picture, Path) for picture in some.images):
                opened = [open_picture(p, self.recipe.colour) if isinstance(p, Path) else np.asarray(p) for p in some.images]
                some = replace(some, images=tuple(opened))
            canvas = canvases(some, self.recipe)
            points, spread = _said(self.network, canvas, self.recipe)
            for _ in range(1, self.recipe.passes):
                maps = upright(points[:, : len(self.recipe.scheme)], self.recipe)
                poor = np.flatnonzero(_moved(canvas.to_source, maps, self.recipe.input_size) > _WELL_SEEN)
                if not len(poor):
                    break
                again = canvases_through(some[poor], maps[poor], self.recipe)
                points[poor], wider = _said(self.network, again, self.recipe)
                if spread is not None:
                    spread[poor] = wider
                canvas = canvas.with_others(poor, again)
            found.append(self._averaged(canvas, points, spread))
        points = np.concatenate([points for points, _ in found])
        return points, None if found[0][1] is None else np.concatenate([spread for _, spread in found])

    def _looked(self, canvas: Canvases) -> _Said:
        return self._averaged(canvas, *_said(self.network, canvas, self.recipe))

    def _averaged(self, canvas: Canvases, points: Float64[np.ndarray, "N W 2"], spread: Float64[np.ndarray, "N W"] | None) -> _Said:
        """What was said of canvases, in pixels of the source pictures, averaged with what is said of their other views."""
        recipe, seen = self.recipe, [(points, spread)]
        flip = recipe.learnt_scheme.flip
        views = {"none": [], "flip": [(True, _SHIFTS[0])], "flip+shift": list(product((False, True), _SHIFTS))[1:]}[self.views]
        for mirrored, shift in views:
            points, spread = _said(self.network, _changed(canvas, recipe, shift, mirrored), recipe)
            seen.append((points[:, flip], None if spread is None else spread[:, flip]) if mirrored else (points, spread))
        spreads = [wide for _, wide in seen if wide is not None]
        return np.mean([points for points, _ in seen], axis=0), np.mean(spreads, axis=0) if spreads else None


def load_model(what: str | Path, *, recipe: ModuleType | None = None, device: str | None = None, average: str | None = None) -> Model:
    """A run's best weights, an exported ``.onnx`` file, or a network that comes with the package (its name), ready to predict.

    ``recipe``: the recipe's module, when it defines parts of its own. ``device``: PyTorch's, as ``cpu`` or ``cuda``; Keras chooses its
    own. ``average``: as of ``Model``. Raises ``RunError`` for a folder that is no run, is of another version, or has no weights yet.
    """
    folder = Path(what)
    exported = weights.file(str(what)) or (folder if folder.suffix == ".onnx" else None)
    if exported:
        value, network, known = onnx.open_file(exported)
        return Model(recipe=value, network=network, calibration=known, average=average)
    value = run.recipe_of(folder, recipe)
    network = networks.framework(value.framework).load(folder, value, device)
    return Model(recipe=value, network=network, calibration=calibration_of(folder), average=average)


def calibrated(model: Model, faces: Faces) -> Calibration | None:
    """How sure the model may be, measured on faces that it has not learnt from; None where it says no spread."""
    recipe = model.recipe
    one = Calibration(ratios=tuple(np.linspace(0, 1, 105).tolist()), mean=1.0, points=0)
    found = replace(model, calibration=one).predict(faces)
    if found.expected is None:
        return None
    return calibration.fit(metrics.distances(faces.to(recipe.scheme).points, found.points), found.expected)


def with_scores_of(model: Model, other: Model) -> Model:
    """The model as sure as another of the same recipe, which held out the faces that this one has learnt."""
    if other.calibration is None or other.recipe.scheme != model.recipe.scheme or other.recipe.model != model.recipe.model:
        raise SettingError("Scores are taken over from a run of the same network and points that held faces out; this one is another, or has none.")
    return replace(model, calibration=other.calibration)


def write_calibration(found: Calibration, folder: Path) -> None:
    write_text(folder / CALIBRATION, json.dumps(asdict(found)))


def calibration_of(folder: Path) -> Calibration | None:
    """A run's calibration, if it has one yet."""
    path = folder / CALIBRATION
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return Calibration(ratios=tuple(values["ratios"]), mean=float(values["mean"]), points=int(values["points"]))
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is damaged ({error}); delete it, then scores are not given.") from error


def upright(points: Float64[np.ndarray, "N K 2"], recipe: Recipe) -> Float64[np.ndarray, "N 2 3"]:
    """Maps from the input's pixels to the source's that show each face in the box of its points, its eyes level where it has eyes."""
    groups = recipe.scheme.norm_groups()
    angle = np.zeros(len(points))
    if groups:
        right, left = (points[:, recipe.scheme.index(group)].mean(1) for group in groups)
        angle = np.rad2deg(np.arctan2(*(left - right).T[::-1]))
    turn = geometry.similarity((0.0, 0.0), angle, np.ones(len(points)), np.zeros((len(points), 2)))
    level = geometry.apply(geometry.invert(turn), points)
    box = geometry.points_box(level)
    # A face shrunk to a point would have no box.
    box = np.concatenate([box[:, :2], np.maximum(box[:, 2:], box[:, :2] + 1)], axis=1)
    boxes = geometry.grow_box(geometry.square_box(box) if recipe.square else box, (recipe.box_scale - 1) / 2)
    return geometry.compose(geometry.invert(geometry.box_to_frame(boxes, recipe.input_size)), turn)


def _moved(seen: Float64[np.ndarray, "N 2 3"], wanted: Float64[np.ndarray, "N 2 3"], size: tuple[int, int]) -> Float64[np.ndarray, " N"]:
    """How far the corners of an input are apart in two ways of cutting it out of the source, as a fraction of its side there."""
    corners = np.array([[0, 0], [size[0] - 1, 0], [0, size[1] - 1], [size[0] - 1, size[1] - 1]], dtype=np.float64)
    apart = geometry.apply(seen, corners) - geometry.apply(wanted, corners)
    side = np.sqrt(np.abs(np.linalg.det(wanted[:, :, :2])) * size[0] * size[1])
    return np.linalg.norm(apart, axis=-1).max(1) / side


def source_points(output: Float32[Array, "B ..."], canvas: Canvases, at: Int64[np.ndarray, " B"], recipe: Recipe) -> Float32[np.ndarray, "B W 2"]:
    """Points in pixels of the source pictures, from what the network said of the canvases at these positions."""
    points = as_numpy(recipe.codec.decode(output, recipe.input_size)).astype(np.float64)
    return geometry.apply(canvas.to_source[at], points).astype(np.float32)


def outputs(network: Network, canvas: Canvases, recipe: Recipe) -> Iterator[tuple[Int64[np.ndarray, " B"], Float32[Array, "B ..."], Batch]]:
    """(positions, the network's output, the batch it saw) for all canvases, unchanged."""
    for start in range(0, len(canvas), _BATCH):
        at = np.arange(start, min(start + _BATCH, len(canvas)))
        seen = batch(canvas, at, recipe)
        yield at, network(seen.images), seen


def _said(network: Network, canvas: Canvases, recipe: Recipe) -> _Said:
    """Points and spreads of all canvases, in pixels of the source pictures."""
    points, spreads = [], []
    for at, output, _ in outputs(network, canvas, recipe):
        points.append(source_points(output, canvas, at, recipe).astype(np.float64))
        spread = recipe.codec.spread(output, recipe.input_size)
        if spread is not None:
            size = np.sqrt(np.abs(np.linalg.det(canvas.to_source[at][:, :, :2])))
            spreads.append(as_numpy(spread).astype(np.float64) * size[:, None])
    return np.concatenate(points), np.concatenate(spreads) if spreads else None


def _changed(canvas: Canvases, recipe: Recipe, shift: tuple[float, float], mirrored: bool) -> Canvases:
    """The same canvases seen mirrored or from a little aside."""
    width, height = recipe.input_size
    seen = geometry.shift(shift[0] * width, shift[1] * height)
    if mirrored:
        seen = geometry.compose(geometry.flip(width), seen)
    if shift == (0.0, 0.0):
        # An input is as wide as its canvas here, so its columns change places and nothing is interpolated.
        return replace(canvas, images=canvas.images[..., ::-1], to_source=geometry.compose(seen, canvas.to_source))
    maps = np.broadcast_to(geometry.compose(seen, canvas.crop_to_canvas), (len(canvas), 2, 3))
    parts = [
        as_numpy(warp(as_float32(canvas.images[i : i + _BATCH]), maps[i : i + _BATCH], recipe.input_size)) for i in range(0, len(canvas), _BATCH)
    ]
    images = np.rint(np.concatenate(parts)).astype(np.uint8)
    return replace(canvas, images=images, to_source=geometry.compose(seen, canvas.to_source), crop_to_canvas=geometry.identity())
