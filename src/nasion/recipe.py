"""One experiment as one frozen value: a model spec, an architecture, and training settings.

Numbers change with ``recipe_settings.override`` (``--set``); parts are swapped in a recipe file.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from nasion.data.augment import Augment
from nasion.data.corrupt import Corrupt
from nasion.data.missing_labels import MissingLabels
from nasion.errors import require
from nasion.landmarks.scheme import Scheme
from nasion.model_spec import ModelSpec
from nasion.models.architectures import Architecture, framework_of, has_features, stride_of
from nasion.models.codecs import Codec
from nasion.models.losses import Loss, squared_error
from nasion.models.optim import SGD, Adam, Constant, Phase, Plateau, Schedule
from nasion.models.precision import Precision


@dataclass(frozen=True)
class AugmentDecay:
    """Scale augmentation and corruption by ``to`` after the fraction ``after`` of training.

    A network that has learnt from strong changes then fits faces as they are.
    """

    after: float = 1.0
    to: float = 1.0

    def __post_init__(self) -> None:
        require(
            0 <= self.after <= 1 and 0 <= self.to <= 1,
            f"augment_decay.after and augment_decay.to must be 0 to 1; found {self}.",
        )


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides what a run learns; with the same data and machine, the same numbers.

    ``data``: the dataset it was made for (the data given decides what is read).
    ``start_at_mean``: the head's bias starts at the mean target, so that training need not find the
    mean face first. ``missing``: see ``data/missing_labels.py``. ``suspect_labels``: ``drop``
    trains without faces whose labels look wrong (``data/label_outliers.py``); evaluation keeps
    them. ``ema_decay``: keep an exponential moving average of the weights (0: the weights
    themselves). ``keep``: the weights of the best epoch on the validation faces, or of the last
    epoch, which they do not influence. ``patience``: stop after this many epochs without a better
    validation score (None: never). ``init_from``: the run folder, exported file or shipped model
    whose weights training starts from, also with other points (``training/starting_network.py``);
    with 0 ``epochs`` they are kept.
    ``distillation``: how far, from 0 to below 1, labels are moved towards that network's points.
    ``points_from``: ``data``, the network predicts the points that the training data label, not
    those of the spec's scheme. ``repeats``: how often an epoch shows each face.
    ``face_head``: after training, learn whether a crop shows a face and which points can be seen
    (``training/face_head.py``; for ``Pyramid`` networks with ``Anchors``).
    ``hold_out``: false trains on the validation faces too; their errors then say nothing.
    ``precision``: ``auto`` is bfloat16 autocast if the processor computes in it (Keras: in training
    only). ``second_phase`` and a ``Plateau`` schedule are for Keras networks.
    """

    data: str = field(metadata={"fixed": "--data gives the dataset"})
    spec: ModelSpec
    architecture: Architecture
    optim: Adam | SGD
    epochs: int
    schedule: Schedule = field(default_factory=Constant)
    second_phase: Phase | None = None
    loss: Loss = squared_error
    augment: Augment = field(default_factory=Augment)
    augment_decay: AugmentDecay = field(default_factory=AugmentDecay)
    corrupt: Corrupt = field(default_factory=Corrupt)
    missing: MissingLabels = "mask"
    suspect_labels: Literal["keep", "drop"] = "keep"
    ema_decay: float = 0.0
    keep: Literal["best", "last"] = "best"
    init_from: str | None = None
    distillation: float = 0.0
    points_from: Literal["recipe", "data"] = "recipe"
    face_head: bool = False
    hold_out: bool = True
    start_at_mean: bool = False
    batch_size: int = 64
    repeats: int = 1
    patience: int | None = None
    seed: int = 0
    precision: Precision = "auto"

    def __post_init__(self) -> None:
        self._check_numbers()
        self._check_parts_fit()
        self._check_framework()
        self._check_loss_fits()

    def _check_numbers(self) -> None:
        least = 1 if self.init_from is None else 0
        require(
            self.epochs >= least,
            f"epochs must be {least} or more; found {self.epochs}. 0 keeps the weights of "
            "init_from, if it is set.",
        )
        require(self.batch_size >= 1, f"batch_size must be 1 or more; found {self.batch_size}.")
        require(self.repeats >= 1, f"repeats must be 1 or more; found {self.repeats}.")
        require(
            self.patience is None or self.patience >= 1,
            f"patience must be 1 or more, or none; found {self.patience}.",
        )
        require(
            0 <= self.seed < 1 << 63, f"seed must be 0 or more, below 2**63; found {self.seed}."
        )
        for name in ("ema_decay", "distillation"):
            share = getattr(self, name)
            require(0 <= share < 1, f"{name} must be 0 to below 1; found {share}.")
        require(
            self.init_from is not None or not self.distillation,
            f"distillation={self.distillation} moves labels towards the points of the network "
            "that training starts from; set init_from, or distillation=0.",
        )

    def _check_parts_fit(self) -> None:
        codec, stride = self.spec.codec, stride_of(self.architecture)
        require(
            stride == codec.stride,
            f"The codec needs maps of stride {codec.stride}, the network outputs {stride} "
            "(None: no maps).",
        )
        require(
            getattr(self.loss, "guided", False) == getattr(codec, "guided", False),
            f"A guided loss and a guided codec need each other; found {codec} and {self.loss}.",
        )
        require(
            not self.face_head
            or (hasattr(codec, "point_features") and has_features(self.architecture)),
            "face_head is for Pyramid networks with the codec Anchors; "
            f"found {self.architecture} and {codec}.",
        )
        require(
            codec.stride is None or not self.start_at_mean,
            "start_at_mean is for networks that output coordinates; this one outputs maps, "
            "which start in the middle of the image.",
        )

    def _check_loss_fits(self) -> None:
        codec, learns_scale = self.spec.codec, getattr(self.loss, "predicts_sigma", False)
        has_scale = _has_log_scale(codec, self.spec.input_size)
        name = getattr(self.loss, "__name__", self.loss)
        require(
            learns_scale or not has_scale,
            f"{codec} has a log scale for each point, which loss {name} does not learn; take "
            "LaplaceLikelihood or GaussianLikelihood, or a codec without a scale.",
        )
        require(
            has_scale or not learns_scale,
            f"Loss {name} learns a log scale for each point, which {codec} does not have; take a "
            "codec with a scale (Coordinates(scale=True), Anchors), or a loss without one.",
        )

    def _check_framework(self) -> None:
        framework = self.framework
        require(
            framework in ("pytorch", "keras"),
            f"An architecture's framework is pytorch or keras; found {framework!r}.",
        )
        # What only one of the loops does is refused for the other, not ignored.
        codec = self.spec.codec
        torch_only = self.ema_decay or self.keep == "last" or self.init_from
        require(
            framework != "keras" or not (torch_only or codec.stride or codec.predicts_sigma),
            "Maps, learnt scales, ema_decay, init_from and keep=last are for PyTorch networks; "
            "this recipe's network is Keras'.",
        )
        keras_only = self.second_phase is not None or isinstance(self.schedule, Plateau)
        require(
            framework == "keras" or not keras_only,
            "A second phase and a Plateau schedule are for Keras networks; "
            "this recipe's network is PyTorch's.",
        )

    @property
    def framework(self) -> str:
        """``pytorch`` or ``keras``."""
        return framework_of(self.architecture)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The phases of training, the recipe's own first."""
        first = Phase(
            optim=self.optim, epochs=self.epochs, schedule=self.schedule, patience=self.patience
        )
        if self.second_phase is None or self.second_phase.epochs == 0:
            return (first,)
        return (first, self.second_phase)

    def in_epoch(self, epoch: int) -> Recipe:
        """The recipe with the augmentation of this epoch, counted from 0 over all phases."""
        decay, epochs = self.augment_decay, sum(phase.epochs for phase in self.phases)
        if epoch < decay.after * epochs or decay.to == 1:
            return self
        augment, corrupt = self.augment.scaled(decay.to), self.corrupt.scaled(decay.to)
        return dataclasses.replace(self, augment=augment, corrupt=corrupt)

    def build_network(self, *, weights_follow: bool = False) -> Any:
        """A new network, its weights drawn from the framework's generator.

        ``weights_follow``: other weights are loaded next, so none need be downloaded.
        """
        architecture: Any = self.architecture
        if weights_follow and getattr(architecture, "pretrained", False):
            architecture = dataclasses.replace(architecture, pretrained=False)
        return architecture.build(self.spec.outputs, self.spec.input_size, self.spec.channels)


def _has_log_scale(codec: Codec, size: tuple[int, int]) -> bool:
    """Whether the codec's outputs have more numbers per point than its targets: a log scale."""
    one = Scheme(name="one", points=("point",), mirror=())
    cells = () if codec.stride is None else (size[1] // codec.stride, size[0] // codec.stride)
    output = np.zeros((1, codec.outputs(one), *cells), dtype=np.float32)
    target = codec.encode(np.zeros((1, 1, 2), dtype=np.float32), size)
    return codec.activate(output, size).shape != target.shape
