"""The command for images and videos: find faces, predict their points, write them."""

from __future__ import annotations

import math
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nasion.app import console
from nasion.app.cli.draw_options import (
    OF_DRAWINGS,
    Draw,
    DrawBoxes,
    ImageFormat,
    Labels,
    Overlay,
    check_video_drawings,
    draw_style,
    separated,
)
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
    TTAMode,
    open_model,
    tta_or_none,
)
from nasion.app.cli.outcome import Outcome, frame_count, images_and_videos
from nasion.app.cli.predict_output import PredictionOutput
from nasion.app.cli.predict_summary import PredictionSummary
from nasion.app.stopping import stops_on_sigterm
from nasion.discovery import FORMATS
from nasion.errors import SettingError, require

if TYPE_CHECKING:
    from nasion.app.bulk import BulkSettings
    from nasion.app.known_boxes import KnownBoxes
    from nasion.app.predict_pipeline import PredictOptions
    from nasion.inference.landmarker import Landmarker
    from nasion.media.inputs import ImageInput
    from nasion.media.video import VideoInput
    from nasion.prediction_formats import DrawStyle

_DEFAULT_FORMATS = ("image", "json")
_STDOUT = "-"
# What the engines do; all other options are refused with --engine.
_OF_ENGINES = (
    *("run", "folder", "no_detect", "any_rotation", "detector"),
    *("min_face", "min_score", "engine", "workers", "tta", "hide_occluded", "measures"),
)
_OF_CANDIDATES = ("any_rotation", "detector", "min_face", "min_score", "max_faces")
_OF_SMOOTHING = ("min_cutoff", "beta")
Formats = Annotated[
    list[str] | None,
    typer.Option(
        "--format",
        "-f",
        help=f"Output format: {', '.join(FORMATS.names())}; several with commas.",
        show_default=", ".join(_DEFAULT_FORMATS),
    ),
]
HideOccluded = Annotated[
    bool,
    typer.Option(
        "--hide-occluded",
        help="Leave out points that cannot be seen: behind the head, covered, or outside the "
        "image. Text formats hold them as missing.",
    ),
]
Measures = Annotated[
    bool,
    typer.Option(
        "--measures",
        help="Tell how each head is turned (yaw, pitch, roll) and how far its eyes and mouth are "
        "open, in every format but pts.",
    ),
]
Engine = Annotated[
    str | None,
    typer.Option(
        help="Write Parquet files to --out, for very many images (also in .parquet); resumable. "
        "plain or ray."
    ),
]


