"""The command for aligned crops of faces."""

from __future__ import annotations

import math
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasion.app import console
from nasion.app.cli.given_options import GivenOptions, knows_given
from nasion.app.cli.options import (
    AnyRotation,
    BoxTable,
    DetectorName,
    Inputs,
    KnownBox,
    MaxFaces,
    MinFace,
    MinScore,
    Model,
    NoDetect,
    RecipeFile,
    Seconds,
    Smooth,
    Threads,
    TTAMode,
    open_model,
)
from nasion.app.cli.outcome import Outcome, frame_count, images_and_videos
from nasion.app.stopping import stops_on_sigterm
from nasion.errors import SettingError, require

if TYPE_CHECKING:
    from nasion.app.crop_pipeline import CropOptions
    from nasion.inference.landmarker import Landmarker
    from nasion.media.inputs import ImageInput
    from nasion.media.video import VideoInput

_MAX_LINES = 20  # images with a line of their own in the terminal
_OF_CANDIDATES = ("any_rotation", "detector", "min_face", "min_score", "max_faces")


@stops_on_sigterm
@knows_given
def crop(
    inputs: Inputs,
    run: Model = Path("face68"),
    folder: Annotated[Path, typer.Option("--out", help="Output folder.", readable=False)] = Path(
        "crops"
    ),
    template: Annotated[
        str,
        typer.Option(
            help="Where the face's points come to lie: arcface (as recognition networks expect "
            "them, 112 pixels), ffhq (a square around eyes and mouth, 1024 pixels), or a scheme's "
            "name, whose mean shape fills the crop (256 pixels)."
        ),
    ] = "arcface",
    size: Annotated[
        int | None,
        typer.Option(help="Side of the crop in pixels.", show_default="the template's own"),
    ] = None,
    margin: Annotated[
        float,
        typer.Option(
            help="More around the face on each side, as a share of the template's side; the size "
            "stays."
        ),
    ] = 0.0,
    padding: Annotated[
        str | None,
        typer.Option(
            help="Beyond the image: black, edge, reflect, or blur (reflected and blurred).",
            show_default="black; ffhq: reflect",
        ),
    ] = None,
    image_format: Annotated[
        str, typer.Option("--format", "-f", help="Format of the crops: png or jpg.")
    ] = "png",
    box: KnownBox = None,
    boxes: BoxTable = None,
    no_detect: NoDetect = False,
    any_rotation: AnyRotation = False,
    detector: DetectorName = "single_shot",
    min_face: MinFace = None,
    min_score: MinScore = 0.6,
    max_faces: MaxFaces = None,
    smooth: Smooth = True,
    every: Annotated[
        int, typer.Option(help="Videos: crop the faces of every n-th frame only.", min=1)
    ] = 1,
    seconds: Seconds = None,
    workers: Threads = None,
    tta: TTAMode = None,
    recipe: RecipeFile = None,
    *,
    given: GivenOptions,
) -> None:
    """Cut out the faces of images and videos, each rotated and scaled to a template.

    The file crops.json beside the crops tells for each its source, the map to the source and back,
    and its points.
    """
    from nasion.app.crop_pipeline import FORMATS, CropOptions
    from nasion.app.known_boxes import known_boxes
    from nasion.inference import detectors
    from nasion.inference.landmarker import Landmarker
    from nasion.inference.smoothing import DEFAULT_SMOOTHING
    from nasion.landmarks.aligned_crops import check_padding, default_padding
    from nasion.landmarks.alignment import CropFrame
    from nasion.media.files import check_output_folder

    _check_options(given, seconds)
    frame = CropFrame(template, size, margin)
    check_padding(padding := padding or default_padding(template))
    if image_format not in FORMATS:
        raise SettingError(f"--format {image_format}: one of {', '.join(FORMATS)} expected.")
    check_output_folder(folder)
    images, videos = images_and_videos(inputs, seconds, folder)
    given.refuse_without_videos(videos)
    known = known_boxes(box or [], boxes, [each.name for each in (*images, *videos)])
    if known is not None and videos:
        raise SettingError("--box and --boxes are for images; in videos faces are tracked.")
    landmarker = Landmarker(
        open_model(run, recipe, tta),
        detector=None if no_detect else detectors.load(detector, min_face),
        min_score=min_score,
        any_rotation=any_rotation,
        max_faces=max_faces,
    )
    frame.check_scheme(landmarker.predictor.spec.scheme)
    options = CropOptions(
        frame=frame,
        padding=padding,
        folder=folder,
        suffix=FORMATS[image_format],
        boxes=known,
        smoothing=DEFAULT_SMOOTHING if smooth else None,
        every=every,
        threads=min(workers or os.cpu_count() or 1, len(images) + len(videos)),
    )
    _crop(images, videos, landmarker, options)


