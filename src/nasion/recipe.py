"""One experiment as one frozen value: data, network, codec, loss, training. Numbers change by ``override``, parts in a file."""

from __future__ import annotations

import dataclasses
import difflib
import math
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from nasion import metrics
from nasion.augment import Augment
from nasion.codecs import Codec, Coordinates
from nasion.disturb import Disturb
from nasion.errors import SettingError, require
from nasion.losses import GuidedLikelihood, Loss, squared_error
from nasion.missing import Missing
from nasion.optim import SGD, Adam, Constant, Phase, Plateau, Schedule
from nasion.scheme import Scheme
from nasion.sources import Apart, widened


@runtime_checkable
class Architecture(Protocol):
    """Settings of a network; ``build`` makes it for pictures of a size (width, height), with a last linear layer ``head``.

    A PyTorch module, unless the settings say ``framework = "keras"``: then a Keras model.
    """

    def build(self, outputs: int, size: tuple[int, int], channels: int) -> Any: ...


@dataclass(frozen=True)
class Fade:
    """After this part of the training faces are changed less: by ``to`` times what ``augment`` and ``disturb`` say, mirrored as often.

    So a network that has learnt to bear much comes to fit faces as they are.
    """

    after: float = 1.0
    to: float = 1.0

    def __post_init__(self) -> None:
        require(0 <= self.after <= 1 and 0 <= self.to <= 1, f"fade.after and fade.to must be from 0 to 1; found {self}.")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides what a run learns; with the same data and machine it gives the same numbers.

    ``start_at_mean``: the last layer's bias starts at the mean target, so that training need not find the mean face first.
    ``doubtful``: ``drop`` trains without faces whose labels look wrong (``doubts.py``); they are judged all the same.
    ``patience``: stop after so many epochs without a better validation score (None: never). ``precision``: ``auto`` takes
    bfloat16 autocast where the processor computes in it, ``float32`` or ``bfloat16`` insist (Keras: in training only).
    ``box_scale``: the network sees the face's box with its sides times this, ``square`` of it the square of the same middle and
    mean side; ``passes``: how often a face is looked at in predicting at most, from the second time on upright and in the box of
    the points found before. ``pixel_range``: what black and white become. ``apart``: sources whose labels have outputs of their
    own (``sources.py``). ``views``: what is averaged in predicting unless told otherwise, the face as it is (``none``), mirrored too
    (``flip``), or mirrored and moved by a little (``flip+shift``). ``average``: the kept weights are an average over the steps
    with this decay (EMA; 0: the step's own). ``keep``: the epoch whose weights are kept, the best on the validation faces, or the
    last, in which they have no say.
    ``start``: a run's folder, from whose weights training starts. ``hold_out=false`` trains on the validation faces too, whose
    errors then say nothing. ``second_phase`` and a ``Plateau`` schedule are for Keras networks.
    """

    data: str
    scheme: Scheme
    input_size: tuple[int, int]
    model: Architecture
    optim: Adam | SGD
    epochs: int
    schedule: Schedule = field(default_factory=Constant)
    second_phase: Phase | None = None
    codec: Codec = field(default_factory=Coordinates)
    loss: Loss = squared_error
    augment: Augment = field(default_factory=Augment)
    disturb: Disturb = field(default_factory=Disturb)
    fade: Fade = field(default_factory=Fade)
    apart: tuple[Apart, ...] = ()
    missing: Missing = "mask"
    doubtful: Literal["keep", "drop"] = "keep"
    colour: bool = False
    box_scale: float = 1.0
    square: bool = False
    passes: int = 1
    views: Literal["none", "flip", "flip+shift"] = "none"
    average: float = 0.0
    keep: Literal["best", "last"] = "best"
    start: str | None = None
    hold_out: bool = True
    pixel_range: tuple[float, float] = (0.0, 1.0)
    start_at_mean: bool = False
    batch_size: int = 64
    patience: int | None = None
    seed: int = 0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    score: Callable = metrics.rmse

    def __post_init__(self) -> None:
        require(self.epochs >= 1, f"epochs must be from 1; found {self.epochs}.")
        require(self.batch_size >= 1, f"batch_size must be from 1; found {self.batch_size}.")
        require(self.patience is None or self.patience >= 1, f"patience must be from 1, or none; found {self.patience}.")
        require(self.seed >= 0, f"seed must be from 0; found {self.seed}.")
        require(min(self.input_size) >= 4, f"input_size must be at least 4,4 (width, height); found {self.input_size}.")
        require(0 < self.box_scale < math.inf, f"box_scale must be a number above 0; found {self.box_scale}.")
        require(self.pixel_range[0] < self.pixel_range[1], f"pixel_range must rise; found {self.pixel_range}.")

        require(1 <= self.passes <= 4, f"passes must be from 1 to 4; found {self.passes}.")
        require(0 <= self.average < 1, f"average is a decay, from 0 to below 1; found {self.average}.")
        fits = getattr(self.model, "stride", None) == self.codec.stride
        require(fits, f"The codec wants maps of stride {self.codec.stride}, the network gives {getattr(self.model, 'stride', None)} (None: no maps).")
        guided = isinstance(self.loss, GuidedLikelihood) == bool(getattr(self.codec, "guide", 0))
        require(guided, f"GuidedLikelihood and anchors with a guide need each other; found {self.codec} and {self.loss}.")
        flat = self.codec.stride is None or not self.start_at_mean
        require(flat, "start_at_mean is for networks that say coordinates; this one gives maps, which start in the picture's middle.")
        known = self.framework in ("pytorch", "keras", "onnx")
        require(known, f"A network's framework is pytorch or keras, of an exported file onnx; found {self.framework!r}.")
        learnt = self.framework != "keras" or not (self.average or self.codec.stride or self.keep == "last" or self.start)
        require(learnt, "Maps, averaged weights, a start and keeping the last weights are for PyTorch networks; this recipe's network is Keras'.")
        own = self.framework == "keras" or (self.second_phase is None and not isinstance(self.schedule, Plateau))
        require(own, "A second phase and a Plateau schedule are for Keras networks; this recipe's network is PyTorch's.")

    @property
    def framework(self) -> str:
        """``pytorch`` or ``keras``: what the network is made with."""
        return getattr(self.model, "framework", "pytorch")

    @property
    def learnt_scheme(self) -> Scheme:
        """The scheme with the points of sources that are kept apart: what the network has outputs for."""
        return widened(self.scheme, self.apart)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The phases of training, the recipe's own first."""
        first = Phase(optim=self.optim, epochs=self.epochs, schedule=self.schedule, patience=self.patience)
        return (first, self.second_phase) if self.second_phase and self.second_phase.epochs else (first,)

    def in_epoch(self, epoch: int) -> Recipe:
        """The recipe with the changes of faces that it has in this epoch, counted from 0."""
        if epoch < self.fade.after * self.epochs or self.fade.to == 1:
            return self
        return dataclasses.replace(self, augment=self.augment.less(self.fade.to), disturb=self.disturb.less(self.fade.to))

    def network(self, *, weights_follow: bool = False) -> Any:
        """A fresh network, its weights drawn from the framework's generator; ``weights_follow``: none need be fetched for it."""
        model: Any = self.model
        if weights_follow and getattr(model, "pretrained", False):
            model = dataclasses.replace(model, pretrained=False)
        return model.build(self.codec.outputs(self.learnt_scheme), self.input_size, 3 if self.colour else 1)


def override(recipe: Any, changes: Iterable[str]) -> Any:
    """The recipe with ``name=value`` changes, as ``optim.lr=1e-4``; ``SettingError`` lists the names or the type wanted."""
    for change in changes:
        path, equals, text = change.partition("=")
        if not equals:
            raise SettingError(f"--set {change!r} has no value; write name=value, as optim.lr=1e-4.")
        recipe = _replaced(recipe, path.split("."), text, path)
    return recipe


def settings(recipe: Any, prefix: str = "") -> dict[str, Any]:
    """All numbers and words that ``override`` can change, by their dotted names."""
    found: dict[str, Any] = {}
    for item in dataclasses.fields(recipe):
        value = getattr(recipe, item.name)
        if dataclasses.is_dataclass(value) and not isinstance(value, Scheme):
            found |= settings(value, f"{prefix}{item.name}.")
        elif isinstance(value, (int, float, str, tuple, type(None))) and not isinstance(value, Scheme):
            found[prefix + item.name] = value
    return found


def _replaced(part: Any, names: list[str], text: str, path: str) -> Any:
    there = settings(part)
    if not any(name == names[0] or name.startswith(names[0] + ".") for name in there):
        close = difflib.get_close_matches(".".join(names), there, n=1, cutoff=0.5)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise SettingError(f"--set {path}: no such setting.{hint} There is {', '.join(there)}.")
    value = getattr(part, names[0])
    if len(names) > 1:
        if not dataclasses.is_dataclass(value):
            raise SettingError(f"--set {path}: {names[0]} is a plain value ({value!r}) and has no {'.'.join(names[1:])}.")
        new = _replaced(value, names[1:], text, path)
    elif text.lower() == "none" and type(None) in typing.get_args(typing.get_type_hints(type(part))[names[0]]):
        new = None
    elif dataclasses.is_dataclass(value):
        raise SettingError(f"--set {path}: this is a part; change its numbers ({', '.join(settings(value))}) or swap it in a recipe file.")
    else:
        new = _parsed(text, typing.get_type_hints(type(part))[names[0]], path)
    return dataclasses.replace(part, **{names[0]: new})


def _parsed(text: str, kind: Any, path: str) -> Any:
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        if text not in inside:
            raise SettingError(f"--set {path}={text}: one of {', '.join(inside)} expected.")
        return text
    if origin is tuple:
        parts = text.strip("()[] ").split(",")
        kinds = [inside[0]] * len(parts) if inside[-1] is Ellipsis else inside
        if len(parts) != len(kinds):
            raise SettingError(f"--set {path}={text}: {len(kinds)} values separated by commas expected.")
        return tuple(_parsed(value.strip(), item, path) for value, item in zip(parts, kinds, strict=True))
    if type(None) in inside:
        if text.lower() != "none" and any(dataclasses.is_dataclass(kind) for kind in inside):
            raise SettingError(f"--set {path}={text}: this is a part; none leaves it out, another one is put in by a recipe file.")
        return None if text.lower() == "none" else _parsed(text, next(k for k in inside if k is not type(None)), path)
    words = {"true": True, "false": False}
    try:
        return words[text.lower()] if kind is bool else kind(text)
    except (ValueError, KeyError):
        wanted = {int: "a whole number", float: "a number", bool: "true or false"}.get(kind, str(kind))
        raise SettingError(f"--set {path}={text}: {wanted} expected.") from None
