"""From uploaded images to a response: their faces, in any of the output formats."""

from __future__ import annotations

import io
import json
import logging
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import PurePath
from typing import Any

import numpy as np
from starlette.responses import JSONResponse, Response

from nasion.app.serve.admission import Rejected
from nasion.app.serve.settings import with_min_face
from nasion.app.serve.uploads import Upload, refuse_others
from nasion.data.datasets import toy
from nasion.discovery import FORMATS
from nasion.errors import DataError, NasionError
from nasion.inference.landmarker import Landmarker
from nasion.landmarks.catalog import ibug68
from nasion.landmarks.face import ImageResult
from nasion.landmarks.measures import measure
from nasion.landmarks.scheme import Scheme
from nasion.media.clip_process import ClipTooLarge
from nasion.media.decoder_process import ImageDecoder
from nasion.media.images import jpeg_bytes
from nasion.media.inputs import UnreadableInput
from nasion.prediction_formats import DrawStyle, is_text, stems, to_text

_log = logging.getLogger("nasion")
# What paths, drives, streams and wildcards are written with, and control characters.
_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f]')
_DEVICE = re.compile(r"con|prn|aux|nul|com\d|lpt\d", re.I)  # no files of Windows, whatever follows
MAX_FILES_BYTES = 64 << 20  # of all files of a response
CLIP_ALONE = "send it alone, without other files"  # of a video beside others
# Of a response that is a clip: what was damaged in it, and what became of its sound.
PROBLEMS_HEADER = "Nasion-Problems"
CLIP_TYPES = {".mp4": "video/mp4", ".mkv": "video/x-matroska"}
MEDIA_TYPES = {".png": "image/png", ".jpg": "image/jpeg", **CLIP_TYPES}


def response_descriptions() -> dict[int | str, dict[str, Any]]:
    """The responses in the OpenAPI description."""
    kinds = dict.fromkeys(FORMATS.load(name).MEDIA_TYPE for name in FORMATS.names())
    content: dict[str, dict] = {kind: {} for kind in (*kinds, "application/zip")}
    return {
        200: {"description": "The faces, in the requested format.", "content": content},
        413: {"description": "More bytes than the limit."},
        422: {"description": "No readable image."},
        503: {"description": "Too busy; try again."},
    }


def refusal(name: str, error: Exception) -> UnreadableInput:
    """That one file of a request could not be processed, whatever was raised; the others go on.

    Raises what is no fault of the file: refusals of the request, and a network's damage.
    """
    if isinstance(error, ClipTooLarge):
        raise Rejected(413, str(error)) from error
    if isinstance(error, DataError):
        return UnreadableInput.of(name, error)
    if isinstance(error, (Rejected, NasionError)):
        raise error
    _log.warning("%s: %s", name, type(error).__name__, exc_info=error)
    return UnreadableInput(name, f"{type(error).__name__} while it was processed")


@dataclass
class Processed:
    """The results of a request; ``files``: of formats of several files, by name.

    ``values``: what a list says of each file. ``problems``: of a clip that was written even so.
    ``too_large``: what to do if the files are more than a response may hold.
    """

    results: list[ImageResult] = field(default_factory=list)
    unreadable: list[UnreadableInput] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    values: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    too_large: str = "send fewer images at once, or a shorter clip"
    _file_bytes: int = field(default=0, init=False)

    @property
    def faces(self) -> int:
        return sum(len(result.faces) for result in self.results)

    @property
    def errors(self) -> list[dict[str, str]]:
        """What could not be processed, as JSON says it."""
        return [{"image": each.name, "error": each.reason} for each in self.unreadable]

    def add_files(self, files: Mapping[str, bytes]) -> None:
        """Raises ``Rejected`` (413) if all files together are larger than a response may be."""
        self.files |= files
        self._file_bytes += sum(map(len, files.values()))
        if self._file_bytes > MAX_FILES_BYTES:
            raise Rejected(
                413,
                f"The response would have more than {MAX_FILES_BYTES:,} bytes, the limit; "
                f"{self.too_large}.",
            )


