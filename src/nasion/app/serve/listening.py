"""The socket of a server, and its address in a browser."""

from __future__ import annotations

import socket

import uvicorn

from nasion.errors import SettingError

LOCAL: tuple[str, ...] = ("127.0.0.1", "localhost", "::1")
ANY_ADDRESS: tuple[str, ...] = ("0.0.0.0", "::", "")


def listen(config: uvicorn.Config) -> socket.socket:
    """The socket, listening: 0 chooses a port, and who reads the address may use it at once."""
    try:
        listening = config.bind_socket()
    except SystemExit as error:
        raise SettingError(
            f"Cannot listen on {config.host} port {config.port}: it is taken, or not an address of "
            "this machine; choose another with --port or --host."
        ) from error
    listening.listen(config.backlog)
    return listening


def shown_address(host: str, listening: socket.socket) -> str:
    """``http://127.0.0.1:8000``. IPv6 addresses stand in brackets in a URL."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listening.getsockname()[1]}"
