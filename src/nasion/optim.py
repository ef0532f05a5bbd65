"""How training goes: the optimizer, how its learning rate changes, and what may come after."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from nasion.errors import require


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba, ICLR 2015); with ``weight_decay`` AdamW (Loshchilov and Hutter, ICLR 2019), norms and biases spared."""

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        require(0 < self.lr < math.inf, f"optim.lr must be a number above 0; found {self.lr}.")
        require(all(0 <= beta < 1 for beta in self.betas), f"optim.betas must be from 0 to below 1; found {self.betas}.")
        require(0 <= self.weight_decay < math.inf, f"optim.weight_decay must be a number from 0; found {self.weight_decay}.")


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent with momentum (Polyak, 1964)."""

    lr: float = 1e-2
    momentum: float = 0.9

    def __post_init__(self) -> None:
        require(0 < self.lr < math.inf, f"optim.lr must be a number above 0; found {self.lr}.")
        require(0 <= self.momentum < 1, f"optim.momentum must be from 0 to below 1; found {self.momentum}.")


@dataclass(frozen=True)
class Constant:
    """The learning rate as it is, from the first step to the last."""

    def __call__(self, done: float, epochs: int) -> float:
        return 1.0


@dataclass(frozen=True)
class StepDecay:
    """The learning rate times ``factor`` after every ``every`` epochs (PyTorch's StepLR)."""

    every: int = 5
    factor: float = 0.1

    def __post_init__(self) -> None:
        require(self.every > 0 and 0 < self.factor <= 1, f"The schedule needs every >= 1 and factor above 0 up to 1; found {self}.")

    def __call__(self, done: float, epochs: int) -> float:
        """What the learning rate is multiplied by when ``done`` of ``epochs`` epochs are done."""
        return self.factor ** (int(done) // self.every)


@dataclass(frozen=True)
class Cosine:
    """A linear warm-up over ``warmup`` of the training, then half a cosine down to nothing (Loshchilov, ICLR 2017)."""

    warmup: float = 0.05

    def __post_init__(self) -> None:
        require(0 <= self.warmup < 1, f"schedule.warmup is a fraction, from 0 to below 1; found {self.warmup}.")

    def __call__(self, done: float, epochs: int) -> float:
        part = done / epochs
        if part < self.warmup:
            return (part + 1e-3) / (self.warmup + 1e-3)
        return 0.5 + 0.5 * math.cos(math.pi * (part - self.warmup) / (1 - self.warmup))


@dataclass(frozen=True)
class Plateau:
    """The learning rate times ``factor`` after ``patience`` epochs without a better validation score (ReduceLROnPlateau)."""

    factor: float = 0.5
    patience: int = 5

    def __post_init__(self) -> None:
        require(0 < self.factor < 1 and self.patience >= 1, f"The schedule needs factor between 0 and 1 and patience >= 1; found {self}.")

    def __call__(self, done: float, epochs: int) -> float:
        """1: what it does depends on how training goes, so the loop does it."""
        return 1.0


Schedule = Constant | StepDecay | Cosine | Plateau


@dataclass(frozen=True, kw_only=True)
class Phase:
    """What comes after the recipe's own optimizer and schedule: training goes on from the best weights with these.

    ``epochs``: at most so many; 0 leaves the phase out. ``patience`` as in the recipe, counted from the phase's start.
    """

    optim: Adam | SGD
    epochs: int
    schedule: Schedule = field(default_factory=Constant)
    patience: int | None = None

    def __post_init__(self) -> None:
        require(self.epochs >= 0, f"The second phase's epochs must be from 0; found {self.epochs}.")
        require(self.patience is None or self.patience >= 1, f"The second phase's patience must be from 1, or none; found {self.patience}.")
