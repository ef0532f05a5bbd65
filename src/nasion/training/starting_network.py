"""The trained network that training starts from, with outputs for other points.

Its body is kept. Points that it knows by name keep their outputs, and other points start as the
weighted means of known points that explain them best on the training labels (``point_map.py``).
Outputs are linear in the head's weights, so the same weights combine the heads.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from nasion import recipes
from nasion.array_types import Float64, Int64
from nasion.errors import RunError, SettingError, refusing_damage
from nasion.inference import pretrained, run_folder
from nasion.inference.backends import onnx, onnx_weights, pytorch
from nasion.inference.crops import crop_faces, input_images
from nasion.inference.predictor import Predictor, load_model
from nasion.inference.recipe_json import from_json
from nasion.inference.whole_faces import whole_face_boxes
from nasion.landmarks.face_extent import boxes_of_points
from nasion.landmarks.faces import Faces, Predictions
from nasion.landmarks.scheme import Scheme
from nasion.media.counted import counted, part_of
from nasion.media.json_document import parse_document
from nasion.model_spec import ModelSpec
from nasion.models.architectures import Architecture
from nasion.recipe import Recipe
from nasion.training.point_map import combine_points, held_out_points

_NORM_FACES = 256  # that the norms of an exported file get their statistics from
_MAP_FACES = 500  # enough for the weights of a linear map
_SURE = 0.8  # mean score of the points of a well-cropped face
_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class StartingNetwork:
    """What a trained network is, and the network ready to predict.

    ``source``: a run folder, an exported file, or a shipped model's name. ``spec``: as it was
    trained, which an exported file's own spec is not.
    """

    source: str
    spec: ModelSpec
    architecture: Architecture
    predictor: Predictor


def open_starting_network(source: str) -> StartingNetwork:
    """Open a run folder, an exported file or a shipped model to train on from.

    Raises ``RunError`` if it is none of them, or not a PyTorch network.
    """
    predictor = load_model(source)
    file = pretrained.file(source)
    if file:
        recipe = recipes.load_recipe(source)
        spec, architecture = recipe.spec, recipe.architecture
    elif source.endswith(".onnx"):
        spec, architecture = _network_of_file(Path(source))
    else:
        recipe = run_folder.read_recipe(Path(source))
        if recipe.framework != "pytorch":
            raise RunError(f"{source} is a Keras network; only PyTorch networks are trained on.")
        spec, architecture = recipe.spec, recipe.architecture
    return StartingNetwork(source, spec, architecture, predictor)


def starting_module(recipe: Recipe, faces: Faces) -> nn.Module:
    """A network for the recipe's points with the weights of ``recipe.init_from``.

    ``faces``: the training faces, in the recipe's output scheme. Raises ``SettingError`` if the two
    networks differ in more than their points.
    """
    assert recipe.init_from is not None
    start = open_starting_network(recipe.init_from)
    _check_same_network(recipe, start)
    module, old = recipe.build_network(weights_follow=True), _filled(start, faces)
    if start.spec.output_scheme.points == recipe.spec.output_scheme.points:
        module.load_state_dict(old.state_dict())
        return module
    weights = point_weights(start, faces)
    body = {name: t for name, t in old.state_dict().items() if not name.startswith("head.")}
    module.load_state_dict(body, strict=False)
    _combine_heads(module, old, weights, recipe.spec, start.spec)
    return module


def point_weights(start: StartingNetwork, faces: Faces) -> Float64[np.ndarray, "K J"]:
    """Each of the faces' points as weights of the starting network's points.

    NaN for a point that has no label and no known name.
    """
    scheme, named = faces.scheme, _named(start, faces.scheme)
    some = evenly(faces, _MAP_FACES)
    predicted = predicted_points(start, some)
    weights = combine_points(
        predicted.astype(np.float64), some.points.astype(np.float64), named, _groups(some)
    )
    unknown = int(np.isnan(weights).any(axis=1).sum())
    _log.info(
        "%s known to %s by name, %s of known points%s",
        part_of(int((named >= 0).sum()), len(scheme), "point", "is", "are"),
        start.source,
        counted(int((named < 0).sum()) - unknown, "starts as mean", "start as means"),
        f", {counted(unknown, 'has', 'have')} no labels" if unknown else "",
    )
    return weights


def evenly(faces: Faces, most: int) -> Faces:
    """As many faces, from all places of the set: datasets are often sorted, as by person."""
    return faces[np.linspace(0, len(faces) - 1, min(len(faces), most)).astype(int)]


def _named(start: StartingNetwork, scheme: Scheme) -> Int64[np.ndarray, " K"]:
    """The position of the starting network's point of the same name; -1 if there is none."""
    known = start.spec.scheme
    same = scheme.matches(known)
    return np.array([known.points.index(same[p]) if p in same else -1 for p in scheme.points])


def distilled(start: StartingNetwork, faces: Faces, share: float) -> Faces:
    """Faces whose labels are moved towards the starting network's points, by this share of the way.

    A face's points come from weights that other groups' labels were explained with
    (``point_weights``). Few labels are noisy; the network's points are less so, though biased.
    After knowledge distillation (Hinton et al., 2015). Missing labels stay missing.
    """
    labels = faces.points.astype(np.float64)
    known = predicted_points(start, faces).astype(np.float64)
    found = held_out_points(known, labels, _named(start, faces.scheme), _groups(faces))
    moved = np.where(np.isnan(found), labels, labels + share * (found - labels))
    return replace(faces, points=moved.astype(np.float32))


