"""Query parameters that say what is hidden of faces, and how."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from nasion.app.anonymise_pipeline import PARTS, HideOptions
from nasion.app.serve.admission import Rejected
from nasion.app.serve.settings import (
    AnyRotation,
    Number,
    WholeNumber,
    smallest_min_face,
    with_min_face,
)
from nasion.errors import DataError, SettingError
from nasion.inference.landmarker import MIN_SCORE, Landmarker
from nasion.landmarks.face_region import GROW, require_eyes
from nasion.landmarks.scheme import Scheme
from nasion.media.hiding import METHODS

# Lower than of /v1/landmarks, since to miss a face is worse than to hide something else.
LOW_SCORE, SMALL_FACE = 0.3, 20
# The blur of a part reaches further with it, and takes time with the square of that.
MAX_STRENGTH = 4.0
SUFFIXES = {"png": ".png", "jpg": ".jpg"}

if TYPE_CHECKING:
    Part = str
    Method = str
    ImageFormat = str
else:
    Part = Enum("Part", {name: name for name in PARTS}, type=str)
    Method = Enum("Method", {name: name for name in METHODS}, type=str)
    ImageFormat = Enum("ImageFormat", {name: name for name in SUFFIXES}, type=str)


class HideSettings(BaseModel):
    """The query's parameters."""

    part: Part = Field("face", description="face (jaw line to forehead) or eyes (a band).")
    method: Method = Field(
        "pixelate",
        description="pixelate, blur, or fill (black). Only fill leaves nothing of the face: who "
        "was pixelated or blurred may still be recognised by a program.",
    )
    strength: Number = Field(
        1.0, ge=0.25, le=MAX_STRENGTH, description="So many times larger blocks, or wider blur."
    )
    grow: Number = Field(
        GROW,
        ge=0,
        le=2,
        description="How much further to hide on each side, as a share of the face's size.",
    )
    verify: bool | None = Field(
        None,
        description="Search the result for faces; where one is found, hide more and search again. "
        "True; with part=eyes false.",
    )
    format: ImageFormat | None = Field(
        None, description="Of an image's result: png for PNG files, jpg for all others."
    )
    sound: bool = Field(True, description="Of a clip: keep its sound; voices identify people.")
    min_face: WholeNumber | None = Field(
        None,
        ge=8,
        description=f"Side in pixels of the smallest face to look for: {SMALL_FACE}, or more in "
        "images of more than 16 million pixels.",
    )
    min_score: Number = Field(LOW_SCORE, ge=0, le=1, description="Minimum face score.")
    any_rotation: AnyRotation = False

    def check(self, scheme: Scheme) -> None:
        """Raise ``Rejected`` (422) for what does not go together."""
        if self.method == "fill" and "strength" in self.model_fields_set:
            raise Rejected(422, "strength: has no effect with method=fill; leave it out.")
        if self.part == "eyes" and self.verify:
            raise Rejected(422, "verify: part=eyes leaves a face that is found; leave verify out.")
        if self.part == "eyes":
            try:
                require_eyes(scheme)
            except SettingError as error:
                raise Rejected(422, f"part: {error}") from error

    def landmarker(
        self, server: Landmarker, most: int, size: tuple[int, int], name: str
    ) -> Landmarker:
        """Finds the faces of an image or frame of this size, at most so many."""
        own = server.with_settings(
            min_score=self.min_score, any_rotation=self.any_rotation, max_faces=most
        )
        if self.min_face is not None:
            return with_min_face(own, self.min_face, size, name)
        if not hasattr(own.detector, "min_face"):
            return own
        return with_min_face(own, max(SMALL_FACE, smallest_min_face(size)), size, name)

    def options(self, landmarker: Landmarker) -> HideOptions:
        """What is hidden, and how. ``landmarker``: that of the image or clip."""
        part = getattr(self.part, "value", self.part)
        looks_again = part == "face" if self.verify is None else self.verify
        check = landmarker.with_settings(min_score=max(self.min_score, MIN_SCORE))
        return HideOptions(
            folder=Path(),
            part=part,
            method=getattr(self.method, "value", self.method),
            strength=self.strength,
            grow=self.grow,
            check=check if looks_again else None,
            sound=self.sound,
        )


def refuse_as_many(faces: int, most: int, name: str, what: str = "image") -> None:
    """Raise ``DataError`` for as many faces as the limit: more might be left."""
    if faces >= most:
        raise DataError(
            f"{name}: {faces} faces or more, the limit, so some would not be hidden; send parts of "
            f"the {what}, or use nasion anonymise."
        )
