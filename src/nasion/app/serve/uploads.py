"""Images from a request: the body itself, or the files of a form; never more than the limit."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from nasion.app.serve.admission import App, Limits, Message, Receive, Rejected, Send

_BINARY = {"type": "string", "format": "binary"}
_FORM = {"type": "object", "properties": {"images": {"type": "array", "items": _BINARY}}}
# The body in the OpenAPI description.
REQUEST_BODY: dict[str, Any] = {
    "required": True,
    "content": {"image/*": {"schema": _BINARY}, "multipart/form-data": {"schema": _FORM}},
}


@dataclass(frozen=True)
class Upload:
    """An image file as it was sent, and its name."""

    name: str
    data: bytes


class BodyLimit:
    """Stops reading a body that is larger than allowed, whether it declares so or not."""

    def __init__(self, app: App, max_bytes: int) -> None:
        self.app: App = app
        self.max_bytes: int = max_bytes

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        read = 0

        async def limited() -> Message:
            nonlocal read
            message = await receive()
            # Counted as it arrives: the declared length may be missing or wrong.
            if message["type"] == "http.request":
                read += len(message.get("body", b""))
            if read > self.max_bytes:
                raise Rejected(413, f"A request may have {self.max_bytes:,} bytes; found more.")
            return message

        await self.app(scope, limited, send)


async def read_uploads(request: Request, limits: Limits) -> list[Upload]:
    """The images of a request.

    Raises ``Rejected`` for a body that is too large (413), too slow (408), or has none (422).
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limits.body_bytes:
        raise Rejected(413, f"{int(declared):,} bytes; the limit is {limits.body_bytes:,}.")
    try:
        return await asyncio.wait_for(_read(request, limits), limits.seconds)
    except TimeoutError as error:
        raise Rejected(
            408, f"The images did not arrive within {limits.seconds:g} seconds."
        ) from error
    except ClientDisconnect as error:
        raise Rejected(400, "The connection was closed before the image was complete.") from error


async def _read(request: Request, limits: Limits) -> list[Upload]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        data = await request.body()
        if not data:
            raise Rejected(
                422,
                "No image: send one as the body, or a form (multipart/form-data) with files.",
            )
        return [Upload("image", data)]
    uploads = []
    try:
        async with request.form(max_files=limits.images, max_fields=limits.images) as form:
            for _, value in form.multi_items():
                if isinstance(value, UploadFile):
                    uploads.append(Upload(_file_name(value.filename), await value.read()))
    except HTTPException as error:
        raise Rejected(422, f"The form cannot be read: {error.detail}") from error
    if not uploads:
        raise Rejected(422, "No file in the form; send images as files of multipart/form-data.")
    return uploads


def _file_name(path: str | None) -> str:
    """The name without folders, of any system."""
    return PurePosixPath((path or "image").replace("\\", "/")).name or "image"