def process_each(
    uploads: Sequence[Upload],
    process: Callable[[Upload, str, Any], None],
    done: Processed,
    cancelled: Callable[[], bool],
    of_video: str = "send it to /v1/clips",
) -> None:
    """Call ``process`` with each image, the name of its files, and ``done``, which it adds to.

    Images of one name get numbers, so that results tell them apart.
    Images that it cannot process are added to ``done.unreadable``. ``cancelled``: tells whether the
    request has been given up; then the rest is skipped. ``of_video``: what to do with a video.
    """
    uploads = _with_own_names(uploads)
    # Made safe before they are numbered, so that no two are one afterwards.
    names = stems([archive_name(upload.name) for upload in uploads])
    for upload, stem in zip(uploads, names, strict=True):
        if cancelled():
            break
        try:
            refuse_others(upload, of_video)
            process(upload, stem, done)
        except Exception as error:
            done.unreadable.append(refusal(upload.name, error))


def _with_own_names(uploads: Sequence[Upload]) -> list[Upload]:
    """The same files; a second ``a.jpg`` is called ``a-2.jpg``."""
    sent = {upload.name for upload in uploads}
    given: set[str] = set()
    named = []
    for upload in uploads:
        name, number = upload.name, 1
        while name in given or (number > 1 and name in sent):
            number += 1
            path = PurePath(upload.name)
            name = f"{path.stem}-{number}{path.suffix}"
        given.add(name)
        named.append(replace(upload, name=name))
    return named


@dataclass(frozen=True)
class Work:
    """What a request wants of its images.

    ``boxes``: (N, 4), of the faces of its only image; None: they are detected. ``min_face``: side
    in pixels of the smallest face to find. ``format``, ``style``: of the output.
    ``hide_occluded``: leave hidden points out. ``measures``: tell poses, eyes and mouths.
    """

    landmarker: Landmarker
    decode: ImageDecoder
    boxes: np.ndarray | None
    min_face: int | None
    format: str
    style: DrawStyle
    hide_occluded: bool = False
    measures: bool = False

    def process(self, uploads: Sequence[Upload], cancelled: Callable[[], bool]) -> Processed:
        """The faces of each image; one image's pixels are held at a time.

        ``cancelled``: tells whether the request has been given up; then the rest is skipped.
        """
        done = Processed()
        process_each(uploads, self._process_one, done, cancelled)
        return done

    def _process_one(self, upload: Upload, stem: str, done: Processed) -> None:
        module = FORMATS.load(self.format)
        # As `nasion predict` does: points must not depend on the format.
        pixels = self.decode(upload.data, self.landmarker.predictor.spec.colour, upload.name)
        size = (pixels.shape[1], pixels.shape[0])
        landmarker = with_min_face(self.landmarker, self.min_face, size, upload.name)
        faces = landmarker(pixels, self.boxes)
        measured = measure(faces) if self.measures else None
        result = ImageResult(upload.name, stem, size, tuple(faces), measured=measured)
        result = result.without_hidden() if self.hide_occluded else result
        done.results.append(result)
        if not hasattr(module, "files"):
            return
        if getattr(module, "NEEDS_PIXELS", False) and pixels.ndim == 2:
            pixels = self.decode(upload.data, True, upload.name)
        done.add_files(module.files(replace(result, image=pixels), self.style))


def answered(
    process: Callable[..., Processed], answer: Callable[[Processed], Response]
) -> Callable[..., tuple[Processed, Response]]:
    """``process`` and the response to what it returns, as one piece of work for a thread.

    Ten thousand faces take seconds to write, and the event loop would answer nobody meanwhile.
    """

    def both(*arguments: Any) -> tuple[Processed, Response]:
        done, cancelled = process(*arguments), arguments[-1]
        return done, Response() if cancelled() else answer(done)

    return both


