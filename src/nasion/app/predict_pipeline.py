"""Run the landmarker on images and videos; yield one result per image or frame."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from nasion.app.known_boxes import KnownBoxes, MissingBox
from nasion.app.output_files import OutputCheck
from nasion.discovery import FORMATS
from nasion.errors import DataError, NasionError, SettingError
from nasion.inference.landmarker import BATCH, Found, Landmarker
from nasion.inference.smoothing import DEFAULT_SMOOTHING, OneEuro
from nasion.inference.track_association import DEFAULT_PATIENCE
from nasion.inference.tracking import Tracker
from nasion.landmarks.face import ImageResult
from nasion.landmarks.measures import measure
from nasion.media.drawn_marks import DRAWN_ENDING, VIDEO_SUFFIXES
from nasion.media.files import DISK_ERRORS
from nasion.media.inputs import ImageInput, UnreadableInput, map_in_order
from nasion.media.video import VideoInput
from nasion.media.video_reading import Frame, VideoProblem
from nasion.prediction_formats import USUAL_STYLE, DrawStyle, stems, write_files
from nasion.prediction_formats.image import draw

Result = ImageResult | UnreadableInput | VideoProblem
_log = logging.getLogger("nasion")


@dataclass(frozen=True)
class PredictOptions:
    """How inputs are processed.

    ``boxes``: known faces; None: faces are searched for. ``formats``: those of several files, which
    are written at once, into ``folder``. ``style``: of drawings.
    ``hide_occluded``: leave hidden points out of drawings, and make them NaN in results.
    ``measures``: tell head pose, eyes and mouth of each face.
    ``smoothing``, ``patience`` (seconds): of tracking in videos. ``threads``: for images. ``hold``:
    a block in which Ctrl-C waits.
    """

    boxes: KnownBoxes | None = None
    formats: tuple[str, ...] = ()
    folder: Path = Path("predictions")
    style: DrawStyle = USUAL_STYLE
    hide_occluded: bool = False
    measures: bool = False
    smoothing: OneEuro | None = DEFAULT_SMOOTHING
    patience: float = DEFAULT_PATIENCE
    threads: int = 1
    hold: Callable[[], AbstractContextManager[None]] = nullcontext


def needs_pixels(name: str) -> bool:
    """True if a format shows the image."""
    return getattr(FORMATS.load(name), "NEEDS_PIXELS", False)


def predict_images(
    images: Sequence[ImageInput],
    landmarker: Landmarker,
    options: PredictOptions,
    stem_of: Mapping[str, str],
) -> Generator[Result]:
    """The faces of each image, in order, or why there are none; results hold no pixels.

    ``stem_of``: of ``output_stems``.
    """
    process = partial(_process_images, landmarker=landmarker, options=options, stem_of=stem_of)
    # Not so many that a thread is left without work. Files are told of one by one, and writing them
    # takes longer than the network.
    together = 1 if options.formats else max(1, min(BATCH, len(images) // options.threads))
    groups = [images[i : i + together] for i in range(0, len(images), together)]
    for group in map_in_order(process, groups, options.threads):
        yield from group


def predict_videos(
    videos: Sequence[VideoInput],
    landmarker: Landmarker,
    options: PredictOptions,
    stem_of: Mapping[str, str],
) -> Generator[Result]:
    """The faces of each frame of each video, in order, as ``predict_images``.

    After a video's frames comes what was damaged in it, and what became of its sound.
    """
    for video in videos:
        yield from _frames(video, stem_of[video.name], landmarker, options)


def output_stems(
    images: Sequence[ImageInput], videos: Sequence[VideoInput], options: PredictOptions
) -> dict[str, str]:
    """The name of each input's output files, without suffix.

    Raises ``SettingError`` if one would overwrite an input, labels beside it, or an image that
    nasion did not write.
    """
    video_names = [video.name for video in videos]
    video_stems = stems(video_names)
    names = [image.name for image in images]
    stem_of = dict(zip(names, stems(names, video_stems), strict=True))
    stem_of |= dict(zip(video_names, video_stems, strict=True))
    check = OutputCheck([*images, *videos])
    for name in options.formats:
        if suffix := getattr(FORMATS.load(name), "LABELS_SUFFIX", None):
            check.labels(images, stem_of, options.folder, suffix)
    if any(map(needs_pixels, options.formats)):
        drawn = f"-{DRAWN_ENDING}"
        kind = options.style.suffix
        check(options.folder / f"{stem_of[image.name]}{drawn}{kind}" for image in images)
        for stem in video_stems:
            check(options.folder / f"{stem}{drawn}{suffix}" for suffix in VIDEO_SUFFIXES)
    return stem_of


def _process_images(
    images: Sequence[ImageInput],
    landmarker: Landmarker,
    options: PredictOptions,
    stem_of: Mapping[str, str],
) -> list[Result]:
    # Points must not depend on what is written. JPEGs are opened to brightness alone if the network
    # asks for no more, which is not quite that of their colours, and again to be drawn in.
    in_colour = landmarker.predictor.spec.colour
    if any(map(needs_pixels, options.formats)):
        images = [_downloaded(image) for image in images]
    if options.boxes is None:
        found = landmarker.find_opened(partial(image.pixels, in_colour) for image in images)
    else:
        found = (_in_known_boxes(each, in_colour, landmarker, options.boxes) for each in images)
    return [
        _image_result(image, stem_of[image.name], each, options)
        for image, each in zip(images, found, strict=True)
    ]


def _downloaded(image: ImageInput) -> ImageInput:
    with suppress(DataError):  # which is raised again, and told, when it is opened
        return image.downloaded()
    return image


def _in_known_boxes(
    image: ImageInput, in_colour: bool, landmarker: Landmarker, boxes: KnownBoxes
) -> Found | Exception:
    try:
        pixels = image.pixels(in_colour)
        return Found(pixels, *landmarker.find(pixels, boxes.of(image.name)))
    except Exception as error:
        return error


def _image_result(
    image: ImageInput, stem: str, found: Found | Exception, options: PredictOptions
) -> Result:
    """The result, its files written, without the pixels: many results may wait to be written."""
    try:
        if isinstance(found, Exception):
            raise found
        pixels, faces, dropped = found
        size = (pixels.shape[1], pixels.shape[0])
        if any(map(needs_pixels, options.formats)) and pixels.ndim == 2:
            pixels = image.pixels(colour=True)
        measured = measure(faces) if options.measures else None
        result = ImageResult(
            image.name, stem, size, tuple(faces), pixels, dropped=dropped, measured=measured
        )
        result = result.without_hidden() if options.hide_occluded else result
        for name in options.formats:
            write_files(result, name, options.folder, options.style)
    except Exception as error:
        return refusal(image.name, error)
    return replace(result, image=None)


def _frames(
    video: VideoInput, stem: str, landmarker: Landmarker, options: PredictOptions
) -> Generator[Result]:
    """Each frame of a video; its name is the video's, then ``@`` and the frame's number."""
    tracker = Tracker(landmarker, options.smoothing, patience=options.patience)
    # Handed from the loop below to `rewrite`, which draws a frame after the consumer has had it.
    latest: list[ImageResult] = []
    problems: list[VideoProblem] = []
    try:
        frames = _open_frames(video, stem, options, latest, problems)
        # If the consumer stops, the clip is finished at once, not when the generator is collected.
        with closing(frames):
            for frame in frames:
                result = frame_result(video.name, stem, frame, tracker, options.measures)
                result = result.without_hidden() if options.hide_occluded else result
                for name in options.formats:
                    # Drawn frames are written by `rewrite`.
                    if not needs_pixels(name):
                        write_files(result, name, options.folder)
                latest[:] = [result]
                yield replace(result, image=None)
    except Exception as error:
        yield refusal(video.name, error)
    yield from problems


def frame_result(
    name: str, stem: str, frame: Frame, tracker: Tracker, measures: bool = False
) -> ImageResult:
    """The faces of a frame, which is an image named ``name@number``; with its pixels."""
    height, width = frame.pixels.shape[:2]
    faces = tracker(frame.pixels, frame.seconds)
    measured = None
    if measures:
        measured = measure(faces, tracker.unsmoothed, float(frame.pixel_aspect))
    return ImageResult(
        name=f"{name}@{frame.number}",
        stem=f"{stem}@{frame.number}",
        size=(width, height),
        faces=tuple(faces),
        image=frame.pixels,
        seconds=frame.seconds,
        dropped=tracker.dropped,
        measured=measured,
    )


def _open_frames(
    video: VideoInput,
    stem: str,
    options: PredictOptions,
    latest: list[ImageResult],
    problems: list[VideoProblem],
) -> Generator[Frame]:
    """The frames of a video; if they are drawn, each of ``latest`` is taken from there."""
    if not any(map(needs_pixels, options.formats)):
        return video.frames(problems.append)

    def drawn(_: Frame) -> Callable[[], np.ndarray] | None:
        if not latest:  # stopped before the frame's faces were known
            return None
        return partial(draw, latest.pop(), options.style, enlarge=False)

    return video.rewrite(options.folder, stem, drawn, problems.append, options.hold)


def refusal(name: str, error: Exception) -> UnreadableInput:
    """That one input could not be processed, whatever was raised; the others go on.

    Raises what is no fault of the input: settings, and disks that are full or read-only.
    """
    if isinstance(error, MissingBox):
        return replace(UnreadableInput.of(name, error), counted_as="had no box")
    if isinstance(error, DataError):
        return UnreadableInput.of(name, error)
    if isinstance(error, SettingError):
        raise error
    if isinstance(error, OSError) and error.errno in DISK_ERRORS:
        raise error
    if isinstance(error, NasionError):
        return UnreadableInput(name, str(error))
    if isinstance(error, OSError) and error.filename is not None:
        return UnreadableInput(name, f"{error.filename}: {error.strerror}")
    # The traceback for those who look for it; the reason is for the user.
    _log.debug("%s", name, exc_info=error)
    lines = str(error).strip().splitlines()
    kind = type(error).__name__
    return UnreadableInput(name, f"{kind}: {lines[0][:200]}" if lines else kind)
