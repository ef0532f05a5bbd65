"""The command for images and videos: find faces, predict their points, write them."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import chain
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from nasion.app import console
from nasion.app.cli.options import (
    TTA,
    DetectorName,
    Model,
    RecipeFile,
    open_model,
    tta_or_none,
)
from nasion.discovery import FORMATS
from nasion.errors import SettingError

if TYPE_CHECKING:
    from nasion.app.bulk import BulkSettings
    from nasion.app.predict_pipeline import Result
    from nasion.landmarks.face import ImageResult
    from nasion.media.inputs import UnreadableInput

_DEFAULT_FORMATS = ("image", "json")
_MAX_LINES = 20  # images with a line of their own in the terminal
_STDOUT = "-"
_ENGINE_ALONE = (
    "--engine writes Parquet and detects faces itself; "
    "leave --box, --boxes, --format and --recipe out."
)
Inputs = Annotated[
    list[str],
    typer.Argument(
        help="Images, videos, folders, globs, lists of files (.txt), URLs, a camera number, "
        "- for standard input.",
        metavar="INPUTS",
    ),
]
Formats = Annotated[
    list[str] | None,
    typer.Option(
        "--format",
        "-f",
        help=f"Output format: {', '.join(FORMATS.names())}. Repeat for several.",
        show_default=", ".join(_DEFAULT_FORMATS),
    ),
]
KnownBox = Annotated[
    list[str] | None,
    typer.Option(help="A known face's box, x0,y0,x1,y1 in pixels. Repeatable.", metavar="BOX"),
]
BoxTable = Annotated[
    Path | None,
    typer.Option(help="Known boxes: a CSV with face,box_x0,box_y0,box_x1,box_y1, or imglab XML."),
]
MinFace = Annotated[
    int | None,
    typer.Option(
        help="Side in pixels of the smallest face to find.",
        show_default="36, more in large images",
    ),
]
Engine = Annotated[
    str | None,
    typer.Option(
        help="Write Parquet files to --out, for very many images (also in .parquet); resumable. "
        "plain or ray."
    ),
]


def predict(
    inputs: Inputs,
    run: Model = Path("face68"),
    formats: Formats = None,
    folder: Annotated[
        Path, typer.Option("--out", help="Output folder; - prints a text format.")
    ] = Path("predictions"),
    labels: Annotated[
        str, typer.Option(help="Labels beside drawn points: none, numbers or names.")
    ] = "none",
    box: KnownBox = None,
    boxes: BoxTable = None,
    no_detect: Annotated[
        bool, typer.Option("--no-detect", help="Every image is one face from edge to edge.")
    ] = False,
    any_rotation: Annotated[
        bool,
        typer.Option(
            "--any-rotation", help="Also find faces on their side or upside down; 4x time."
        ),
    ] = False,
    detector: DetectorName = "single_shot",
    min_face: MinFace = None,
    min_score: Annotated[float, typer.Option(help="Minimum face score, 0 to 1.")] = 0.6,
    smooth: Annotated[
        bool, typer.Option("--smooth/--no-smooth", help="Videos: smooth the points.")
    ] = True,
    min_cutoff: Annotated[
        float, typer.Option(help="Smoothing cutoff in Hz for still faces: lower is smoother.")
    ] = 0.4,
    beta: Annotated[
        float, typer.Option(help="How much the cutoff rises with speed: higher follows faster.")
    ] = 400.0,
    seconds: Annotated[
        float | None,
        typer.Option(
            help="Videos and cameras: stop after this time.", show_default="the end, or Ctrl-C"
        ),
    ] = None,
    engine: Engine = None,
    workers: Annotated[
        int | None, typer.Option(help="Threads or processes.", min=1, show_default="cores")
    ] = None,
    tta: TTA = None,
    recipe: RecipeFile = None,
) -> None:
    """Find the faces in images, videos or a camera's frames, and predict their points."""
    from nasion.app import predict_pipeline as pipeline
    from nasion.app.bulk import BulkSettings
    from nasion.app.known_boxes import known_boxes
    from nasion.inference import detectors
    from nasion.inference.landmarker import Landmarker
    from nasion.inference.smoothing import OneEuro
    from nasion.media.inputs import ImageInput, resolve_inputs
    from nasion.media.video import VideoInput
    from nasion.prediction_formats.image import LABELS

    if engine is not None:
        if box or boxes or formats or recipe:
            raise SettingError(_ENGINE_ALONE)
        settings = BulkSettings(
            model=str(run.resolve() if run.exists() else run),
            detector=detector,
            min_face=min_face,
            detect=not no_detect,
            min_score=min_score,
            any_rotation=any_rotation,
            tta=tta_or_none(tta),
        )
        _predict_in_bulk(inputs, settings, folder, engine, workers)
        return
    to_stdout = str(folder) == _STDOUT
    names = _output_formats(formats or _DEFAULT_FORMATS, to_stdout)
    if labels not in LABELS:
        raise SettingError(f"--labels {labels}: one of {', '.join(LABELS)} expected.")
    resolved = resolve_inputs(inputs)
    images = [each for each in resolved if isinstance(each, ImageInput)]
    videos = [replace(e, seconds=seconds) for e in resolved if isinstance(e, VideoInput)]
    known = known_boxes(box or [], boxes, [each.name for each in resolved])
    if known is not None and videos:
        raise SettingError("--box and --boxes are for images; in videos faces are tracked.")
    landmarker = Landmarker(
        open_model(run, recipe, tta),
        detector=None if no_detect else detectors.load(detector, min_face),
        min_score=min_score,
        any_rotation=any_rotation,
    )
    options = pipeline.PredictOptions(
        boxes=known,
        formats=tuple(name for name in names if pipeline.needs_pixels(name)),
        folder=folder,
        labels=labels,
        smoothing=OneEuro(min_cutoff, beta) if smooth else None,
        threads=min(workers or os.cpu_count() or 1, len(resolved)),
    )
    at_end = [name for name in names if not pipeline.needs_pixels(name)]
    collected = _Results(at_end, None if to_stdout else folder)
    total = len(images) + sum(video.frame_count() for video in videos)
    with console.progress_bar("frames" if videos else "images", total) as advance:
        image_results = pipeline.predict_images(images, landmarker, options)
        video_results = pipeline.predict_videos(videos, landmarker, options)
        collected.take(image_results, video_results, advance)
    collected.report()
    if collected.unreadable:
        raise typer.Exit(1)


