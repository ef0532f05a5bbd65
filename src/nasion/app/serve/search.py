"""Query parameters that say where faces are: found by the detector, or in known boxes."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, Field

from nasion.app.serve.admission import Rejected
from nasion.app.serve.settings import (
    AnyRotation,
    MinFace,
    MinScore,
    parse_boxes,
    refuse_together,
)
from nasion.inference.landmarker import Landmarker


class Search(BaseModel):
    """The parameters that all requests of images have in common."""

    detect: bool = Field(True, description="False: every image is one face from edge to edge.")
    boxes: list[str] = Field(
        [], description="x0,y0,x1,y1 of a known face of the only image; repeat for several."
    )
    min_face: MinFace = None
    min_score: MinScore = None
    any_rotation: AnyRotation = False

    def known_boxes(self, most: int) -> np.ndarray | None:
        """(N, 4), or None: faces are detected. Raises ``Rejected`` (422)."""
        searches = self.min_face or self.min_score is not None or self.any_rotation
        if self.boxes and (searches or not self.detect):
            raise Rejected(
                422,
                "boxes: nothing is detected then; leave detect, min_face, min_score and "
                "any_rotation out.",
            )
        if not self.detect:
            refuse_together(self, ("min_face", "min_score", "any_rotation"), "detect=false")
        return parse_boxes(self.boxes, most)

    def landmarker(self, server: Landmarker, most: int) -> Landmarker:
        """The server's landmarker with these settings, for at most so many faces of an image."""
        return server.with_settings(
            detect=self.detect,
            min_score=self.min_score,
            any_rotation=self.any_rotation,
            max_faces=most,
        )


def refuse_boxes_for_several(boxes: np.ndarray | None, images: int) -> None:
    """Raise ``Rejected`` (422) for boxes if there is more than one image."""
    if boxes is not None and images > 1:
        raise Rejected(422, f"boxes: {images} images were sent; send one.")
