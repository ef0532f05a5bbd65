"""Cut aligned crops out of images and videos; yield those of one image or frame at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import nasion
from nasion.app.known_boxes import KnownBoxes
from nasion.app.output_files import OutputCheck
from nasion.app.predict_pipeline import frame_result, refusal
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
                    found = frame_result(video.name, stem_of[video.name], frame, tracker)
                    wanted = frame.number % options.every == 0
                    yield _crop(found, frame.pixels, options) if wanted else _uncropped(found)
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
        size = (pixels.shape[1], pixels.shape[0])
        found = ImageResult(image.name, stem_of[image.name], size, tuple(faces), dropped=dropped)
        return _crop(found, pixels, options)
    except Exception as error:
        return refusal(image.name, error)


def _crop(found: ImageResult, pixels: np.ndarray, options: CropOptions) -> CroppedImage:
    crops, refused = list[CropFile](), list[UnreadableInput]()
    for crop in each_crop(found, pixels, options, refusal):
        if isinstance(crop, CropFile):
            crops.append(crop)
        else:
            refused.append(crop)
    return replace(_uncropped(found), crops=tuple(crops), refused=tuple(refused))


def _uncropped(found: ImageResult) -> CroppedImage:
    dropped = () if found.faces else found.dropped
    return CroppedImage(found.name, (), is_frame=found.seconds is not None, dropped=dropped)


def each_crop(
    found: ImageResult,
    pixels: np.ndarray,
    options: CropOptions,
    refusal: Callable[[str, Exception], UnreadableInput],
    only: int | None = None,
) -> Generator[CropFile | UnreadableInput]:
    """The crops of an image or frame one by one, or why there is none of a face.

    ``pixels``: in colour. ``refusal``: of a name and what was raised. ``only``: the number of the
    only face that is wanted, from 1; None: all.
    """
    for number in range(1, len(found.faces) + 1) if only is None else (only,):
        try:
            crop = _crop_face(found, number, pixels, options)
        except Exception as error:
            yield refusal(f"{found.name} face {number}", error)
        else:
            yield crop


def _crop_face(
    found: ImageResult, number: int, pixels: np.ndarray, options: CropOptions
) -> CropFile:
    face = found.faces[number - 1]
    # As files of several faces are named in .pts, which `stems` keeps free.
    file = f"{found.stem}{'' if number == 1 else f'#{number}'}{options.suffix}"
    crop = crop_with(pixels, face, options.frame, options.padding)
    side = crop.frame.side
    value = image_value(ImageResult(file, file, (side, side), (crop.face,)))
    value |= _origin(found, number, face, crop)
    return CropFile(file, _encoded(crop.pixels, options.suffix), value)


def _origin(found: ImageResult, number: int, face: Face, crop: AlignedCrop) -> dict[str, Any]:
    """What ``crops.json`` says of a crop beyond what predict writes: where it comes from."""
    value: dict[str, Any] = {"source": name_as_text(found.name), "source_face": number}
    if found.seconds is not None:
        value["source_seconds"] = round(found.seconds, 4)
    value["source_box"] = rounded(face.box)
    # More digits than of points: they are multiplied by thousands of pixels.
    value["to_crop"] = rounded(crop.to_crop, 9)
    value["to_source"] = rounded(crop.to_source, 9)
    value["inside"] = round(crop.inside, 4)
    return value


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