@stops_on_sigterm
@knows_given
def predict(
    inputs: Inputs,
    run: Model = Path("face68"),
    formats: Formats = None,
    folder: Annotated[
        Path,
        typer.Option("--out", help="Output folder; - prints a text format.", readable=False),
    ] = Path("predictions"),
    draw: Draw = None,
    labels: Labels = "none",
    draw_boxes: DrawBoxes = None,
    overlay: Overlay = False,
    image_format: ImageFormat = None,
    hide_occluded: HideOccluded = False,
    measures: Measures = False,
    box: KnownBox = None,
    boxes: BoxTable = None,
    no_detect: NoDetect = False,
    any_rotation: AnyRotation = False,
    detector: DetectorName = "single_shot",
    min_face: MinFace = None,
    min_score: MinScore = 0.6,
    max_faces: MaxFaces = None,
    patience: Annotated[
        float,
        typer.Option(help="Videos: seconds for which a face out of sight keeps its track number."),
    ] = 0.7,
    smooth: Smooth = True,
    min_cutoff: Annotated[
        float, typer.Option(help="Smoothing cutoff in Hz for still faces: lower is smoother.")
    ] = 0.4,
    beta: Annotated[
        float, typer.Option(help="How much the cutoff rises with speed: higher follows faster.")
    ] = 400.0,
    seconds: Seconds = None,
    engine: Engine = None,
    workers: Annotated[
        int | None, typer.Option(help="Threads or processes.", min=1, show_default="cores")
    ] = None,
    tta: TTAMode = None,
    recipe: RecipeFile = None,
    *,
    given: GivenOptions,
) -> None:
    """Find the faces in images, videos or a camera's frames, and predict their points."""
    from nasion.app.predict_pipeline import PredictOptions
    from nasion.inference import detectors
    from nasion.inference.landmarker import Landmarker
    from nasion.inference.smoothing import OneEuro
    from nasion.media.files import check_output_folder
    from nasion.prediction_formats import is_text

    _check_options(given, engine, seconds, patience, smooth)
    if engine is not None:
        from nasion.app.bulk import BulkSettings

        check_output_folder(folder)
        settings = BulkSettings(
            model=str(run.resolve() if run.exists() else run),
            detector=detector,
            min_face=min_face,
            detect=not no_detect,
            min_score=min_score,
            any_rotation=any_rotation,
            tta=tta_or_none(tta),
            hide_occluded=hide_occluded,
            measures=measures,
        )
        _predict_in_bulk(inputs, settings, folder, engine, workers)
        return
    to_stdout = str(folder) == _STDOUT
    names = _output_formats(formats or [], to_stdout)
    style = draw_style(given, draw, labels, draw_boxes, overlay, image_format)
    _check_formats(given, names, style)
    measures = measures or style.needs_measures
    if not to_stdout:
        check_output_folder(folder)
    smoothing = OneEuro(min_cutoff, beta) if smooth else None
    images, videos = images_and_videos(inputs, seconds)
    given.refuse_without_videos(videos)
    check_video_drawings(given, bool(images), videos)
    known = _known_boxes(box or [], boxes, images, videos)
    landmarker = Landmarker(
        open_model(run, recipe, tta),
        detector=None if no_detect else detectors.load(detector, min_face),
        min_score=min_score,
        any_rotation=any_rotation,
        max_faces=max_faces,
    )
    _check_network(landmarker, run, hide_occluded, measures)
    options = PredictOptions(
        boxes=known,
        formats=tuple(name for name in names if not is_text(name)),
        folder=folder,
        style=style,
        hide_occluded=hide_occluded,
        measures=measures,
        smoothing=smoothing,
        patience=patience,
        threads=min(workers or os.cpu_count() or 1, len(images) + len(videos)),
    )
    texts = [name for name in names if is_text(name)]
    _predict(images, videos, landmarker, options, texts, to_stdout)


def _check_options(
    given: GivenOptions, engine: str | None, seconds: float | None, patience: float, smooth: bool
) -> None:
    """Raise ``SettingError`` for values and combinations that would have no effect."""
    if engine is not None:
        reason = "with --engine, which writes points, boxes and scores of images to Parquet"
        given.refuse(reason, allowed=_OF_ENGINES)
    if engine == "plain":
        given.refuse("with --engine plain, one process", names=("workers",))
    known = {"box", "boxes"} & set(given.flags)
    if known and "no_detect" in given.flags:
        raise SettingError(
            "With --box, --boxes or --no-detect no face is searched for: give one of them."
        )
    if known:
        reason = "with --box or --boxes: no face is searched for"
        given.refuse(reason, names=_OF_CANDIDATES)
    if "no_detect" in given.flags:
        given.refuse("with --no-detect: every image is one face", names=_OF_CANDIDATES)
    if not smooth:
        given.refuse("with --no-smooth", names=_OF_SMOOTHING)
    require(
        seconds is None or (math.isfinite(seconds) and seconds > 0),
        f"--seconds is above 0, and finite; found {seconds}.",
    )
    require(
        math.isfinite(patience) and patience >= 0,
        f"--patience is 0 seconds or more, and finite; found {patience}.",
    )


def _known_boxes(
    box: list[str], boxes: Path | None, images: list[ImageInput], videos: list[VideoInput]
) -> KnownBoxes | None:
    """The boxes of both options. Raises ``SettingError`` if there are videos."""
    from nasion.app.known_boxes import known_boxes

    known = known_boxes(box, boxes, [each.name for each in (*images, *videos)])
    if known is not None and videos:
        raise SettingError("--box and --boxes are for images; in videos faces are tracked.")
    return known


