"""A trained network with its pre- and post-processing: images in, points in their pixels out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nasion.array_types import Float32, Float64, Int64, UInt8
from nasion.arrays import Array, as_numpy
from nasion.data.annotators import merge_heads
from nasion.errors import RunError, require
from nasion.inference import backends, calibration, pretrained
from nasion.inference.backends import Network, onnx
from nasion.inference.calibration import TOLERANCE, Calibration, face_sizes
from nasion.inference.crops import Crops, crop_images, crop_through, input_images
from nasion.inference.refinement import WELL_CROPPED, corner_distance, upright_maps
from nasion.inference.test_time_augmentation import other_views
from nasion.inference.training_record import TrainingRecord
from nasion.inference.whole_faces import in_seen_boxes
from nasion.landmarks import geometry, metrics
from nasion.landmarks.boxes import face_boxes
from nasion.landmarks.face import Face
from nasion.landmarks.faces import Faces, Images, Predictions, crop_boxes
from nasion.media.addresses import is_url
from nasion.media.image_values import array_pixels, pixels_of
from nasion.media.images import as_pixels, image_size
from nasion.model_spec import TTA, TTA_MODES, ModelSpec

BATCH = 256  # crops that are held at once
# Of the chance of a face in its score, a geometric mean: false alarms in photographs score 0.58 at
# most, profiles 0.67 or more (LOG.md).
_FACE_PART = 1 / 3


@dataclass(frozen=True, eq=False)
class _Estimate:
    """Points and sigmas in pixels of the source images, of all W outputs (separate heads included).

    ``face`` and ``visible``: chances by the face head; None if the network has none.
    """

    points: Float64[np.ndarray, "N W 2"]
    sigma: Float64[np.ndarray, "N W"] | None = None
    face: Float64[np.ndarray, " N"] | None = None
    visible: Float64[np.ndarray, "N K"] | None = None

    def with_others(self, at: Int64[np.ndarray, " n"], others: _Estimate) -> _Estimate:
        """These estimates, with those at the given positions replaced."""
        changed = {}
        for name in _PARTS:
            own, other = getattr(self, name), getattr(others, name)
            if own is not None and other is not None:
                own = own.copy()
                own[at] = other
            changed[name] = own
        return _Estimate(**changed)

    def mirrored(self, spec: ModelSpec) -> _Estimate:
        """Estimates of mirrored views, under the names that the points have in the source."""
        flip = spec.output_scheme.flip
        return _Estimate(
            self.points[:, flip],
            None if self.sigma is None else self.sigma[:, flip],
            self.face,
            None if self.visible is None else self.visible[:, spec.scheme.flip],
        )

    @staticmethod
    def merged(estimates: Sequence[_Estimate], how: Callable[[list[np.ndarray]], Any]) -> _Estimate:
        """One estimate of several; a part that one of them lacks is left out."""
        if len(estimates) == 1:
            return estimates[0]
        merged = {}
        for name in _PARTS:
            parts = [getattr(each, name) for each in estimates]
            merged[name] = None if any(part is None for part in parts) else how(parts)
        return _Estimate(**merged)


_PARTS = tuple(field.name for field in fields(_Estimate))


@dataclass(frozen=True, eq=False)
class Predictor:
    """A trained network that predicts the points of faces.

    ``tta``: test-time augmentation, ``none``, ``flip`` (2x time) or ``flip+shift`` (6x time); None
    uses the model's own setting. ``trained_on``: its training faces, if they are known.
    Several threads may use one Predictor.
    """

    spec: ModelSpec
    network: Network
    calibration: Calibration | None = None
    tta: TTA | None = None
    trained_on: TrainingRecord | None = None

    def __post_init__(self) -> None:
        known = ", ".join(TTA_MODES)
        require(self.tta_mode in TTA_MODES, f"tta is one of {known}; found {self.tta_mode!r}.")

    @property
    def tta_mode(self) -> TTA:
        """The test-time augmentation in use."""
        return self.tta or self.spec.tta

    def __call__(
        self,
        images: Images | Sequence[object],
        boxes: ArrayLike | None = None,
        ids: Sequence[str] | None = None,
    ) -> Predictions:
        """Points of one face per image, in the image's pixels.

        ``images``: uint8 (N, H, W[, 3]), or a list of what ``Landmarker`` takes. ``boxes``: (N, 4),
        where the face is (None: the whole image). ``ids``: names of the predictions (None:
        positions). Raises ``DataError`` for images that are not uint8 or cannot be read.
        """
        if not isinstance(images, np.ndarray):
            images = tuple(self._image(each) for each in images)
        scheme = self.spec.scheme
        faces = Faces(
            scheme=scheme,
            ids=tuple(map(str, range(len(images)))) if ids is None else tuple(ids),
            images=images,
            points=np.full((len(images), len(scheme), 2), np.nan, dtype=np.float32),
            boxes=None if boxes is None else np.asarray(boxes, dtype=np.float32),
        )
        return self.predict(faces)

    def _image(self, image: object) -> np.ndarray | Path:
        """Files are opened when it is their turn."""
        if isinstance(image, (str, Path)) and not is_url(str(image)):
            return Path(image)
        return pixels_of(image, self.spec.colour)

    def predict(self, faces: Faces) -> Predictions:
        """Points for faces, by their ids.

        Labels are not used, but to choose which of the detector's boxes is a face's
        (``spec.detected_boxes``). The group ``source`` is used if annotators have separate heads.
        """
        spec = self.spec
        faces = in_seen_boxes(faces, spec).to(spec.scheme)
        boxes = crop_boxes(faces.images, faces.boxes, spec.box_scale, spec.box_shift)
        estimate = self._estimate(faces.images, boxes)
        points = merge_heads(estimate.points, faces, spec.separate_heads).astype(np.float32)
        scores = expected = None
        if estimate.sigma is not None and self.calibration is not None:
            sigma = merge_heads(estimate.sigma, faces, spec.separate_heads)
            sizes = face_sizes(points, faces.images, faces.boxes)
            scores, expected = _confidence(self.calibration, sigma, sizes)
        return Predictions(
            scheme=spec.scheme,
            ids=faces.ids,
            points=points,
            scores=scores,
            expected=expected,
            visible=_visible(estimate, faces.images),
        )

    def faces_in(
        self,
        image: UInt8[np.ndarray, "H W ..."],
        boxes: Float32[np.ndarray, "N 4"],
        detector_scores: Float32[np.ndarray, " N"] | None = None,
    ) -> list[Face]:
        """A face in each of these boxes of one image, in their order; NaN is the whole image.

        ``detector_scores``: the faces' scores if the network predicts none.
        """
        return self.face_of_each((array_pixels(image),) * len(boxes), boxes, detector_scores)

    def face_of_each(
        self,
        images: Sequence[UInt8[np.ndarray, "_ _ ..."]],
        boxes: Float32[np.ndarray, "N 4"],
        detector_scores: Float32[np.ndarray, " N"] | None = None,
    ) -> list[Face]:
        """As ``faces_in``, with an image for each box."""
        spec, images = self.spec, tuple(images)
        scheme, seen = spec.scheme, crop_boxes(images, boxes, spec.box_scale, spec.box_shift)
        estimate = self._estimate(images, seen)
        # Which annotator would have labelled an image is not known: the shared outputs, which come
        # first.
        points = estimate.points[:, : len(scheme)].astype(np.float32)
        around = face_boxes(points, crop_boxes(images, boxes))
        known = np.ones(len(boxes)) if detector_scores is None else detector_scores
        visible, scores, expected = _visible(estimate, images), None, None
        if estimate.sigma is not None and self.calibration is not None:
            sizes = face_sizes(points, images, boxes)
            sigma = estimate.sigma[:, : len(scheme)]
            scores, expected = _confidence(self.calibration, sigma, sizes)
            known = scores.mean(axis=1)
        if estimate.face is not None:
            known = _face_scores(estimate.face, scores, visible)
        return [
            Face(
                scheme,
                points[i],
                around[i],
                float(known[i]),
                None if scores is None else scores[i],
                None if expected is None else expected[i],
                None if visible is None else visible[i],
            )
            for i in range(len(boxes))
        ]

    def _estimate(self, images: Images, boxes: Float64[np.ndarray, "N 4"]) -> _Estimate:
        """What the network says of each image, after refinement and averaged over views.

        ``boxes``: what to crop at first, already scaled. A few images are processed at a time.
        """
        spec = self.spec
        estimates: list[_Estimate] = []
        for start in range(0, len(images), BATCH):
            chunk = images[start : start + BATCH]
            if spec.refine_steps > 1 and any(isinstance(image, Path) for image in chunk):
                chunk = tuple(as_pixels(image, spec.colour) for image in chunk)  # opened once
            # 1. Crop the boxes as they were given.
            crops = crop_images(chunk, boxes[start : start + BATCH], spec)
            estimate = self._forward(crops)
            # 2. Crop again through the points, but only faces whose crop was poor.
            for _ in range(1, spec.refine_steps):
                maps = upright_maps(estimate.points[:, : len(spec.scheme)], spec)
                distance = corner_distance(crops.to_source, maps, spec.input_size)
                poor = np.flatnonzero(distance > WELL_CROPPED)
                if not len(poor):
                    break
                again = crop_through([chunk[i] for i in poor.tolist()], maps[poor], spec)
                estimate = estimate.with_others(poor, self._forward(again))
                # The better crops stay: the next round compares with them, and views are made from
                # them.
                crops = crops.with_others(poor, again)
            # 3. Average over views. A mirrored view's map brings its points back to the source, but
            # left and right have changed names.
            views = [estimate]
            for other, mirrored in other_views(crops, self.tta_mode):
                view = self._forward(other)
                views.append(view.mirrored(spec) if mirrored else view)
            estimates.append(_Estimate.merged(views, lambda parts: np.mean(parts, axis=0)))
        if not estimates:
            outputs, sigma = len(spec.output_scheme), np.zeros((0, len(spec.output_scheme)))
            return _Estimate(
                np.zeros((0, outputs, 2)), sigma if spec.codec.predicts_sigma else None
            )
        return _Estimate.merged(estimates, np.concatenate)

    def _forward(self, crops: Crops) -> _Estimate:
        """What the network says of crops, in pixels of the source images."""
        at = np.arange(len(crops))
        images = input_images(crops, at, self.spec)
        with_chances = getattr(self.network, "with_chances", None)
        output, chances = with_chances(images) if with_chances else (self.network(images), None)
        points = to_source_points(output, crops, at, self.spec).astype(np.float64)
        if not np.isfinite(points).all():
            raise RunError(
                "The network outputs NaN or infinity: its weights are damaged, or its training "
                "diverged; train or export it again."
            )
        sigma = self.spec.codec.sigma(output, self.spec.input_size)
        if sigma is not None:
            # Sigma is a length without a direction, so one factor brings it to the source.
            scale = geometry.map_scale(crops.to_source)
            sigma = as_numpy(sigma).astype(np.float64) * scale[:, None]
        if chances is None:
            return _Estimate(points, sigma)
        face, visible = chances.face.astype(np.float64), chances.visible.astype(np.float64)
        return _Estimate(points, sigma, face, visible)


def to_source_points(
    output: Float32[Array, "B ..."], crops: Crops, at: Int64[np.ndarray, " B"], spec: ModelSpec
) -> Float32[np.ndarray, "B W 2"]:
    """Points in pixels of the source images, from the network's output for these crops."""
    points = as_numpy(spec.codec.decode(output, spec.input_size)).astype(np.float64)
    return geometry.apply(crops.to_source[at], points).astype(np.float32)


