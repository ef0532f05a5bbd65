"""Hide the faces of images and videos, and look whether the detector still finds them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from nasion.app.output_files import OutputCheck
from nasion.app.predict_pipeline import refusal
from nasion.array_types import UInt8
from nasion.errors import NasionError, SettingError, require
from nasion.inference.landmarker import Landmarker
from nasion.inference.tracking import Tracker
from nasion.landmarks.face import Face
from nasion.landmarks.face_region import GROW, between, eye_band, face_region
from nasion.media.drawn_marks import HIDDEN_ENDING as ENDING
from nasion.media.drawn_marks import VIDEO_SUFFIXES, WRITTEN_MARK
from nasion.media.hiding import MAX_STRENGTH, check_hiding, hide
from nasion.media.images import identify, jpeg_bytes, png_bytes
from nasion.media.inputs import ImageInput, UnreadableInput, map_in_order
from nasion.media.video import Draw, VideoInput
from nasion.media.video_reading import Frame, VideoProblem

PARTS = ("face", "eyes")
_QUALITY = 95  # of JPEG
_STRONGER, _LARGER = 1.6, 0.15  # of the second try: times the strength, and added to `grow`
# Seconds: a face that is lost for less is hidden in between too, and beyond its first and last
# frame for as long as the second says.
_GAP, _BEYOND = 1.0, 0.4


@dataclass(frozen=True)
class HideOptions:
    """What is hidden, and how.

    ``part``: ``face`` or ``eyes``. ``method``, ``strength``: as of ``media.hiding.hide``. ``grow``:
    how much further than the face is hidden on each side, as a share of its size. ``check``: finds
    the faces that are left; None: nobody looks. ``sound``: False leaves that of clips out.
    ``hold``: a block in which Ctrl-C waits. Raises ``SettingError``.
    """

    folder: Path
    part: str = "face"
    method: str = "pixelate"
    strength: float = 1.0
    grow: float = GROW
    check: Landmarker | None = None
    sound: bool = True
    threads: int = 1
    hold: Callable[[], AbstractContextManager[None]] = nullcontext

    def __post_init__(self) -> None:
        require(self.part in PARTS, f"No part {self.part!r}; there are {', '.join(PARTS)}.")
        require(0 <= self.grow <= 2, f"grow is 0 to 2; found {self.grow}.")
        check_hiding(self.method, self.strength)


@dataclass(frozen=True, eq=False)
class HiddenImage:
    """One image or clip without its faces.

    ``data``: the file's contents; None of a clip, which is written already. ``faces``: how many
    were hidden. ``again``: images or frames that needed the second try. ``still``: in which a face
    is found even so. ``frames``: of a clip.
    """

    name: str
    file: str
    data: bytes | None
    faces: int
    again: int = 0
    still: int = 0
    frames: int = 0


Result = HiddenImage | UnreadableInput | VideoProblem | None


def hide_faces(
    pixels: UInt8[np.ndarray, "H W 3"], faces: Iterable[Face], options: HideOptions
) -> UInt8[np.ndarray, "H W 3"]:
    """A copy of the image with these faces hidden."""
    region = face_region if options.part == "face" else eye_band
    polygons = [region(face, options.grow) for face in faces]
    return hide(pixels, polygons, options.method, options.strength)


def hide_and_check(
    pixels: UInt8[np.ndarray, "H W 3"], faces: Sequence[Face], options: HideOptions
) -> tuple[UInt8[np.ndarray, "H W 3"], bool, bool]:
    """(the image without these faces, whether it took a second try, whether one is still found).

    The second try hides more, and the faces that were found after the first, too.
    """
    hidden = hide_faces(pixels, faces, options)
    if options.check is None or not (left := options.check.find(hidden)[0]):
        return hidden, False, False
    stronger = replace(
        options,
        strength=min(options.strength * _STRONGER, MAX_STRENGTH),
        grow=min(options.grow + _LARGER, 2.0),
    )
    hidden = hide_faces(pixels, [*faces, *left], stronger)
    return hidden, True, bool(options.check.find(hidden)[0])


def check_outputs(
    images: Sequence[ImageInput],
    videos: Sequence[VideoInput],
    folder: Path,
    stem_of: Mapping[str, str],
) -> None:
    """Raise ``SettingError`` if an output would overwrite an input, or an image that nasion did not
    write, and for a clip that cannot be read twice.
    """
    check = OutputCheck([*images, *videos])
    check(folder / _image_file(image, stem_of[image.name]) for image in images)
    for video in videos:
        stem = stem_of[video.name]
        check(folder / f"{stem}-{ENDING}{suffix}" for suffix in VIDEO_SUFFIXES)
        if not isinstance(video.source, Path):
            raise SettingError(
                f"{video.name}: a clip is read twice, which a camera or a stream cannot be; "
                "save it as a file first."
            )


def anonymise_images(
    images: Sequence[ImageInput],
    landmarker: Landmarker,
    options: HideOptions,
    stem_of: Mapping[str, str],
) -> Generator[Result]:
    """Each image without its faces, in order, or why it could not be read."""
    process = partial(_anonymise, landmarker=landmarker, options=options, stem_of=stem_of)
    return map_in_order(process, images, options.threads)


def _anonymise(
    image: ImageInput, landmarker: Landmarker, options: HideOptions, stem_of: Mapping[str, str]
) -> Result:
    try:
        pixels = in_srgb(image.pixels(colour=True), image.source)
        faces = landmarker.find(pixels)[0]
        hidden, again, still = hide_and_check(pixels, faces, options)
        file = _image_file(image, stem_of[image.name])
        data = encoded(hidden, Path(file).suffix)
        return HiddenImage(image.name, file, data, len(faces), int(again), int(still))
    except Exception as error:
        return refusal(image.name, error)


def _image_file(image: ImageInput, stem: str) -> str:
    # Standard input has no suffix.
    head = image.source[:4] if isinstance(image.source, bytes) else b""
    suffix = ".png" if image.name.lower().endswith(".png") or head == b"\x89PNG" else ".jpg"
    return f"{stem}-{ENDING}{suffix}"


def encoded(pixels: np.ndarray, suffix: str) -> bytes:
    """A file with pixels and nasion's mark: no EXIF, GPS, other comment, thumbnail or profile."""
    if suffix == ".png":
        return png_bytes(pixels, WRITTEN_MARK)
    return jpeg_bytes(pixels, WRITTEN_MARK, quality=_QUALITY)


