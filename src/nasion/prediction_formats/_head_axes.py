"""The axes of a head, from the tip of the nose: red to the subject's left, green down, blue ahead.

Colours and directions as in most drawings of head poses.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nasion.array_types import Float64
from nasion.landmarks.face import PoseAndMeasures
from nasion.landmarks.mean_face import mean_face
from nasion.landmarks.scheme import Scheme

_COLOURS = ((235, 40, 40), (40, 190, 60), (60, 110, 255))
_LENGTH = 0.6  # in distances of the outer eye corners
_WIDTH = 1 / 36  # of that distance
_NOSE_TIP = mean_face(Scheme(name="nose", points=("nose_tip",), mirror=()))[0]


def axis_ends(measured: PoseAndMeasures) -> Float64[np.ndarray, "4 2"]:
    """Where the axes begin, and where x, y and z end, in pixels of the image."""
    pose = measured.pose
    places = np.concatenate([_NOSE_TIP[None], _NOSE_TIP + _LENGTH * np.eye(3)])
    ends = pose.scale * places @ pose.rotation[:2].T + pose.shift
    return ends / np.array([measured.pixel_aspect, 1.0])


def draw_head_axes(pen: Any, measured: PoseAndMeasures, to_layer: Any, scale: float) -> None:
    """Draw them with a Pillow pen; nothing if the pose is not known.

    ``to_layer``: from pixels of the image to those of the pen; ``scale``: how much larger they are.
    """
    pose = measured.pose
    if not np.isfinite(pose.scale):
        return
    start, *ends = [tuple(to_layer(end).tolist()) for end in axis_ends(measured)]
    width = max(2, round(pose.scale * scale * _WIDTH))
    # What points away from the viewer first, so that it does not cover the others.
    for i in np.argsort(pose.rotation[2], kind="stable").tolist():
        _draw_arrow(pen, start, ends[i], width, _COLOURS[i])


def _draw_arrow(
    pen: Any,
    start: tuple[float, float],
    end: tuple[float, float],
    width: int,
    colour: tuple[int, int, int],
) -> None:
    rim = max(1, width // 4)
    for wider, fill in ((rim, (0, 0, 0)), (0, colour)):
        pen.line([start, end], fill=(*fill, 255), width=width + 2 * wider)
        # A dot at the end, which is all that is seen of an axis that points at the viewer.
        reach = 0.9 * width + wider
        box = (end[0] - reach, end[1] - reach, end[0] + reach, end[1] + reach)
        pen.ellipse(box, fill=(*fill, 255))