def _predict_in_bulk(
    inputs: list[str], settings: BulkSettings, folder: Path, engine: str, workers: int | None
) -> None:
    """Everything to Parquet, part by part."""
    from nasion.app import bulk

    parts = bulk.make_parts(inputs)
    total: Counter[str] = Counter()
    with console.progress_bar("parts", len(parts)) as advance:
        for _, counts in bulk.run(parts, settings, folder, engine, workers):
            total.update(counts)
            advance()
    faces, images = console.count(total["faces"], "face"), console.count(total["images"], "image")
    unreadable = total["unreadable"]
    console.say(f"{faces} in {images}; {unreadable} could not be read (column error).")
    console.say(f"Written to {folder.resolve()}, {console.count(len(parts), 'part')}")
    if unreadable:
        raise typer.Exit(1)


class _Results:
    """Collects results; at the end, or after Ctrl-C, writes what there is.

    ``folder``: None for standard output.
    """

    def __init__(self, formats: list[str], folder: Path | None) -> None:
        self.found: list[ImageResult] = []
        self.unreadable: list[UnreadableInput] = []
        self._formats, self._folder, self._started = formats, folder, perf_counter()
        # Some formats can be printed line by line as results come.
        self._line = None if folder else getattr(FORMATS.load(formats[0]), "line", None)

    def __enter__(self) -> _Results:
        return self

    def take(
        self,
        image_results: Generator[Result],
        video_results: Generator[Result],
        advance: Callable[[], None],
    ) -> None:
        """Collect all results as they come."""
        with self, closing(image_results), closing(video_results):
            for result in chain(image_results, video_results):
                self.add(result)
                advance()

    def add(self, result: Result) -> None:
        from nasion.media.inputs import UnreadableInput

        if isinstance(result, UnreadableInput):
            self.unreadable.append(result)
            return
        self.found.append(result)
        if self._line is not None:
            print(self._line(result), end="", flush=True)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        from nasion.prediction_formats import write

        stopped = kind is not None and issubclass(kind, KeyboardInterrupt)
        if stopped:
            console.warn("Stopped; what was found until now is kept.")
        if self._folder is not None:
            write(self.found, self._formats, self._folder)
        elif self._line is None:
            sys.stdout.write(FORMATS.load(self._formats[0]).to_text(self.found))
        return stopped

    def report(self) -> None:
        """Print what was found; on standard error if results go to standard output."""
        out = console.err if self._folder is None else console.out

        def say(text: str) -> None:
            out.print(text, soft_wrap=True, highlight=False)

        images = [result for result in self.found if result.seconds is None]
        if self._folder is not None:
            for result in images[:_MAX_LINES]:
                say(f"{result.name}: {_faces_with_scores(result)}")
            if len(images) > _MAX_LINES:
                say(f"... and {len(images) - _MAX_LINES} more images")
        videos = self._frames_by_video()
        seconds = perf_counter() - self._started
        for name, frames in videos.items():
            tracks = len({face.track for frame in frames for face in frame.faces})
            rate = ""
            if not images and len(videos) == 1:
                rate = f", {len(frames) / seconds:.0f} frames per second"
            counts = f"{console.count(tracks, 'face')} in {console.count(len(frames), 'frame')}"
            say(f"{name}: {counts}{rate}")
        for each in self.unreadable:
            console.warn(f"not read: {each.name}: {each.reason}")
        summary = self._summary(images, bool(videos))
        if summary:
            say(f"{'; '.join(summary)}.")
        if self._folder is not None and self.found:
            say(f"Written to {self._folder.resolve()}")

    def _frames_by_video(self) -> dict[str, list[ImageResult]]:
        videos: dict[str, list[ImageResult]] = {}
        for result in self.found:
            if result.seconds is not None:
                videos.setdefault(result.name.rpartition("@")[0], []).append(result)
        return videos

    def _summary(self, images: list[ImageResult], has_video: bool) -> list[str]:
        summary = []
        if images or not (has_video or self.unreadable):
            faces = console.count(sum(len(result.faces) for result in images), "face")
            without = sum(not result.faces for result in images)
            without_any = f", {without} without any" if without else ""
            summary.append(f"{faces} in {console.count(len(images), 'image')}{without_any}")
        if self.unreadable:
            summary.append(f"{len(self.unreadable)} could not be read")
        return summary


def _faces_with_scores(result: ImageResult) -> str:
    """``2 faces (scores 0.98, 0.91)``."""
    count = len(result.faces)
    if not count:
        return console.count(count, "face")
    scores = ", ".join(f"{face.score:.2f}" for face in result.faces[:5])
    more = ", ..." if count > 5 else ""
    word = "score" if count == 1 else "scores"
    return f"{console.count(count, 'face')} ({word} {scores}{more})"


def _output_formats(requested: Sequence[str], to_stdout: bool) -> list[str]:
    """The formats to write; for standard output, the first requested text format."""
    names = list(dict.fromkeys(requested))
    texts = [name for name in names if hasattr(FORMATS.load(name), "to_text")]
    if not to_stdout:
        return names
    if not texts:
        from nasion.prediction_formats import text_formats

        known = ", ".join(text_formats())
        raise SettingError(f"--out - prints one of {known}; name one with --format.")
    return texts[:1]
