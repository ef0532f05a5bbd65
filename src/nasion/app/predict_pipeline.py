"""Run the landmarker on images and videos; yield one result per image or frame."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from nasion.app.known_boxes import KnownBoxes
from nasion.discovery import FORMATS
from nasion.errors import DataError, SettingError
from nasion.inference.landmarker import Landmarker
from nasion.inference.smoothing import DEFAULT_SMOOTHING, OneEuro
from nasion.inference.track_association import DEFAULT_PATIENCE
from nasion.inference.tracking import Tracker
from nasion.landmarks.face import ImageResult
from nasion.media.inputs import ImageInput, UnreadableInput, map_in_order
from nasion.media.video import VideoInput
from nasion.media.video_reading import VideoProblem
from nasion.prediction_formats import stems, write_files
from nasion.prediction_formats.image import draw

Result = ImageResult | UnreadableInput | VideoProblem


@dataclass(frozen=True)
class PredictOptions:
    """How inputs are processed.

    ``boxes``: known faces; None: faces are searched for. ``formats``: those that need an image's
    pixels and are written at once, into ``folder``. ``labels``: beside drawn points.
    ``smoothing``, ``patience`` (seconds): of tracking in videos. ``threads``: for images.
    """

    boxes: KnownBoxes | None = None
    formats: tuple[str, ...] = ()
    folder: Path = Path("predictions")
    labels: str = "none"
    smoothing: OneEuro | None = DEFAULT_SMOOTHING
    patience: float = DEFAULT_PATIENCE
    threads: int = 1


def needs_pixels(name: str) -> bool:
    """True if a format shows the image."""
    return getattr(FORMATS.load(name), "NEEDS_PIXELS", False)


def predict_images(
    images: Sequence[ImageInput], landmarker: Landmarker, options: PredictOptions
) -> Generator[Result]:
    """The faces of each image, in order, or why there are none; results hold no pixels.

    Raises ``SettingError`` if an output would overwrite an input.
    """
    stem_of = _stems(images, options)
    process = partial(_process_image, landmarker=landmarker, options=options, stem_of=stem_of)
    return map_in_order(process, images, options.threads)


def predict_videos(
    videos: Sequence[VideoInput], landmarker: Landmarker, options: PredictOptions
) -> Generator[Result]:
    """The faces of each frame of each video, in order, as ``predict_images``.

    After a video's frames comes what was damaged in it, and what became of its sound.
    """
    stem_of = _stems(videos, options)

    def results() -> Generator[Result]:
        for video in videos:
            yield from _frames(video, stem_of[video.name], landmarker, options)

    return results()


def _process_image(
    image: ImageInput, landmarker: Landmarker, options: PredictOptions, stem_of: dict[str, str]
) -> Result:
    try:
        pixels = image.pixels(bool(options.formats) or landmarker.predictor.spec.colour)
        boxes = None if options.boxes is None else options.boxes.of(image.name)
        faces = landmarker(pixels, boxes)
    except DataError as error:
        return UnreadableInput.of(image.name, error)
    size = (pixels.shape[1], pixels.shape[0])
    result = ImageResult(image.name, stem_of[image.name], size, tuple(faces), pixels)
    for name in options.formats:
        write_files(result, name, options.folder, options.labels)
    # Pixels are let go here: results are collected until the end.
    return replace(result, image=None)


def _frames(
    video: VideoInput, stem: str, landmarker: Landmarker, options: PredictOptions
) -> Generator[Result]:
    """Each frame of a video; its name is the video's, then ``@`` and the frame's number."""
    tracker = Tracker(landmarker, options.smoothing, patience=options.patience)
    # Handed from the loop below to `rewrite`, which draws a frame after the consumer has had it.
    latest: list[ImageResult] = []
    problems: list[VideoProblem] = []
    if options.formats:
        frames = video.rewrite(
            options.folder,
            stem,
            lambda _: draw(latest.pop(), options.labels, enlarge=False),
            problems.append,
        )
    else:
        frames = video.frames(problems.append)
    try:
        # If the consumer stops, the clip is finished at once, not when the generator is collected.
        with closing(frames):
            for frame in frames:
                height, width = frame.pixels.shape[:2]
                result = ImageResult(
                    name=f"{video.name}@{frame.number}",
                    stem=f"{stem}@{frame.number}",
                    size=(width, height),
                    faces=tuple(tracker(frame.pixels, frame.seconds)),
                    image=frame.pixels,
                    seconds=frame.seconds,
                )
                latest[:] = [result]
                yield replace(result, image=None)
    except DataError as error:
        yield UnreadableInput.of(video.name, error)
    yield from problems


def _stems(
    inputs: Sequence[ImageInput] | Sequence[VideoInput], options: PredictOptions
) -> dict[str, str]:
    """The name of each input's output files; ``SettingError`` if one would overwrite an input."""
    names = [each.name for each in inputs]
    stem_of = dict(zip(names, stems(names), strict=True))
    if options.formats:
        sources = {each.source.resolve() for each in inputs if isinstance(each.source, Path)}
        drawn = set()
        for stem in stem_of.values():
            for suffix in (".jpg", ".mp4", ".mkv"):
                drawn.add((options.folder / f"{stem}-points{suffix}").resolve())
        for path in sorted(sources & drawn):
            raise SettingError(
                f"{path} is an input and would be overwritten by the drawn output; "
                "name another folder with --out."
            )
    return stem_of