def predicted_points(start: StartingNetwork, faces: Faces) -> np.ndarray:
    """The starting network's own points (N, J, 2) on these faces.

    Boxes may be of a part of the face, or of more than it. Where the points are unsure, the face is
    searched for, and whichever box has surer points counts.
    """
    given = _predicted(start, faces)
    if given.scores is None:
        return given.points
    sure = np.asarray(given.scores.mean(axis=1))
    at = np.flatnonzero(sure < _SURE)
    if not len(at):
        return given.points
    spec, points = start.spec, np.array(given.points)
    own = np.full((len(at), 4), np.nan) if faces.boxes is None else faces.boxes[at]
    whole = boxes_of_points(whole_face_boxes(faces[at]), spec.scheme, spec.face_margins)
    boxes = np.where(np.isnan(whole), own, whole).astype(np.float32)
    found = _predicted(start, replace(faces[at], boxes=boxes))
    assert found.scores is not None
    better = np.flatnonzero(found.scores.mean(axis=1) > sure[at])
    points[at[better]] = found.points[better]
    return points


def _predicted(start: StartingNetwork, faces: Faces) -> Predictions:
    empty = np.full((len(faces), len(start.spec.scheme), 2), np.nan, dtype=np.float32)
    unlabelled = replace(faces, scheme=start.spec.scheme, points=empty, occluded=None)
    return start.predictor.predict(unlabelled)


def _groups(faces: Faces) -> tuple[str, ...]:
    """What is left out together in cross-validation: the first linked group, else each face."""
    return tuple(faces.groups[faces.linked[0]]) if faces.linked else faces.ids


def _check_same_network(recipe: Recipe, start: StartingNetwork) -> None:
    own, other = recipe.spec, start.spec
    same = recipe.architecture == start.architecture
    same = same and type(own.codec) is type(other.codec) and own.colour == other.colour
    if not same:
        raise SettingError(
            f"init_from={recipe.init_from}: its network ({start.architecture}, {other.codec}) is "
            f"not the recipe's ({recipe.architecture}, {own.codec}); the recipe finetune takes the "
            "network of whatever it starts from."
        )
    meanings = ["pixel_range"]
    if own.codec.stride is None:
        # Numbers mean places in an input of one size; maps lie over inputs of any.
        meanings += ["codec", "input_size"]
    for name in meanings:
        mine, its = getattr(own, name), getattr(other, name)
        if mine != its:
            raise SettingError(
                f"init_from={recipe.init_from}: its network was trained with spec.{name} {its}, "
                f"the recipe has {mine}, which gives the weights another meaning; set it as it was "
                "there, or train the recipe finetune, which takes the settings of its start."
            )


def _filled(start: StartingNetwork, faces: Faces) -> nn.Module:
    """The starting network itself, ready to be trained."""
    source = Path(start.source)
    if source.is_dir() and not pretrained.file(start.source):
        network = start.predictor.network
        assert isinstance(network, pytorch.TorchNetwork)
        return network.module
    spec = start.spec
    module: nn.Module = start.architecture.build(spec.outputs, spec.input_size, spec.channels)
    some = faces[:: max(1, len(faces) // _NORM_FACES)]
    crops = crop_faces(some, spec)
    images = input_images(crops, np.arange(len(crops)), spec)
    path = pretrained.file(start.source) or source
    onnx_weights.load_weights(path, module, spec, np.asarray(images, dtype=np.float32))
    return module


@torch.no_grad()
def _combine_heads(
    module: nn.Module,
    old: nn.Module,
    weights: Float64[np.ndarray, "K J"],
    spec: ModelSpec,
    old_spec: ModelSpec,
) -> None:
    """Fill the rows of each point's outputs with the weighted rows of the known points."""
    usable = np.flatnonzero(~np.isnan(weights).any(axis=1))
    mixing = torch.from_numpy(weights[usable].astype(np.float32))
    new_rows = spec.codec.rows(len(spec.output_scheme))[:, usable]
    # Shared outputs come first; heads of single annotators are not combined.
    old_rows = old_spec.codec.rows(len(old_spec.output_scheme))[:, : weights.shape[1]]
    for name in ("head.weight", "head.bias"):
        target, source = module.get_parameter(name), old.get_parameter(name)
        for to, of in zip(new_rows, old_rows, strict=True):
            flat = source[torch.from_numpy(of)].reshape(len(of), -1)
            combined = (mixing @ flat).reshape(len(to), *target.shape[1:])
            target[torch.from_numpy(to)] = combined


def _network_of_file(path: Path) -> tuple[ModelSpec, Architecture]:
    """What was trained, of an exported file that says it."""
    text = onnx.metadata_of(path).get("network")
    if text is None:
        raise RunError(
            f"{path} does not say which network it is of; export the run again, or start from "
            "the run folder."
        )
    remedy = "export the run again."
    value = parse_document(text, f"{path} metadata network", kind=RunError, remedy=remedy)
    with refusing_damage(path, RunError, remedy):
        spec = from_json(value["spec"].object(), None, f"{path} spec")
        architecture = from_json(value["architecture"].object(), None, f"{path} architecture")
    if not isinstance(spec, ModelSpec):
        raise RunError(f"{path}: its metadata is damaged; {remedy}")
    return spec, architecture
