"""Head pose, eyes and mouth of a face: their names and values in every format."""

from __future__ import annotations

from dataclasses import fields

from nasion.landmarks.eyes_and_mouth import FaceMeasures
from nasion.landmarks.face import PoseAndMeasures
from nasion.prediction_formats._rounded import rounded

_ANGLES = ("yaw", "pitch", "roll")
_STANDARD_ERRORS = tuple(f"{angle}_standard_error" for angle in _ANGLES)
_MEASURES = tuple(field.name for field in fields(FaceMeasures))
# In tables.
COLUMNS: tuple[str, ...] = (
    *(f"pose_{name}" for name in (*_ANGLES, *_STANDARD_ERRORS)),
    *(f"measures_{name}" for name in _MEASURES),
)


def measures_value(measured: PoseAndMeasures) -> dict[str, dict[str, float | None]]:
    """``pose`` in degrees, and ``measures``; None for what is not known."""
    pose, measures = measured.pose, measured.measures
    angles = {angle: rounded(getattr(pose, angle), 2) for angle in _ANGLES}
    errors = rounded(pose.standard_error, 2)
    return {
        "pose": {**angles, **dict(zip(_STANDARD_ERRORS, errors, strict=True))},
        "measures": {name: rounded(getattr(measures, name), 4) for name in _MEASURES},
    }


def measures_row(measured: PoseAndMeasures) -> dict[str, float | None]:
    """The same as the values of ``COLUMNS``, by their names."""
    groups = measures_value(measured)
    return {
        f"{group}_{name}": value
        for group, values in groups.items()
        for name, value in values.items()
    }
