"""The socket of a server, and its address in a browser."""

from __future__ import annotations

import socket

import uvicorn

from nasion.errors import SettingError

LOCAL: tuple[str, ...] = ("127.0.0.1", "localhost", "::1")
ANY_ADDRESS: tuple[str, ...] = ("0.0.0.0", "::", "")


def listen(config: uvicorn.Config) -> socket.socket:
    """The socket, listening: 0 chooses a port, and who reads the address may use it at once."""
    is_ipv6 = ":" in config.host
    try:
        return socket.create_server(
            (config.host, config.port),
            family=socket.AF_INET6 if is_ipv6 else socket.AF_INET,
            backlog=config.backlog,
            # All addresses of IPv6 ("::") include those of IPv4, as elsewhere.
            dualstack_ipv6=is_ipv6 and socket.has_dualstack_ipv6(),
        )
    except OSError as error:
        # Python adds the address, "(while attempting to bind on address ...)".
        reason = (error.strerror or str(error)).partition(" (while ")[0].lower()
        raise SettingError(
            f"Cannot listen on {config.host} port {config.port} ({reason}); choose another with "
            "--port or --host."
        ) from error


def shown_address(host: str, listening: socket.socket) -> str:
    """``http://127.0.0.1:8000``. IPv6 addresses stand in brackets in a URL."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listening.getsockname()[1]}"
