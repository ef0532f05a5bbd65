"""Files from a request: the body itself, or the files of a form; never more than the limit."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from nasion.app.serve.admission import Limits, Rejected
from nasion.errors import DataError
from nasion.media.signatures import Kind, kind_of_contents

_SEND_BYTES = (
    "send the file's own bytes as the body (curl --data-binary @photo.jpg), or as a file of a form "
    "(curl -F images=@photo.jpg); base64 -d decodes what you have"
)
_LOOK = 64  # bytes at the start of a file that tell base64 from others
_LOOK_AT_KIND = 512  # and an image from a video
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"GIF8", b"BM", b"II*\0", b"MM\0*")
# Characters: in UTF-8 four bytes each at most, and file systems allow 255 bytes with what is
# appended.
_MAX_NAME = 50
_BINARY = {"type": "string", "format": "binary"}
_FORM = {"type": "object", "properties": {"images": {"type": "array", "items": _BINARY}}}
# The body in the OpenAPI description.
REQUEST_BODY: dict[str, Any] = {
    "required": True,
    "content": {"image/*": {"schema": _BINARY}, "multipart/form-data": {"schema": _FORM}},
}
_CLIP_FORM = {"type": "object", "properties": {"clip": _BINARY}}
CLIP_BODY: dict[str, Any] = {
    "required": True,
    "content": {"video/*": {"schema": _BINARY}, "multipart/form-data": {"schema": _CLIP_FORM}},
}
ANY_BODY: dict[str, Any] = {
    "required": True,
    "content": {**CLIP_BODY["content"], **REQUEST_BODY["content"]},
}


@dataclass(frozen=True)
class Upload:
    """An image or video file as it was sent, and its name."""

    name: str
    data: bytes

    @property
    def kind(self) -> Kind:
        """Whether it is an image or a video, by its first bytes; empty if it is neither."""
        return kind_of_contents(self.data[:_LOOK_AT_KIND])


async def read_uploads(request: Request, limits: Limits, what: str = "image") -> list[Upload]:
    """The files of a request. ``what``: they are, for messages.

    Raises ``Rejected`` for a body that is too large (413), too slow (408), or has none (422).
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limits.body_bytes:
        raise Rejected(413, f"{int(declared):,} bytes; the limit is {limits.body_bytes:,}.")
    try:
        return await asyncio.wait_for(_read(request, limits, what), limits.seconds)
    except TimeoutError as error:
        raise Rejected(
            408, f"The body did not arrive within {limits.seconds:g} seconds."
        ) from error
    except ClientDisconnect as error:
        raise Rejected(400, "The connection was closed before the body was complete.") from error


async def _read(request: Request, limits: Limits, what: str) -> list[Upload]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        data = await request.body()
        if not data:
            raise Rejected(
                422,
                f"No {what}: send one as the body, or a form (multipart/form-data) with files.",
            )
        if kind == "application/json":
            raise Rejected(422, f"The body is JSON; {_SEND_BYTES}.")
        return [Upload(Upload(what, data).kind or what, data)]
    uploads = []
    try:
        async with request.form(max_files=limits.images, max_fields=limits.images) as form:
            for _, value in form.multi_items():
                if isinstance(value, UploadFile):
                    uploads.append(Upload(_file_name(value.filename), await value.read()))
    except HTTPException as error:
        raise Rejected(422, f"The form cannot be read: {error.detail}") from error
    if not uploads:
        raise Rejected(
            422,
            f"No file in the form; send {what}s as files of multipart/form-data, with curl as "
            f"-F {what}s=@FILE.",
        )
    return uploads


def refuse_others(upload: Upload, of_video: str) -> None:
    """Raise ``DataError`` for a video, and an image as base64 or as a data URL.

    ``of_video``: what to do with a video.
    """
    start = upload.data[:_LOOK]
    if upload.kind == "video":
        raise DataError(f"{upload.name}: a video; {of_video}.")
    if start.startswith(b"data:"):
        raise DataError(f"{upload.name}: a data URL; {_SEND_BYTES}.")
    text = start.translate(_URL_SAFE, b"\r\n\"' ")
    try:
        decoded = base64.b64decode(text[: len(text) // 4 * 4], validate=True)
    except ValueError:
        return
    if decoded.startswith(_SIGNATURES) or decoded[4:8] == b"ftyp":
        raise DataError(f"{upload.name}: an image as base64 text; {_SEND_BYTES}.")


def _file_name(path: str | None) -> str:
    """The name without folders, of any system, that every file system and archive can hold."""
    name = PurePosixPath((path or "image").replace("\\", "/")).name
    plain = "".join(character if character.isprintable() else "_" for character in name)
    base, dot, suffix = plain.rpartition(".")
    if len(plain) > _MAX_NAME:
        plain = f"{(base or plain)[: _MAX_NAME - 10]}{dot}{suffix[:8]}"
    return plain or "image"
