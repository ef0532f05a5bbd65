"""Connections: how many there may be, of one client and of all, and how long they may be silent.

When there are too many, the one that has been silent the longest makes room, so that a client that
says what it wants is served beside any number that do not.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, cast

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from nasion.app.serve.admission import Limits, client_of
from nasion.app.serve.websocket import MAX_FRAME_BYTES

# How many connections are accepted in one turn of the event loop; until its end those that are
# turned away still have their descriptors.
_BACKLOG = 128
_OTHER_DESCRIPTORS = 256  # files, pipes and connections in the backlog
_SWEEP_SECONDS = 1.0


def server_config(app: Any, limits: Limits, **settings: Any) -> uvicorn.Config:
    """uvicorn's settings for ``build_app``'s application; ``settings``: host, port, and others."""
    connections = _Connections(limits)
    return uvicorn.Config(
        app,
        http=cast(Any, partial(_GuardedConnection, connections)),
        backlog=_BACKLOG,
        log_level="warning",
        server_header=False,
        ws_max_size=MAX_FRAME_BYTES,
        # Frames that wait: more would only be answered late.
        ws_max_queue=2,
        timeout_keep_alive=5,
        # Requests that run when the server is stopped are finished.
        timeout_graceful_shutdown=max(round(limits.seconds), 1),
        **settings,
    )


class _Connections:
    """The open connections, the one that was heard of the longest ago first."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._most = min(limits.connections, _descriptors(limits.connections))
        self._open: dict[_GuardedConnection, None] = {}
        self._sweeping = False

    def admit(self, new: _GuardedConnection) -> None:
        """Add a connection; a silent one makes room for it, or it is closed itself."""
        own = [each for each in self._open if each.address == new.address]
        if len(own) >= self._limits.client_connections:
            self._make_room(own)
            own = [each for each in self._open if each.address == new.address]
        if len(self._open) >= self._most:
            self._make_room(list(self._open))
        if len(own) >= self._limits.client_connections or len(self._open) >= self._most:
            new.transport.abort()
            return
        self._open[new] = None
        if not self._sweeping:
            self._sweeping = True
            self._sweep_later()

    def heard(self, connection: _GuardedConnection) -> None:
        """Move a connection to the end."""
        if self._open.pop(connection, connection) is None:
            self._open[connection] = None

    def remove(self, connection: _GuardedConnection) -> None:
        self._open.pop(connection, None)

    def _make_room(self, among: list[_GuardedConnection]) -> None:
        """Forget those that are closed already; if there are none, drop the most silent one."""
        # A connection that became a WebSocket is not told of its end.
        closed = [each for each in among if each.transport.is_closing()]
        silent = (each for each in among if each.is_awaiting_client)
        for each in closed or [each for each in (next(silent, None),) if each]:
            each.transport.abort()
            self.remove(each)

    def _sweep(self) -> None:
        """Close connections whose request's headers are not complete in time."""
        now = asyncio.get_running_loop().time()
        for each in list(self._open):
            if each.transport.is_closing():
                self.remove(each)
            elif each.is_awaiting_headers and now - each.idle_since > self._limits.header_seconds:
                each.transport.abort()
                self.remove(each)
        self._sweeping = bool(self._open)
        if self._sweeping:
            self._sweep_later()

    def _sweep_later(self) -> None:
        seconds = min(_SWEEP_SECONDS, self._limits.header_seconds / 2)
        asyncio.get_running_loop().call_later(seconds, self._sweep)


class _GuardedConnection(H11Protocol):
    """uvicorn's HTTP/1.1 connection, admitted by ``Connections``.

    ``idle_since``: when it was made, or answered its last request (the event loop's clock).
    """

    def __init__(self, connections: _Connections, **settings: Any) -> None:
        super().__init__(**settings)
        self._connections = connections
        self.address: str = ""
        self.idle_since: float = 0.0

    @property
    def is_awaiting_headers(self) -> bool:
        """No request, or not all of its headers, has arrived."""
        return self.conn.their_state is h11.IDLE

    @property
    def is_awaiting_client(self) -> bool:
        """Headers or a part of the body are missing."""
        return self.conn.their_state in (h11.IDLE, h11.SEND_BODY)

    def connection_made(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, transport: asyncio.Transport
    ) -> None:
        super().connection_made(transport)
        self.address = client_of({"client": self.client})
        self.idle_since = self.loop.time()
        self._connections.admit(self)

    def data_received(self, data: bytes) -> None:
        self._connections.heard(self)
        super().data_received(data)

    def on_response_complete(self) -> None:
        self.idle_since = self.loop.time()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.remove(self)
        super().connection_lost(exc)


def _descriptors(wanted: int) -> int:
    """How many connections the system's limit of open files allows, raised if it may be."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows, which has no such limit
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _OTHER_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < needed:
        most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
        soft = max(soft, most)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    return max(soft - _OTHER_DESCRIPTORS, soft // 2)
