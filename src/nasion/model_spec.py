"""What a network predicts and how faces are shown to it: all that inference needs to know.

``Recipe`` is a ``ModelSpec`` plus an architecture and training settings. Prediction, export, ONNX
metadata and the server know only the spec.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

from nasion.data.annotators import SeparateHeads, add_heads
from nasion.errors import require
from nasion.landmarks.scheme import Scheme
from nasion.models.codecs import Codec, Coordinates

TTA = Literal["none", "flip", "flip+shift"]
TTA_MODES: tuple[TTA, ...] = get_args(TTA)
# Beyond, a face is a few pixels of its crop, or a few pixels of the face fill it.
MIN_BOX_SCALE, MAX_BOX_SCALE = 0.1, 10.0
MAX_INPUT_SIDE = 2048  # pixels; a batch of larger crops would not fit into memory
MAX_REFINE_STEPS = 4  # each is another pass through the network


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """Input and output of a network.

    ``input_size``: (width, height) in pixels. ``codec``: what the outputs mean. ``colour``: RGB
    input, else grey. ``pixel_range``: the values of black and white.
    ``box_scale``: the network sees the face's box with its sides times this. ``square``: of that
    box, the square with the same centre and mean side. ``box_shift``: how far the centre of what it
    sees lies from the box's to the right and down, in mean sides of the box.
    ``whole_images``: images are crops of one face, so a face without a box is the whole image; else
    it is cropped around its points. ``tight_boxes``: also in datasets whose images are crops of one
    face, or that have boxes of their own. ``face_margins``: how far whole faces, as detectors box
    them, reach beyond the boxes given in training on the left, top, right and bottom, in mean sides
    of those boxes; None: as the names of the points say (``landmarks/face_extent.py``).
    ``detected_boxes``: labels do not tell how large a face is, as of a single point; labelled faces
    are cropped in the boxes of the detector (``inference/whole_faces.py``), as others are.
    ``refine_steps``: how often a face is processed at most; from the second time on it is cropped
    upright, in the box of the points found before. ``tta``: test-time augmentation, averaged with
    the mirrored face (``flip``) or mirrored and shifted faces (``flip+shift``).
    ``separate_heads``: annotators with outputs of their own (``data/annotators.py``).
    """

    scheme: Scheme
    input_size: tuple[int, int]
    codec: Codec = field(default_factory=Coordinates)
    colour: bool = False
    pixel_range: tuple[float, float] = (0.0, 1.0)
    box_scale: float = 1.0
    box_shift: tuple[float, float] = (0.0, 0.0)
    square: bool = False
    whole_images: bool = False
    tight_boxes: bool = False
    face_margins: tuple[float, float, float, float] | None = None
    detected_boxes: bool = False
    refine_steps: int = 1
    tta: TTA = "none"
    separate_heads: tuple[SeparateHeads, ...] = ()

    def __post_init__(self) -> None:
        require(
            min(self.input_size) >= 4 and max(self.input_size) <= MAX_INPUT_SIDE,
            f"input_size must be at least 4,4 and at most {MAX_INPUT_SIDE},{MAX_INPUT_SIDE} "
            f"(width, height); found {self.input_size}.",
        )
        check_size = getattr(self.codec, "check_size", None)
        if check_size is not None:
            check_size(self.input_size)
        require(
            MIN_BOX_SCALE <= self.box_scale <= MAX_BOX_SCALE,
            f"box_scale must be a number above 0, {MIN_BOX_SCALE:g} to {MAX_BOX_SCALE:g}; "
            f"found {self.box_scale}.",
        )
        require(
            -math.inf < self.pixel_range[0] < self.pixel_range[1] < math.inf,
            f"pixel_range must be two finite numbers and rise; found {self.pixel_range}.",
        )
        require(
            1 <= self.refine_steps <= MAX_REFINE_STEPS,
            f"refine_steps must be 1 to {MAX_REFINE_STEPS}; found {self.refine_steps}.",
        )
        require(
            not (self.whole_images and self.tight_boxes),
            "whole_images and tight_boxes exclude each other.",
        )
        require(
            not (self.whole_images and self.detected_boxes),
            "whole_images and detected_boxes exclude each other.",
        )
        require(
            all(abs(shift) <= MAX_BOX_SCALE for shift in self.box_shift),
            f"box_shift must be two numbers up to {MAX_BOX_SCALE:g}; found {self.box_shift}.",
        )
        margins = self.face_margins or (0.0,)
        require(
            sum(margins) / 2 > -1 and all(abs(margin) <= MAX_BOX_SCALE for margin in margins),
            f"face_margins must be four numbers up to {MAX_BOX_SCALE:g} whose sum is above -2; "
            f"found {self.face_margins}.",
        )
        require(self.tta in TTA_MODES, f"tta is one of {', '.join(TTA_MODES)}; found {self.tta!r}.")

    @property
    def output_scheme(self) -> Scheme:
        """The scheme with the points of separate heads: what the network has outputs for."""
        return add_heads(self.scheme, self.separate_heads)

    @property
    def whole(self) -> bool | None:
        """Whether faces without a box are whole images; None: as their dataset says."""
        return True if self.whole_images else (False if self.tight_boxes else None)

    @property
    def channels(self) -> int:
        return 3 if self.colour else 1

    @property
    def outputs(self) -> int:
        """How many numbers or maps the network outputs."""
        return self.codec.outputs(self.output_scheme)
