"""Query parameters that say what is drawn into an image or a clip."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from nasion.app.serve.admission import Rejected
from nasion.errors import SettingError
from nasion.prediction_formats import DrawStyle
from nasion.prediction_formats._draw_style import LABELS, MARKS

if TYPE_CHECKING:
    Labels = str
else:
    Labels = Enum("Labels", {name: name for name in LABELS}, type=str)


class DrawingSettings(BaseModel):
    """The parameters of drawn images and of drawn clips."""

    labels: Labels = Field("none", description="Labels beside drawn points.")
    draw: str | None = Field(
        None,
        description=f"What is drawn, several with commas: {', '.join(MARKS)}. "
        "Points and lines, of clips also boxes, scores and tracks; with measures also axes and "
        "measures.",
    )

    def drawn(self, measures: bool, overlay: bool = False, image_format: str = "jpg") -> DrawStyle:
        """What is drawn. Raises ``Rejected`` (422) for what does not go together."""
        if self.draw is not None and "labels" in self.model_fields_set:
            raise Rejected(422, "labels: has no effect with draw, which names all that is drawn.")
        words = [] if self.draw is None else [word.strip() for word in self.draw.split(",")]
        marks = None if self.draw is None else tuple(dict.fromkeys(filter(None, words)))
        labels = getattr(self.labels, "value", self.labels)
        try:
            style = DrawStyle(marks, labels, None, overlay, image_format)
        except SettingError as error:
            raise Rejected(422, f"draw: {error}") from error
        if style.needs_measures and not measures:
            raise Rejected(422, "draw: axes and measures are drawn with measures=true; add it.")
        return style

    def refuse_unused(self, names: Iterable[str], wanted: str) -> None:
        """Raise ``Rejected`` (422) for parameters that have an effect with ``wanted`` only."""
        if given := sorted(set(names) & self.model_fields_set):
            raise Rejected(422, f"{', '.join(given)}: has no effect without {wanted}.")
