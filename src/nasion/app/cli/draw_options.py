"""The options of what is drawn, and into which kind of image."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from nasion.app.cli.given_options import GivenOptions
from nasion.errors import SettingError

if TYPE_CHECKING:
    from nasion.media.video import VideoInput
    from nasion.prediction_formats import DrawStyle

OF_DRAWINGS = ("draw", "labels", "draw_boxes", "overlay", "image_format")
Draw = Annotated[
    list[str] | None,
    typer.Option(
        "--draw",
        help="What is drawn, several with commas: points, lines, fill (parts of the face), boxes, "
        "scores, tracks (numbers of faces in videos), numbers or names (of points), axes (of the "
        "head), measures.",
        show_default="points,lines; in videos with boxes,scores,tracks; with --measures also "
        "axes,measures",
    ),
]
Labels = Annotated[
    str,
    typer.Option(
        help="Labels beside drawn points: none, numbers or names. Short for adding them to what "
        "is drawn otherwise."
    ),
]
DrawBoxes = Annotated[
    bool | None,
    typer.Option(
        "--draw-boxes/--no-draw-boxes",
        help="Draw each face's box with its score, in videos also its track number. Short for "
        "boxes,scores,tracks.",
        show_default="in videos",
    ),
]
Overlay = Annotated[
    bool,
    typer.Option(
        "--overlay",
        help="Draw on a transparent background instead of the image, in its size (PNG).",
    ),
]
ImageFormat = Annotated[
    str | None,
    typer.Option(help="Format of drawn images: jpg or png.", show_default="jpg; --overlay: png"),
]


def draw_style(
    given: GivenOptions,
    draw: list[str] | None,
    labels: str,
    draw_boxes: bool | None,
    overlay: bool,
    image_format: str | None,
) -> DrawStyle:
    """What the options choose. Raises ``SettingError`` for unknown or contradicting choices."""
    from nasion.prediction_formats import DrawStyle

    if draw is not None:
        reason = "with --draw, which names all that is drawn"
        given.refuse(reason, names=("labels", "draw_boxes"))
    marks = None if draw is None else tuple(separated(draw))
    usual_format = "png" if overlay else "jpg"
    return DrawStyle(marks, labels, draw_boxes, overlay, image_format or usual_format)


def check_video_drawings(given: GivenOptions, has_images: bool, videos: list[VideoInput]) -> None:
    """Raise ``SettingError`` for drawings that videos cannot be."""
    if videos and "overlay" in given.flags:
        raise SettingError(
            f"--overlay is for images: {videos[0].name} is a video, which has no transparency; "
            "leave out --overlay or the video."
        )
    if videos and not has_images:
        given.refuse("on videos, which are drawn as videos", names=("image_format",))


def separated(words: Iterable[str]) -> list[str]:
    """What was given with commas or repeatedly, each once."""
    parts = [part.strip() for word in words for part in word.split(",")]
    return list(dict.fromkeys(filter(None, parts)))
