"""Query parameters of aligned crops, and the templates that a network's points suffice for."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from nasion.app.crop_pipeline import FORMATS, CropOptions
from nasion.app.serve.admission import Rejected
from nasion.app.serve.search import Search
from nasion.app.serve.settings import Number, WholeNumber
from nasion.errors import SettingError
from nasion.inference.smoothing import DEFAULT_SMOOTHING
from nasion.landmarks.aligned_crops import PADDINGS, default_padding
from nasion.landmarks.alignment import TEMPLATES, CropFrame
from nasion.landmarks.catalog import SCHEMES
from nasion.landmarks.scheme import Scheme

MAX_SIDE = 1024  # pixels: time and memory grow with the square of it

if TYPE_CHECKING:
    Template = str
    Padding = str
    CropFormat = str
else:
    Template = Enum("Template", {name: name for name in (*TEMPLATES, *SCHEMES)}, type=str)
    Padding = Enum("Padding", {name: name for name in PADDINGS}, type=str)
    CropFormat = Enum("CropFormat", {name: name for name in FORMATS}, type=str)


class CropSettings(Search):
    """The query's parameters."""

    template: Template = Field(
        "arcface",
        description="Where the face's points come to lie: arcface, ffhq, or a scheme, whose mean "
        "shape fills the crop.",
    )
    size: WholeNumber | None = Field(
        None,
        ge=8,
        le=MAX_SIDE,
        description="Side of the crop in pixels; the template's own: 112, 1024, 256.",
    )
    margin: Number = Field(
        0.0,
        ge=-0.4,
        le=10,
        description="More around the face on each side, as a share of the template's side.",
    )
    padding: Padding | None = Field(
        None, description="What is beyond the image: black, but with ffhq reflect."
    )
    format: CropFormat = Field("png", description="Format of the crops.")
    face: WholeNumber | None = Field(
        None,
        ge=1,
        description="The number of one face, from 1, as /v1/landmarks lists them: the response is "
        "its crop alone. Without it all come, as a zip. Not of clips.",
    )
    every: WholeNumber = Field(
        1, ge=1, description="Of a clip: crop the faces of every n-th frame only."
    )
    smooth: bool = Field(True, description="Of a clip: smooth the points from frame to frame.")

    def options(self, scheme: Scheme) -> CropOptions:
        """What is cropped, and how. Raises ``Rejected`` (422) for a template without its points."""
        template = getattr(self.template, "value", self.template)
        padding = getattr(self.padding, "value", self.padding)
        try:
            frame = CropFrame(template, self.size, self.margin)
            frame.check_scheme(scheme)
        except SettingError as error:
            raise Rejected(422, f"template: {error}") from error
        return CropOptions(
            frame,
            padding or default_padding(template),
            Path(),
            FORMATS[getattr(self.format, "value", self.format)],
            smoothing=DEFAULT_SMOOTHING if self.smooth else None,
            every=self.every,
        )


def crop_templates(scheme: Scheme) -> dict[str, int]:
    """The templates that faces of this scheme can be laid onto, and their sizes in pixels."""
    found = {}
    for name in (*TEMPLATES, *SCHEMES):
        frame = CropFrame(name)
        try:
            frame.check_scheme(scheme)
        except SettingError:
            continue
        found[name] = frame.side
    return found
