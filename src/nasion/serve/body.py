"""Pictures out of a request's body: the body itself, or the files of a form; never more than the limit is taken in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from nasion.serve.desk import Limits, Message, Refusal

# What the interface's description says of the body.
SENT = {
    "required": True,
    "content": {
        "image/*": {"schema": {"type": "string", "format": "binary"}},
        "multipart/form-data": {
            "schema": {"type": "object", "properties": {"pictures": {"type": "array", "items": {"type": "string", "format": "binary"}}}}
        },
    },
}


@dataclass(frozen=True)
class Sent:
    """A picture's file as it was sent, and its name."""

    name: str
    data: bytes


class BodyLimit:
    """Stops reading a body that is larger than it may be, whether it says so or not."""

    def __init__(self, app: Callable[..., Awaitable[None]], most: int) -> None:
        self.app, self.most = app, most

    async def __call__(self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]) -> None:
        read = 0

        async def limited() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b"")) if message["type"] == "http.request" else 0
            if read > self.most:
                raise Refusal(413, f"More than {self.most:,} bytes in one request, the limit.")
            return message

        await self.app(scope, limited, send)


async def pictures_in(request: Request, limits: Limits) -> list[Sent]:
    """The pictures that a request brings. Raises ``Refusal`` for a body that is too large (413), too slow (408), or holds none (422)."""
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told) > limits.body_bytes:
        raise Refusal(413, f"{int(told):,} bytes; the limit is {limits.body_bytes:,}.")
    try:
        return await asyncio.wait_for(_read(request, limits), limits.seconds)
    except TimeoutError as error:
        raise Refusal(408, f"The pictures did not arrive in {limits.seconds:g} seconds.") from error
    except ClientDisconnect as error:
        raise Refusal(400, "The connection ended before the picture did.") from error


async def _read(request: Request, limits: Limits) -> list[Sent]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        data = await request.body()
        if not data:
            raise Refusal(422, "No picture: send one as the body, or a form (multipart/form-data) with files.")
        return [Sent("picture", data)]
    try:
        async with request.form(max_files=limits.pictures, max_fields=limits.pictures) as form:
            files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
            sent = [Sent(PurePosixPath((file.filename or "picture").replace("\\", "/")).name or "picture", await file.read()) for file in files]
    except HTTPException as error:
        raise Refusal(422, f"The form cannot be read: {error.detail}") from error
    if not sent:
        raise Refusal(422, "No file in the form; send pictures as files of multipart/form-data.")
    return sent