def respond(done: Processed, name: str, scheme: Scheme | None = None) -> Response:
    """The response in a format. ``scheme``: of the network, also if there is no face.

    Formats other than JSON have no place for unreadable images: then nothing else is sent.
    """
    module = FORMATS.load(name)
    if done.unreadable and (not done.results or name != "json"):
        return refuse_all(done)
    if name == "json":
        return _json_response({**module.to_value(done.results, scheme), "errors": done.errors})
    if is_text(name):
        text = to_text(name, done.results, scheme)
        return Response(text, media_type=module.MEDIA_TYPE)
    if len(done.files) == 1:
        return file_response(done, other=module.MEDIA_TYPE)
    return zip_response(done.files)


def _json_response(value: Mapping[str, Any]) -> Response:
    """As ``JSONResponse``, but written image by image: one call would keep all threads waiting."""
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
    parts = []
    for key, part in value.items():
        text = f"[{','.join(map(encode, part))}]" if key == "images" else encode(part)
        parts.append(f"{encode(key)}:{text}")
    return Response("{" + ",".join(parts) + "}", media_type="application/json")


def file_response(
    done: Processed, headers: Mapping[str, str] | None = None, other: str = ""
) -> Response:
    """The only file that was made, or why there is none.

    ``other``: its media type, if it is neither an image nor a clip.
    """
    if not done.files:
        return refuse_all(done)
    ((file, data),) = done.files.items()
    own = {**(headers or {}), **_problems_header(done)}
    return Response(data, media_type=MEDIA_TYPES.get(PurePath(file).suffix, other), headers=own)


def _problems_header(done: Processed) -> dict[str, str]:
    if not done.problems:
        return {}
    return {PROBLEMS_HEADER: "; ".join(done.problems).encode("ascii", "replace").decode()}


def zip_with_list(done: Processed, name: str, head: Mapping[str, Any] | None = None) -> Response:
    """All files, and a list of them with this name; ``head``: what it begins with."""
    listed = _list_text({**(head or {}), "errors": done.errors}, done.values)
    return zip_response({**done.files, name: listed.encode()}, _problems_header(done))


def _list_text(head: Mapping[str, Any], values: Sequence[Mapping[str, Any]]) -> str:
    """JSON with a line for each of ``values``, as ``nasion crop`` writes it.

    An encoder that breaks lines at every number takes seconds for a clip, and nothing else is
    answered meanwhile.
    """
    fields = {name: value for name, value in head.items() if name != "images"}
    start = json.dumps(fields, indent=1).removesuffix("\n}")
    lines = ",\n  ".join(json.dumps(value) for value in values)
    return f'{start},\n "images": [' + (f"\n  {lines}\n ]" if lines else "]") + "\n}\n"


def refuse_all(done: Processed) -> Response:
    """The response to a request that has no other result than what could not be processed."""
    summary = "; ".join(f"{each.name}: {each.reason}" for each in done.unreadable)
    return JSONResponse({"error": summary, "errors": done.errors}, 422)


def zip_response(files: Mapping[str, bytes], headers: Mapping[str, str] | None = None) -> Response:
    """Files by their names, as a zip."""
    return Response(_zip(files), media_type="application/zip", headers=headers)


def archive_name(name: str) -> str:
    """A name that no system unpacks outside of its folder, or cannot unpack."""
    stem = _UNSAFE.sub("_", PurePath(name).stem).strip(". ") or "image"
    if _DEVICE.fullmatch(stem.partition(".")[0].rstrip()):
        stem = f"_{stem}"
    return f"{stem}{_UNSAFE.sub('_', PurePath(name).suffix) or '.image'}"


def _zip(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    # Not compressed: drawn images are JPEGs already.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@cache
def sample_image() -> bytes:
    """A drawn JPEG with three faces, for users without an image at hand."""
    faces = toy.draw(3, ibug68, size=320, colour=True)
    return jpeg_bytes(np.concatenate(list(np.asarray(faces.images)), axis=1))