def load_model(
    model: str | Path,
    *,
    recipe: ModuleType | None = None,
    device: str | None = None,
    tta: TTA | None = None,
) -> Predictor:
    """A run's weights, an exported ``.onnx`` file, or a pretrained model by name, ready to predict.

    ``recipe``: the recipe file's module, if it defines parts of its own. ``device``: PyTorch's, as
    ``cpu`` or ``cuda``; Keras chooses its own. ``tta``: as in ``Predictor``. Raises ``RunError``
    for a folder that is not a run, is of another version, or has no weights yet.
    """
    path = Path(model)
    file = pretrained.file(str(model)) or (path if path.suffix == ".onnx" else None)
    if file:
        exported = onnx.open_file(file)
        return Predictor(
            spec=exported.spec,
            network=exported.network,
            calibration=exported.calibration,
            tta=tta,
            trained_on=exported.trained_on,
        )
    if not path.exists():
        names = ", ".join(pretrained.names())
        raise RunError(
            f"{path} is not a run folder, an exported file or a pretrained model ({names})."
        )
    # Recipes bring losses, augmentation and more: shipped and exported models need none of it.
    from nasion.inference import run_folder

    value = run_folder.read_recipe(path, recipe)
    return Predictor(
        spec=value.spec,
        network=backends.load(value.framework).load(path, value, device),
        calibration=calibration.read(path),
        tta=tta,
        trained_on=TrainingRecord.read(path),
    )