def _check_options(given: GivenOptions, seconds: float | None) -> None:
    """Raise ``SettingError`` for values and combinations that would have no effect."""
    known = {"box", "boxes"} & set(given.flags)
    if known and "no_detect" in given.flags:
        raise SettingError(
            "With --box, --boxes or --no-detect no face is searched for: give one of them."
        )
    if known:
        given.refuse("with --box or --boxes: no face is searched for", names=_OF_CANDIDATES)
    if "no_detect" in given.flags:
        given.refuse("with --no-detect: every image is one face", names=_OF_CANDIDATES)
    require(
        seconds is None or (math.isfinite(seconds) and seconds > 0),
        f"--seconds is above 0, and finite; found {seconds}.",
    )


def _crop(
    images: list[ImageInput],
    videos: list[VideoInput],
    landmarker: Landmarker,
    options: CropOptions,
) -> None:
    """Crop everything, with a progress bar, and say what was written."""
    from nasion.app.crop_pipeline import (
        LIST,
        CropWriter,
        crop_images,
        crop_videos,
        possible_outputs,
        stems_of,
    )
    from nasion.app.output_files import OutputCheck

    check = OutputCheck([*images, *videos])
    stem_of = stems_of(images, videos)
    check(possible_outputs(images, videos, options, stem_of))
    writer = CropWriter(options, landmarker.predictor.spec.scheme, check)
    outcome, counts = Outcome(), Counter[str]()
    dropped: dict[str, list[float]] = {}

    def add(result: Any) -> None:
        writer.add(result)
        outcome.unreadable.extend(result.refused)
        name = result.name.rpartition("@")[0] if result.is_frame else result.name
        counts[name] += len(result.crops)
        dropped.setdefault(name, []).extend(result.dropped)

    total = len(images) + sum(map(frame_count, videos))
    try:
        with console.progress_bar("frames" if videos else "images", total) as advance:
            results = [
                crop_images(images, landmarker, options, stem_of),
                crop_videos(videos, landmarker, options, stem_of),
            ]
            outcome.take(results, add, advance)
        if counts:
            writer.finish()
    finally:
        writer.discard()
    for name, count in list(counts.items())[:_MAX_LINES]:
        below = "" if count else _below(dropped[name], landmarker.min_score)
        console.say(f"{name}: {console.count(count, 'crop')}{below}")
    if len(counts) > _MAX_LINES:
        console.say(f"... and {len(counts) - _MAX_LINES} more")
    outcome.report()
    if counts:
        console.say(f"{console.count(writer.count, 'crop')} and {LIST}.")
        console.say(f"Written to {options.folder.resolve()}")
    cameras_only = not images and all(isinstance(video.source, int) for video in videos)
    outcome.exit(cameras_only=cameras_only)


def _below(scores: list[float], min_score: float) -> str:
    """Why there may be faces after all; empty if nothing looked like one."""
    from nasion.app.cli.predict_summary import scored_below

    if not scores:
        return ""
    candidates = console.count(len(scores), "candidate")
    return f" ({candidates} {scored_below(len(scores), max(scores), min_score)})"
