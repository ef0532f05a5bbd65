"""Cut aligned crops out of images and videos; yield those of one image or frame at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import nasion
from nasion.app.known_boxes import KnownBoxes
from nasion.app.output_files import OutputCheck
from nasion.app.predict_pipeline import refusal
from nasion.inference.landmarker import Landmarker
from nasion.inference.smoothing import OneEuro
from nasion.inference.tracking import Tracker
from nasion.landmarks.aligned_crops import AlignedCrop, crop_with
from nasion.landmarks.alignment import CropFrame
from nasion.landmarks.face import Face, ImageResult
from nasion.landmarks.scheme import Scheme
from nasion.landmarks.scheme_file import definition
from nasion.media.drawn_marks import WRITTEN_MARK
from nasion.media.file_names import name_as_text
from nasion.media.files import atomic_write
from nasion.media.growing_text import GrowingText
from nasion.media.images import jpeg_bytes, png_bytes
from nasion.media.inputs import ImageInput, UnreadableInput, map_in_order
from nasion.media.video import VideoInput
from nasion.media.video_reading import VideoProblem
from nasion.prediction_formats import stems
from nasion.prediction_formats._rounded import rounded
from nasion.prediction_formats.json import COORDINATES, image_value

FORMATS = {"png": ".png", "jpg": ".jpg"}
LIST = "crops.json"
_QUALITY = 95  # of JPEG


@dataclass(frozen=True)
class CropOptions:
    """``frame``, ``padding``: what a crop shows. ``every``: of videos, every n-th frame."""

    frame: CropFrame
    padding: str
    folder: Path
    suffix: str = ".png"
    boxes: KnownBoxes | None = None
    smoothing: OneEuro | None = None
    every: int = 1
    threads: int = 1


@dataclass(frozen=True, eq=False)
class CropFile:
    """One encoded crop. ``value``: what ``crops.json`` says of it."""

    name: str
    data: bytes
    value: dict[str, Any]


@dataclass(frozen=True, eq=False)
class CroppedImage:
    """The crops of one image or frame, and the faces that could not be cropped.

    ``dropped``: scores of candidates that were not sure enough to be faces, best first.
    """

    name: str
    crops: tuple[CropFile, ...]
    refused: tuple[UnreadableInput, ...] = ()
    is_frame: bool = False
    dropped: tuple[float, ...] = ()


Result = CroppedImage | UnreadableInput | VideoProblem


def stems_of(images: Sequence[ImageInput], videos: Sequence[VideoInput]) -> dict[str, str]:
    """The name of each input's files, without suffix; no two inputs share one."""
    video_names = [video.name for video in videos]
    video_stems = stems(video_names)
    names = [image.name for image in images]
    return dict(zip(names, stems(names, video_stems), strict=True)) | dict(
        zip(video_names, video_stems, strict=True)
    )


def possible_outputs(
    images: Sequence[ImageInput],
    videos: Sequence[VideoInput],
    options: CropOptions,
    stem_of: Mapping[str, str],
) -> list[Path]:
    """The files of the output folder that crops of these inputs may replace."""
    of_images = {stem_of[image.name] for image in images}
    of_videos = {stem_of[video.name] for video in videos}
    found = []
    paths: list[Path] = []
    with suppress(OSError):  # not made yet, or a folder that can be written but not listed
        paths = list(options.folder.iterdir())
    for path in paths:
        image = re.sub(r"#\d+$", "", path.stem)  # of the second and later faces
        video = re.sub(r"@\d+$", "", image) if "@" in image else None
        if path.suffix == options.suffix and (image in of_images or video in of_videos):
            found.append(path)
    return sorted(found)


def crop_images(
    images: Sequence[ImageInput],
    landmarker: Landmarker,
    options: CropOptions,
    stem_of: Mapping[str, str],
) -> Generator[Result]:
    """The crops of each image, in order, or why there are none."""
    process = partial(_crop_image, landmarker=landmarker, options=options, stem_of=stem_of)
    return map_in_order(process, images, options.threads)


def crop_videos(
    videos: Sequence[VideoInput],
    landmarker: Landmarker,
    options: CropOptions,
    stem_of: Mapping[str, str],
) -> Generator[Result]:
    """The crops of each frame of each video, in order; then what was damaged in it."""
    for video in videos:
        tracker = Tracker(landmarker, options.smoothing)
        problems: list[VideoProblem] = []
        try:
            with closing(video.frames(problems.append)) as frames:
                for frame in frames:
                    # Tracking needs all frames, cropping does not.
                    faces = tracker(frame.pixels, frame.seconds)
                    wanted = frame.number % options.every == 0
                    stem = f"{stem_of[video.name]}@{frame.number}"
                    name = f"{video.name}@{frame.number}"
                    cropped = _crop(
                        name, stem, frame.pixels, faces if wanted else [], options, frame.seconds
                    )
                    yield replace(cropped, dropped=() if faces else tracker.dropped)
        except Exception as error:
            yield refusal(video.name, error)
        yield from problems


