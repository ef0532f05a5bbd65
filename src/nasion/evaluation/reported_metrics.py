"""The metrics of an evaluation, in one table: add one here, and tables, JSON and report show it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from nasion.array_types import Float, Shaped
from nasion.landmarks import metrics
from nasion.landmarks.metrics import Measure


@dataclass(frozen=True, eq=False)
class Errors:
    """Truth and prediction of some faces, and what the metrics are computed from.

    ``sizes``: (width, height) of each image. ``face_nme``: each face's error relative to its norm.
    ``threshold``: of failure rate and AUC, as a fraction of the norm.
    """

    truth: Shaped[np.ndarray, "N K 2"]
    predicted: Shaped[np.ndarray, "N K 2"]
    sizes: Float[np.ndarray, "N 2"]
    face_nme: Float[np.ndarray, " N"]
    threshold: float


@dataclass(frozen=True)
class Metric:
    """One number of an evaluation.

    ``key``: in ``scores.json`` and as an attribute of ``Scores``. ``heading``: in tables.
    ``scale``: what the value is multiplied by to be shown (100: per cent). ``digits``: in JSON.
    ``form``: in tables. ``brief``: also in the terminal's tables.
    """

    key: str
    heading: str
    description: str
    compute: Callable[[Errors], Measure]
    scale: float = 1.0
    digits: int = 5
    form: str = ".3f"
    brief: bool = False

    def shown(self, value: float) -> str:
        """The value in a table; - if nothing was counted."""
        return format(self.scale * value, self.form) if math.isfinite(value) else "-"


def _percentile(percent: int) -> Metric:
    heading = "median %" if percent == 50 else f"p{percent} %"
    return Metric(
        key=f"p{percent}",
        heading=heading,
        description=f"{percent} % of the faces have a lower NME",
        compute=lambda errors: metrics.percentile(errors.face_nme, percent),
        scale=100,
        digits=4,
        form=".2f",
        brief=percent in (50, 95),
    )


METRICS: tuple[Metric, ...] = (
    Metric(
        key="rmse",
        heading="RMSE px",
        description="root mean squared error of all coordinates pooled, in pixels",
        compute=lambda errors: metrics.rmse(errors.truth, errors.predicted),
        brief=True,
    ),
    Metric(
        key="mae",
        heading="MAE px",
        description="mean absolute error of all coordinates pooled, in pixels",
        compute=lambda errors: metrics.mae(errors.truth, errors.predicted),
    ),
    Metric(
        key="mse_relative",
        heading="MSE relative",
        description="mean squared error of x / width and y / height of the image",
        compute=lambda errors: metrics.relative_mse(errors.truth, errors.predicted, errors.sizes),
        digits=9,
        form=".2e",
    ),
    Metric(
        key="nme",
        heading="NME %",
        description="mean distance between points and labels, divided by the norm",
        compute=lambda errors: metrics.nme(errors.face_nme),
        scale=100,
        digits=4,
        form=".2f",
        brief=True,
    ),
    *map(_percentile, (50, 90, 95, 99)),
    Metric(
        key="fr",
        heading="failures %",
        description="faces with an NME above the threshold, or without a prediction",
        compute=lambda errors: metrics.failure_rate(errors.face_nme, errors.threshold),
        scale=100,
        digits=4,
        form=".2f",
        brief=True,
    ),
    Metric(
        key="auc",
        heading="AUC %",
        description="area under the cumulative error curve up to the threshold",
        compute=lambda errors: metrics.auc(errors.face_nme, errors.threshold),
        scale=100,
        digits=4,
        form=".2f",
        brief=True,
    ),
)


@dataclass(frozen=True)
class Scores:
    """The metrics of a set of faces.

    ``faces``: how many have an NME. ``rmse_faces``, ``coordinates``: how many faces, and how many x
    and y values, errors in pixels count; the norm is not asked for there. Each metric of
    ``METRICS`` is an attribute, as ``scores.nme``: pixels, or fractions of the norm; NaN if nothing
    was counted.
    """

    faces: int
    rmse_faces: int
    coordinates: int
    metrics: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, errors: Errors) -> Scores:
        """All metrics of these errors."""
        values = {metric.key: metric.compute(errors).value for metric in METRICS}
        counted = ~np.isnan(errors.predicted - errors.truth)
        # Infinite errors are counted: faces without a prediction belong to the failures.
        faces = int((~np.isnan(errors.face_nme)).sum())
        return cls(faces, int(counted.any(axis=(1, 2)).sum()), int(counted.sum()), values)

    @property
    def shown_faces(self) -> str:
        """``5 (RMSE 23)`` where errors in pixels count other faces than relative ones do."""
        also = "" if self.rmse_faces == self.faces else f" (RMSE {self.rmse_faces})"
        return f"{self.faces}{also}"

    def __getattr__(self, name: str) -> float:
        # Also called while unpickling or copying, before there are any fields.
        values = self.__dict__.get("metrics", {})
        if name not in values:
            raise AttributeError(f"Scores have no {name!r}; they have {', '.join(values)}.")
        return values[name]

    def to_json(self) -> dict[str, float | int | None]:
        """As shown: relative numbers in per cent, None for what was not counted."""
        shown = {m.key: rounded(m.scale * self.metrics[m.key], m.digits) for m in METRICS}
        counts = ("faces", "rmse_faces", "coordinates")
        return {name: getattr(self, name) for name in counts} | shown


def headings(brief: bool = False) -> tuple[str, ...]:
    """The columns of a table of scores; ``brief``: those that fit into a terminal."""
    return ("", "faces", *(m.heading for m in METRICS if m.brief or not brief))


def table_row(name: str, scores: Scores, brief: bool = False) -> tuple[str, ...]:
    """One row of a table, in the order of ``headings``."""
    shown = (m.shown(scores.metrics[m.key]) for m in METRICS if m.brief or not brief)
    return (name, scores.shown_faces, *shown)


def rounded(value: float, digits: int) -> float | None:
    """A number for JSON; None if it is not finite."""
    return round(value, digits) if math.isfinite(value) else None
