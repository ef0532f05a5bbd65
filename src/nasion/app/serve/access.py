"""Who may use the server from where: allowed hosts and origins, and a proxy's path prefix."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.websockets import WebSocket, WebSocketClose

from nasion.app.serve.admission import App, Message, Receive, Send
from nasion.errors import require


@dataclass(frozen=True)
class Access:
    """``hosts``: names and addresses under which the server may be called.

    They come beside ``localhost`` and the address that a connection came in at; ``*.example.org``
    stands for all below it, ``*`` for any. ``origins``: pages of other servers that may use this
    one, as ``https://example.org``; ``*`` for any. ``root_path``: the path under which a proxy
    shows this server.
    """

    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    root_path: str = ""

    def __post_init__(self) -> None:
        for origin in self.origins:
            require(
                origin == "*" or _is_origin(origin),
                f"An origin is a scheme and a host, as https://example.org; found {origin!r}.",
            )
        for host in self.hosts:
            require(
                _host_name(host) != "",
                f"A host is a name or an address, as faces.example.org; found {host!r}.",
            )
        require(
            not set("?#:") & set(self.root_path),
            f"The root path is a path alone, as /faces; found {self.root_path!r}.",
        )
        path = self.root_path.strip("/")
        object.__setattr__(self, "root_path", f"/{path}" if path else "")

    def allows_host(self, header: str, server: str) -> bool:
        """Whether a ``Host`` header may name this server; ``server``: the address it came in at."""
        name = _host_name(header)
        own = {"localhost", _plain_address(server)}
        return name in own or _matches(name, map(str.lower, self.hosts))

    def allows_origin(self, origin: str, host: str) -> bool:
        """Whether a page of ``origin`` may open the camera's socket at ``host``."""
        if "*" in self.origins or origin in self.origins:
            return True
        try:
            own = urlsplit(origin).netloc
        except ValueError:
            return False
        # Behind a proxy that changes Host, the page's own origin has the name of the proxy.
        return own == host or _matches(_host_name(own), map(str.lower, self.hosts))


def _is_origin(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme and parts.netloc) and not parts.path


def _matches(name: str, patterns: Iterable[str]) -> bool:
    for pattern in patterns:
        if pattern == "*" or name == (_host_name(pattern) or pattern):
            return True
        if pattern.startswith("*.") and name.endswith(pattern[1:]):
            return True
    return False


def _host_name(header: str) -> str:
    """The host of ``host:port`` in small letters, IPv6 without brackets; empty if it is none."""
    # An IPv6 address without brackets, as --allow-host may have it.
    if header.count(":") > 1 and not header.startswith("["):
        header = f"[{header}]"
    try:
        parts = urlsplit(f"//{header}")
        plain = parts.hostname if parts.netloc == header and not parts.username else ""
    except ValueError:
        return ""
    return _plain_address(plain or "")


def _plain_address(text: str) -> str:
    """An address in its shortest form; what is none as it is."""
    try:
        address = ip_address(text)
    except ValueError:
        return text.lower()
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


class AllowedHosts:
    """Refuses requests under a host's name that is not this server's (400).

    Otherwise a page elsewhere could let its own name lead to this machine (DNS rebinding) and use
    the server as if it were its own, camera included.
    """

    def __init__(self, app: App, access: Access) -> None:
        self.app: App = app
        self.access: Access = access

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        # Absent only in HTTP/1.0, which browsers do not speak.
        host = Headers(scope=scope).get("host") if scope["type"] != "lifespan" else None
        server = (scope.get("server") or ("",))[0]
        if host is None or self.access.allows_host(host, server):
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocketClose(1008, "This host is not allowed.")(scope, receive, send)
        else:
            reason = (
                f"This server is not called {host!r}, or does not know that it is; allow it with "
                "--allow-host (Access.hosts)."
            )
            await JSONResponse({"error": reason}, 400)(scope, receive, send)


class PathPrefix:
    """Takes requests with and without the path prefix of a proxy (``Access.root_path``)."""

    def __init__(self, app: App, root_path: str) -> None:
        self.app: App = app
        self.root_path: str = root_path

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan" and not scope.get("root_path"):
            path = scope["path"]
            if not f"{path}/".startswith(f"{self.root_path}/"):
                path = self.root_path + path
            scope = {**scope, "root_path": self.root_path, "path": path}
        await self.app(scope, receive, send)


async def refuse_socket(socket: WebSocket, status: int, reason: str) -> None:
    """Answer the handshake of a WebSocket with an error instead of accepting it."""
    response: Any = JSONResponse({"error": reason}, status)
    await socket.send_denial_response(response)