def _check_formats(given: GivenOptions, names: list[str], style: DrawStyle) -> None:
    """Raise ``SettingError`` for options of formats that are not written."""
    if "image" not in names:
        given.refuse("without the format image", names=OF_DRAWINGS)
    if names == ["pts"]:
        given.refuse("in .pts files, which hold points only", names=("measures",))
    if names == ["image"] and style.marks is not None and not style.needs_measures:
        given.refuse("if --draw names neither axes nor measures", names=("measures",))


def _check_network(
    landmarker: Landmarker, run: Path | str, hide_occluded: bool, measures: bool
) -> None:
    """Raise ``SettingError`` if --hide-occluded or --measures would have no effect with it."""
    from nasion.landmarks.measures import require_pose

    if hide_occluded and not landmarker.predicts_visible:
        raise SettingError(
            f"--hide-occluded has no effect with {run}, which does not predict which points are "
            "hidden; leave it out, or name a network that does with --run, as face68."
        )
    if measures:
        require_pose(landmarker.predictor.spec.scheme)


def _predict(
    images: list[ImageInput],
    videos: list[VideoInput],
    landmarker: Landmarker,
    options: PredictOptions,
    texts: list[str],
    to_stdout: bool,
) -> None:
    """Predict everything, with a progress bar, and say what was found."""
    from nasion.app.predict_pipeline import output_stems, predict_images, predict_videos
    from nasion.prediction_formats import TextContents

    folder = None if to_stdout else options.folder
    scheme = landmarker.predictor.spec.scheme
    contents = TextContents(scheme, bool(videos), folder, options.measures)
    outcome = Outcome()
    summary = PredictionSummary(landmarker.min_score, outcome)
    output = PredictionOutput(texts, folder, contents, summary)
    options = replace(options, hold=outcome.signals.held)
    stem_of = output_stems(images, videos, options)
    total = len(images) + sum(map(frame_count, videos))
    with console.progress_bar("frames" if videos else "images", total) as advance:
        results = [
            predict_images(images, landmarker, options, stem_of),
            predict_videos(videos, landmarker, options, stem_of),
        ]
        output.take(results, advance)
    summary.report(folder)
    cameras_only = not images and all(isinstance(video.source, int) for video in videos)
    outcome.exit(cameras_only=cameras_only)


def _predict_in_bulk(
    inputs: list[str], settings: BulkSettings, folder: Path, engine: str, workers: int | None
) -> None:
    """Everything to Parquet, part by part."""
    from nasion.app import bulk
    from nasion.app.bulk_inputs import make_parts

    if settings.hide_occluded or settings.measures:
        network = settings.landmarker()
        _check_network(network, settings.model, settings.hide_occluded, settings.measures)
    parts = make_parts(inputs)
    total: Counter[str] = Counter()
    with console.progress_bar("parts", len(parts)) as advance:
        for _, counts in bulk.run(parts, settings, folder, engine, workers):
            total.update(counts)
            advance()
    faces, images = console.count(total["faces"], "face"), console.count(total["images"], "image")
    unreadable = total["unreadable"]
    failed = f"; {unreadable} could not be read (see column error)" if unreadable else ""
    console.say(f"{faces} in {images}{failed}.")
    console.say(f"Written to {folder.resolve()}, {console.count(len(parts), 'part')}")
    if unreadable:
        raise typer.Exit(1)


def _output_formats(requested: Sequence[str], to_stdout: bool) -> list[str]:
    """The formats to write; for standard output one text format."""
    from nasion.prediction_formats import is_text, text_formats

    names = separated(requested) or list(_DEFAULT_FORMATS)
    texts = [name for name in names if is_text(name)]
    if not to_stdout:
        return names
    require(sys.stdout is not None, "--out -: standard output is closed.")
    if not texts or (requested and len(names) > 1):
        raise SettingError(
            f"--out - prints one of {', '.join(text_formats())}; name one with --format, "
            f"or a folder with --out. Found {', '.join(names)}."
        )
    return texts