def calibrate(predictor: Predictor, faces: Faces) -> Calibration:
    """Calibrate a model's sigmas on faces that it was not trained on.

    Occluded points that are labelled count too: a score must hold for them as for others, and
    ``evaluate`` says for each kind whether it does.
    """
    # With it, `expected` is the network's own sigma.
    raw = replace(predictor, calibration=calibration.uncalibrated())
    predictions = raw.predict(faces)
    truth = faces.to(predictor.spec.scheme).points
    sigma = predictions.expected
    if sigma is None:
        sigma = np.full(truth.shape[:2], np.nan)  # then no point can be counted
    return calibration.fit(metrics.distances(truth, predictions.points), sigma)


def _confidence(
    known: Calibration, sigma: Float64[np.ndarray, "N K"], sizes: Float64[np.ndarray, " N"]
) -> tuple[Float32[np.ndarray, "N K"], Float32[np.ndarray, "N K"]]:
    """(scores, expected errors in pixels) of points."""
    # The tolerance is a fraction of the face's size, so sigma is made one too.
    scores = known.scores(sigma / sizes[:, None], TOLERANCE)
    return scores.astype(np.float32), known.expected(sigma).astype(np.float32)


def _face_scores(
    face: Float64[np.ndarray, " N"],
    scores: Float32[np.ndarray, "N K"] | None,
    visible: Float32[np.ndarray, "N K"] | None,
) -> Float64[np.ndarray, " N"]:
    """The geometric mean of the chance of a face and the mean score of the visible points.

    A hand may look like a face, but then its points have low scores.
    """
    if scores is None or visible is None:
        return face
    seen = (scores * visible).sum(axis=1) / np.maximum(visible.sum(axis=1), 1)
    return np.exp(
        _FACE_PART * np.log(np.maximum(face, 1e-9)) + (1 - _FACE_PART) * np.log(seen + 1e-9)
    )


def _visible(estimate: _Estimate, images: Images) -> Float32[np.ndarray, "N K"] | None:
    """The chance that each point can be seen; 0 for points outside the image."""
    if estimate.visible is None:
        return None
    points = estimate.points[:, : estimate.visible.shape[1]]
    ends = np.array([image_size(image) for image in images]).reshape(-1, 1, 2) - 0.5
    inside = ((points >= -0.5) & (points <= ends)).all(axis=2)
    return np.where(inside, estimate.visible, 0).astype(np.float32)
