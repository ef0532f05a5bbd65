"""Who may ask for how much at once, and work that is done in turn, in threads, so that memory and time stay within limits."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from typing import Any

from starlette.requests import Request

from nasion.errors import require

Message = MutableMapping[str, Any]
_PIECE = 1 << 16  # bytes


class Refusal(Exception):
    """A request that is refused, with the HTTP status that says so."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True)
class Limits:
    """``body_bytes`` and ``pictures`` of a request, ``pixels`` and ``faces`` of a picture, ``seconds`` that a request may take;
    ``memory_bytes`` of all requests together, ``waiting``: how many there may be; ``live``: cameras at once; ``workers``: threads (None: cores).
    """

    body_bytes: int = 32 << 20
    pictures: int = 64
    pixels: int = 25_000_000
    faces: int = 50
    seconds: float = 30.0
    memory_bytes: int = 256 << 20
    waiting: int = 256
    live: int = 4
    workers: int | None = None

    def __post_init__(self) -> None:
        for name in ("body_bytes", "pictures", "pixels", "faces", "seconds", "memory_bytes", "waiting", "live"):
            require(getattr(self, name) > 0, f"The limit {name} must be above 0; found {getattr(self, name)}.")
        require(self.workers is None or self.workers > 0, f"There must be a worker; found {self.workers}.")


class Room:
    """What one request takes of the memory."""

    def __init__(self, desk: Desk, taken: int) -> None:
        self._desk, self.taken = desk, taken

    def of(self, size: int) -> None:
        """So much is known now to be enough."""
        self._desk.taken -= self.taken - size
        self.taken = size


class Desk:
    """Admits requests while there is room, and does their work in ``workers`` threads."""

    def __init__(self, limits: Limits) -> None:
        self.limits, self.waiting, self.taken = limits, 0, 0
        self._pool = ThreadPoolExecutor(limits.workers or os.cpu_count() or 1, thread_name_prefix="nasion")

    @contextmanager
    def room(self, request: Request) -> Iterator[Room]:
        """A place for a request and its body. Raises ``Refusal`` (503) where there is none."""
        told = request.headers.get("content-length", "")
        wanted = min(int(told), self.limits.body_bytes) if told.isdecimal() else self.limits.body_bytes
        if self.waiting >= self.limits.waiting or self.taken + wanted > max(self.limits.memory_bytes, self.limits.body_bytes):
            raise Refusal(503, "Too many requests at once; try again in a moment.")
        room = Room(self, wanted)
        self.waiting, self.taken = self.waiting + 1, self.taken + wanted
        try:
            yield room
        finally:
            self.waiting, self.taken = self.waiting - 1, self.taken - room.taken

    async def done(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """What the work gives; its last argument is a function that says whether nobody waits any more.

        Raises ``Refusal`` (503) when it takes longer than the limit, waiting included.
        """
        over, held = Event(), [arguments]
        future = self._pool.submit(lambda: work(*held.pop(), over.is_set) if held else None)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), self.limits.seconds)
        except TimeoutError as error:
            raise Refusal(503, f"It took longer than {self.limits.seconds:g} seconds; send fewer or smaller pictures, or try again.") from error
        finally:
            # Work that has not begun is let go with what it holds; work that has is told to stop.
            over.set()
            held.clear()


class Sending:
    """Sends answers in pieces, as fast as their readers take them, and counts them as memory until they are gone.

    A reader who takes no piece for ``limits.seconds`` is left.
    """

    def __init__(self, app: Callable[..., Awaitable[None]], desk: Desk) -> None:
        self.app, self.desk = app, desk

    async def __call__(self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]) -> None:
        async def in_pieces(message: Message) -> None:
            body = message.get("body", b"") if message["type"] == "http.response.body" else b""
            if not body:
                await send(message)
                return
            self.desk.taken += len(body)
            try:
                for start in range(0, len(body), _PIECE):
                    more = start + _PIECE < len(body) or message.get("more_body", False)
                    piece = {**message, "body": body[start : start + _PIECE], "more_body": more}
                    await asyncio.wait_for(send(piece), self.desk.limits.seconds)
            finally:
                self.desk.taken -= len(body)

        await self.app(scope, receive, in_pieces)
