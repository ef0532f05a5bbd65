"""Optimizers, learning rate schedules, and a second phase of training."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from nasion.errors import require


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba, ICLR 2015).

    With ``weight_decay`` it is AdamW (Loshchilov and Hutter, ICLR 2019); norms and biases are not
    decayed.
    """

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        require(0 < self.lr < math.inf, f"optim.lr must be a number above 0; found {self.lr}.")
        require(
            all(0 <= beta < 1 for beta in self.betas),
            f"optim.betas must be 0 to below 1; found {self.betas}.",
        )
        require(
            0 <= self.weight_decay < math.inf,
            f"optim.weight_decay must be 0 or more; found {self.weight_decay}.",
        )


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent with momentum (Polyak, 1964)."""

    lr: float = 1e-2
    momentum: float = 0.9

    def __post_init__(self) -> None:
        require(0 < self.lr < math.inf, f"optim.lr must be a number above 0; found {self.lr}.")
        require(
            0 <= self.momentum < 1, f"optim.momentum must be 0 to below 1; found {self.momentum}."
        )


@dataclass(frozen=True)
class Constant:
    """The same learning rate from the first step to the last."""

    def __call__(self, done: float, epochs: int) -> float:
        return 1.0


@dataclass(frozen=True)
class StepDecay:
    """The learning rate times ``factor`` after every ``every`` epochs (PyTorch's StepLR)."""

    every: int = 5
    factor: float = 0.1

    def __post_init__(self) -> None:
        require(
            self.every > 0 and 0 < self.factor <= 1,
            f"The schedule needs every >= 1 and factor above 0 up to 1; found {self}.",
        )

    def __call__(self, done: float, epochs: int) -> float:
        """The factor of the learning rate after ``done`` of ``epochs`` epochs."""
        return self.factor ** (int(done) // self.every)


@dataclass(frozen=True)
class Cosine:
    """A linear warm-up over the fraction ``warmup``, then a cosine to 0 (Loshchilov, ICLR 2017)."""

    warmup: float = 0.05

    def __post_init__(self) -> None:
        require(
            0 <= self.warmup < 1,
            f"schedule.warmup is a fraction, 0 to below 1; found {self.warmup}.",
        )

    def __call__(self, done: float, epochs: int) -> float:
        """The factor of the learning rate after ``done`` of ``epochs`` epochs."""
        fraction = done / epochs
        if fraction < self.warmup:
            # 1e-3: the first step would have a rate of 0 and teach nothing.
            return (fraction + 1e-3) / (self.warmup + 1e-3)
        return 0.5 + 0.5 * math.cos(math.pi * (fraction - self.warmup) / (1 - self.warmup))


@dataclass(frozen=True)
class Plateau:
    """The rate times ``factor`` after ``patience`` epochs without a better validation score.

    As Keras' ReduceLROnPlateau. It depends on how training goes, so the loop applies it.
    """

    factor: float = 0.5
    patience: int = 5

    def __post_init__(self) -> None:
        require(
            0 < self.factor < 1 and self.patience >= 1,
            f"The schedule needs factor between 0 and 1 and patience >= 1; found {self}.",
        )

    def __call__(self, done: float, epochs: int) -> float:
        return 1.0


Schedule = Constant | StepDecay | Cosine | Plateau


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A phase of training: optimizer, schedule and length; it starts from the best weights.

    ``epochs``: its length at most; 0 leaves the phase out. ``patience``: stop after this many
    epochs without a better score, counted from the phase's start.
    """

    optim: Adam | SGD
    epochs: int
    schedule: Schedule = field(default_factory=Constant)
    patience: int | None = None

    def __post_init__(self) -> None:
        require(
            self.epochs >= 0, f"The second phase's epochs must be 0 or more; found {self.epochs}."
        )
        require(
            self.patience is None or self.patience >= 1,
            f"The second phase's patience must be 1 or more, or none; found {self.patience}.",
        )
