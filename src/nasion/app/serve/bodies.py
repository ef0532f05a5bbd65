"""Bodies of requests as they arrive: counted, limited, and cut off after a refusal."""

from __future__ import annotations

import asyncio
from time import monotonic

from starlette.datastructures import Headers

from nasion.app.serve.admission import (
    AdmissionControl,
    App,
    Message,
    Receive,
    Rejected,
    Reservation,
    Send,
    client_of,
)

# How long a refused body is still read and thrown away: closed at once, the connection would be
# reset, and a client that is still sending would never see why it was refused.
_LINGER_SECONDS, _LINGER_BODIES = 5.0, 4  # bodies of the largest size that is allowed


class BodyLimit:
    """Reads no more of a body than is allowed, whether it declares its length or not.

    Memory is reserved for what has arrived. A connection whose body was not read to its end is
    closed after the response, since the rest of it may be endless.
    """

    def __init__(self, app: App, admission: AdmissionControl) -> None:
        self.app: App = app
        self.admission: AdmissionControl = admission

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = _Body(scope, receive, send, self.admission)
        try:
            await self.app(scope, body.receive, body.send)
        finally:
            body.reservation.release()


class _Body:
    """One request's body, and the response that may have to close its connection."""

    def __init__(
        self, scope: Message, receive: Receive, send: Send, admission: AdmissionControl
    ) -> None:
        self.reservation: Reservation = Reservation(admission, client_of(scope))
        self._receive, self._send, self._limits = receive, send, admission.limits
        headers = Headers(scope=scope)
        has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        self._complete = not has_body

    async def receive(self) -> Message:
        """The next piece. Raises ``Rejected`` if it does not come (408) or is too much (413)."""
        # After the body only a disconnect can come, at any time.
        seconds = None if self._complete else self._limits.idle_seconds
        try:
            message = await asyncio.wait_for(self._receive(), seconds)
        except TimeoutError as error:
            raise Rejected(
                408, f"Nothing of the body arrived for {seconds:g} seconds; send it again."
            ) from error
        if message["type"] == "http.request":
            self._complete = not message.get("more_body", False)
            size, most = len(message.get("body", b"")), self._limits.body_bytes
            if self.reservation.size + size > most:
                raise Rejected(413, f"A request may have {most:,} bytes; found more.")
            self.reservation.grow(size)
        return message

    async def send(self, message: Message) -> None:
        """Send a piece of the response."""
        if message["type"] == "http.response.start":
            self.reservation.release()
            if not self._complete:
                close = (b"connection", b"close")
                message = {**message, "headers": [*message.get("headers", ()), close]}
        elif not self._complete and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._discard_rest()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    async def _discard_rest(self) -> None:
        end = monotonic() + min(_LINGER_SECONDS, self._limits.idle_seconds)
        most = _LINGER_BODIES * self._limits.body_bytes
        while not self._complete and most > 0 and (left := end - monotonic()) > 0:
            try:
                message = await asyncio.wait_for(self._receive(), left)
            except TimeoutError:
                return
            most -= len(message.get("body", b""))
            self._complete = not message.get("more_body", False)
