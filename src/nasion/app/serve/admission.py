"""Admission control: bounds requests, memory and threads, so that load cannot exhaust a machine."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from ipaddress import IPv6Address, ip_address, ip_network
from threading import Event
from typing import Any

from starlette.requests import Request

from nasion.app.serve.turns import Turns
from nasion.errors import require

Message = MutableMapping[str, Any]
App = Callable[..., Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_CHUNK = 1 << 16  # bytes of a response that are sent at once


def client_of(scope: MutableMapping[str, Any]) -> str:
    """A client's address, by which its share is counted; of IPv6 the network's part.

    One household or machine has all addresses of a /64 network.
    """
    host = (scope.get("client") or ("",))[0]
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address) and not address.ipv4_mapped:
        return str(ip_network((address, 64), strict=False))
    return host


class Rejected(Exception):
    """A request that is rejected, with its HTTP status."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class Limits:
    """``body_bytes``, ``images``: per request. ``pixels``, ``faces``: per image.

    ``seconds``: per request; ``decode_seconds``: per image, to decode it. ``header_seconds``: until
    a request's headers are complete; ``idle_seconds``: between two pieces of its body.
    ``memory_bytes``, ``requests``, ``connections``: of all clients together; a client may take half
    of the memory and ``client_connections``. ``cameras``: at once. ``clip_seconds``,
    ``clip_frames``: of a video. ``workers``: threads (None: cores).
    """

    body_bytes: int = 32 << 20
    images: int = 64
    pixels: int = 25_000_000
    faces: int = 50
    seconds: float = 30.0
    decode_seconds: float = 10.0
    header_seconds: float = 10.0
    idle_seconds: float = 10.0
    memory_bytes: int = 256 << 20
    requests: int = 256
    connections: int = 512
    client_connections: int = 128
    cameras: int = 4
    clip_seconds: float = 20.0
    clip_frames: int = 1000
    workers: int | None = None

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name == "workers" and value is None:
                continue
            require(value > 0, f"The limit {item.name} must be above 0; found {value}.")


class Reservation:
    """The memory that one request's body holds: what has arrived of it, not what it announces."""

    def __init__(self, admission: AdmissionControl, client: str) -> None:
        self._admission = admission
        self._client = client
        self.size: int = 0

    def grow(self, size: int) -> None:
        """Take ``size`` bytes more. Raises ``Rejected`` (503) if there is no memory for them."""
        self._admission.hold(self._client, size)
        self.size += size

    def release(self) -> None:
        """Give all of it back; more than once does no harm."""
        self._admission.hold(self._client, -self.size)
        self.size = 0


class AdmissionControl:
    """Admits requests while there is memory, and runs their work in ``workers`` threads.

    ``active``: requests being processed. ``held``: bytes of requests, and of responses that are
    not sent yet.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits: Limits = limits
        # All change only on the event loop's thread, between two awaits, so they need no lock.
        self.active: int = 0
        self.held: int = 0
        self._held_by: Counter[str] = Counter()
        threads = limits.workers or os.cpu_count() or 1
        self._turns = Turns(threads)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="nasion")

    def hold(self, client: str, size: int) -> None:
        """Count ``size`` bytes more (or fewer) of a client's requests.

        Raises ``Rejected`` (503) beyond the memory of all, or half of it for one client.
        """
        limits = self.limits
        # Otherwise a single request of the allowed size could never be admitted.
        memory = max(limits.memory_bytes, limits.body_bytes)
        share = max(memory // 2, limits.body_bytes)
        own = self._held_by[client] + size
        if size > 0 and (self.held + size > memory or own > share):
            raise Rejected(503, "Too many requests at once; try again in a moment.")
        self.held += size
        self._held_by[client] = own
        if not own:
            # Otherwise the counter would remember every client there ever was.
            del self._held_by[client]

    @contextmanager
    def _count(self) -> Iterator[None]:
        """Count a request that is processed. Raises ``Rejected`` (503) beyond the limit."""
        if self.active >= self.limits.requests:
            raise Rejected(503, "Too many requests at once; try again in a moment.")
        self.active += 1
        try:
            yield
        finally:
            self.active -= 1

    async def run_for(self, request: Request, work: Callable[..., Any], *arguments: Any) -> Any:
        """As ``run``, for a request whose body is read: given up when its client leaves.

        Then raises ``Rejected`` (400), which nobody reads.
        """
        client = client_of(request.scope)
        gone = asyncio.ensure_future(_until_gone(request.receive))
        job = asyncio.ensure_future(self.run(client, work, *arguments))
        try:
            await asyncio.wait((job, gone), return_when=asyncio.FIRST_COMPLETED)
            if job.done():
                return job.result()
            raise Rejected(400, "The connection was closed before the answer was ready.")
        finally:
            job.cancel()
            gone.cancel()

    async def run(self, client: str, work: Callable[..., Any], *arguments: Any) -> Any:
        """Run ``work`` in a thread when it is the client's turn.

        Its last argument is a function that tells whether the request has been given up.

        Raises ``Rejected`` (503) if it takes longer than the limit, waiting included.
        """
        cancelled = Event()
        try:
            with self._count():
                job = self._in_turn(client, work, *arguments, cancelled.is_set)
                return await asyncio.wait_for(job, self.limits.seconds)
        except TimeoutError as error:
            raise Rejected(
                503,
                f"It took longer than {self.limits.seconds:g} seconds; "
                "send fewer or smaller images, or a shorter clip, or try again.",
            ) from error
        finally:
            # Work that has started is asked to stop; other work never starts.
            cancelled.set()

    async def _in_turn(self, client: str, work: Callable[..., Any], *arguments: Any) -> Any:
        await self._turns.take(client)
        loop = asyncio.get_running_loop()
        future = self._pool.submit(work, *arguments)

        def done(_: Any) -> None:
            # In the worker's thread, when it is really done; after the server's end nobody waits.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._turns.give_back)

        future.add_done_callback(done)
        return await asyncio.wrap_future(future)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


class ChunkedResponses:
    """Sends responses in chunks, as fast as clients take them, and counts them as held memory.

    A client that takes no chunk for ``limits.seconds`` is dropped.
    """

    def __init__(self, app: App, admission: AdmissionControl) -> None:
        self.app: App = app
        self.admission: AdmissionControl = admission

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        admission = self.admission

        async def in_chunks(message: Message) -> None:
            is_body = message["type"] == "http.response.body"
            body = message.get("body", b"") if is_body else b""
            if not body:
                await send(message)
                return
            admission.held += len(body)
            try:
                for start in range(0, len(body), _CHUNK):
                    # The last chunk says what the message said.
                    more = start + _CHUNK < len(body) or message.get("more_body", False)
                    chunk = {"body": body[start : start + _CHUNK], "more_body": more}
                    await asyncio.wait_for(send({**message, **chunk}), admission.limits.seconds)
            finally:
                admission.held -= len(body)

        await self.app(scope, receive, in_chunks)