def in_srgb(
    pixels: UInt8[np.ndarray, "H W 3"], source: Path | bytes | str
) -> UInt8[np.ndarray, "H W 3"]:
    """The same colours in sRGB, so that the file's colour profile can be left out."""
    from PIL import Image, ImageCms

    if isinstance(source, str):
        return pixels  # downloaded and gone
    try:
        with identify(BytesIO(source) if isinstance(source, bytes) else source) as file:
            icc = file.info.get("icc_profile")
        if not icc:
            return pixels
        profile: Any = ImageCms.ImageCmsProfile(BytesIO(icc))
        if profile.profile.xcolor_space.strip() != "RGB":
            return pixels  # of CMYK or grey, which decoding has left behind
        converted: Any = ImageCms.profileToProfile(
            Image.fromarray(pixels), profile, ImageCms.createProfile("sRGB")
        )
        return np.asarray(converted)
    except (ImageCms.PyCMSError, OSError, NasionError):
        return pixels  # a damaged profile: other programs ignore it too


@dataclass
class _Seen:
    """The faces of a clip's frames, by the frame's number, and the frames' times."""

    faces: list[dict[int, Face]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def add(self, frame: Frame, faces: Sequence[Face]) -> None:
        # Only points and boxes are needed, of very many frames.
        self.faces.append(
            {face.track or 0: replace(face, scores=None, expected=None) for face in faces}
        )
        self.seconds.append(frame.seconds)


def anonymise_videos(
    videos: Sequence[VideoInput],
    landmarker: Landmarker,
    options: HideOptions,
    stem_of: Mapping[str, str],
) -> Generator[Result]:
    """Each clip without its faces; yields None for every frame that was read or written.

    A clip is read twice: faces are hidden also where they were lost for a moment, and a little
    before and after they are seen.
    """
    for video in videos:
        problems: list[VideoProblem] = []
        try:
            yield from _anonymise_video(
                video, stem_of[video.name], landmarker, options, problems.append
            )
        except Exception as error:
            yield refusal(video.name, error)
        yield from problems


def _anonymise_video(
    video: VideoInput,
    stem: str,
    landmarker: Landmarker,
    options: HideOptions,
    report: Callable[[VideoProblem], None],
) -> Generator[Result]:
    def rewrite(hidden: Draw) -> Generator[Frame]:
        return video.rewrite(
            options.folder, stem, hidden, report, options.hold, ENDING, options.sound
        )

    with closing(video.frames(lambda _: None)) as frames:
        for counts in hide_in_clip(frames, rewrite, landmarker, options):
            if counts is None:
                yield None
            else:
                yield HiddenImage(video.name, f"{stem}-{ENDING}", None, **asdict(counts))


@dataclass(frozen=True)
class ClipCounts:
    """What became of a clip; ``again``, ``still``: frames. As of ``HiddenImage``."""

    faces: int
    again: int
    still: int
    frames: int


def hide_in_clip(
    frames: Iterable[Frame],
    rewrite: Callable[[Draw], Generator[Frame]],
    landmarker: Landmarker,
    options: HideOptions,
    watch: Callable[[Frame, Sequence[Face]], None] = lambda *_: None,
) -> Generator[ClipCounts | None]:
    """Find the faces in all ``frames`` of a clip, then ``rewrite`` it without them.

    Yields None for each frame that was read or written, and the counts at the end. ``rewrite``: as
    ``VideoInput.rewrite`` with what is drawn. ``watch``: is shown each frame and its faces, before
    anything is written.
    """
    tracker = Tracker(landmarker, smoothing=None, detect_every=1)
    seen = _Seen()
    for frame in frames:
        faces = tracker(frame.pixels, frame.seconds)
        seen.add(frame, faces)
        watch(frame, faces)
        yield None
    tracks = {track for faces in seen.faces for track in faces}
    faces_at = fill_gaps(seen.faces, seen.seconds)
    again = still = 0

    def hidden(frame: Frame) -> np.ndarray:
        nonlocal again, still
        faces = faces_at[frame.number] if frame.number < len(faces_at) else []
        pixels, took_two, found = hide_and_check(frame.pixels, faces, options)
        again, still = again + took_two, still + found
        return pixels

    with closing(rewrite(hidden)) as written:
        for _ in written:
            yield None
    yield ClipCounts(len(tracks), again, still, len(seen.faces))


def fill_gaps(faces: Sequence[Mapping[int, Face]], seconds: Sequence[float]) -> list[list[Face]]:
    """For each frame the faces to hide, by track number in ``faces``: also those in between.

    A face that is gone for at most a second is on the straight line between where it was and where
    it is again; for 0.4 seconds before its first and after its last frame it is where it was there.
    """
    filled: list[list[Face]] = [list(each.values()) for each in faces]
    for track in {track for each in faces for track in each}:
        at = [number for number, each in enumerate(faces) if track in each]
        ends = [(at[0], -1), (at[-1], 1)]
        for first, last in pairwise(at):
            if last - first == 1:
                continue
            length = seconds[last] - seconds[first]
            if length > _GAP:
                ends += [(first, 1), (last, -1)]
                continue
            for number in range(first + 1, last):
                share = (seconds[number] - seconds[first]) / length
                filled[number].append(between(faces[first][track], faces[last][track], share))
        for number, step in ends:
            beyond = number + step
            while 0 <= beyond < len(faces) and (
                abs(seconds[beyond] - seconds[number]) < _BEYOND + 1e-6
                and track not in faces[beyond]
            ):
                filled[beyond].append(faces[number][track])
                beyond += step
    return filled