def _crop_image(
    image: ImageInput, landmarker: Landmarker, options: CropOptions, stem_of: Mapping[str, str]
) -> Result:
    try:
        # Opened as `nasion predict` does to find the faces, and again for the crops' colours: a
        # face's points are the same in both.
        image = image.downloaded()
        seen, pixels = image.pixels(landmarker.predictor.spec.colour), image.pixels(colour=True)
        boxes = None if options.boxes is None else options.boxes.of(image.name)
        faces, dropped = landmarker.find(seen, boxes)
        cropped = _crop(image.name, stem_of[image.name], pixels, faces, options)
        return replace(cropped, dropped=() if faces else dropped)
    except Exception as error:
        return refusal(image.name, error)


def _crop(
    name: str,
    stem: str,
    pixels: np.ndarray,
    faces: Sequence[Face],
    options: CropOptions,
    seconds: float | None = None,
) -> CroppedImage:
    crops, refused = [], []
    for number, face in enumerate(faces, start=1):
        source = Source(name, stem, number, seconds)
        try:
            crops.append(crop_face(pixels, face, source, options))
        except Exception as error:
            refused.append(refusal(f"{name} face {number}", error))
    return CroppedImage(name, tuple(crops), tuple(refused), seconds is not None)


@dataclass(frozen=True)
class Source:
    """Where a crop comes from.

    ``stem``: of the names of the image's files. ``number``: of the face, from 1. ``seconds``: of a
    frame.
    """

    name: str
    stem: str
    number: int
    seconds: float | None = None


def crop_face(pixels: np.ndarray, face: Face, source: Source, options: CropOptions) -> CropFile:
    """One face's crop as a file. Raises as ``crop_with``."""
    # As files of several faces are named in .pts, which `stems` keeps free.
    number = "" if source.number == 1 else f"#{source.number}"
    file = f"{source.stem}{number}{options.suffix}"
    crop = crop_with(pixels, face, options.frame, options.padding)
    return CropFile(file, _encoded(crop.pixels, options.suffix), _value(file, source, face, crop))


def _value(file: str, source: Source, face: Face, crop: AlignedCrop) -> dict[str, Any]:
    """One image of ``crops.json``: as predict writes it, and where it comes from."""
    side = crop.frame.side
    value = image_value(ImageResult(file, file, (side, side), (crop.face,)))
    own: dict[str, Any] = {
        "source": name_as_text(source.name),
        "source_face": source.number,
    }
    if source.seconds is not None:
        own["source_seconds"] = round(source.seconds, 4)
    own["source_box"] = rounded(face.box)
    # More digits than of points: they are multiplied by thousands of pixels.
    own["to_crop"] = rounded(crop.to_crop, 9)
    own["to_source"] = rounded(crop.to_source, 9)
    own["inside"] = round(crop.inside, 4)
    return value | own


def _encoded(pixels: np.ndarray, suffix: str) -> bytes:
    if suffix == ".png":
        return png_bytes(pixels, WRITTEN_MARK)
    return jpeg_bytes(pixels, WRITTEN_MARK, _QUALITY, subsampling=0)


def list_head(options: CropOptions, scheme: Scheme) -> dict[str, Any]:
    """What ``crops.json`` says before its images, and an empty list of those."""
    own = definition(scheme)
    frame = options.frame
    return {
        "nasion": nasion.__version__,
        "coordinates": COORDINATES,
        "scheme": scheme.name,
        "point_names": list(scheme.points),
        **({} if own is None else {"scheme_definition": own}),
        "template": frame.template,
        "size": frame.side,
        "margin": frame.margin,
        "padding": options.padding,
        "images": [],  # the last: they are added one by one
    }


class CropWriter:
    """Writes crops as they come, and ``crops.json``, which appears at the end.

    ``check``: refuses files that must not be overwritten.
    """

    def __init__(self, options: CropOptions, scheme: Scheme, check: OutputCheck) -> None:
        self.count: int = 0
        self._options = options
        self._check = check
        self._check([options.folder / LIST])
        self._list = GrowingText(options.folder / LIST)
        self._list.write(json.dumps(list_head(options, scheme), indent=1).removesuffix("]\n}"))

    def add(self, image: CroppedImage) -> None:
        for crop in image.crops:
            path = self._options.folder / crop.name
            self._check([path])
            with atomic_write(path) as temporary:
                temporary.write_bytes(crop.data)
            lines = json.dumps(crop.value)
            self._list.write(("\n  " if not self.count else ",\n  ") + lines)
            self.count += 1

    def finish(self) -> None:
        """Let ``crops.json`` appear."""
        self._list.write("]\n}\n" if not self.count else "\n ]\n}\n")
        self._list.finish()

    def discard(self) -> None:
        """Leave an older ``crops.json`` as it was. Does nothing after ``finish``."""
        self._list.discard()
