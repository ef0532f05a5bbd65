"""Which words are addresses of web servers and of streams; what is behind them: ``downloads``."""

from __future__ import annotations

_WEB = ("http://", "https://")
_RTSP = ("rtsp://", "rtsps://")


def is_url(word: str) -> bool:
    """True for ``http://`` and ``https://``, in small or capital letters."""
    return word[:8].lower().startswith(_WEB)


def is_stream(word: str) -> bool:
    """True for the address of a camera's or a server's stream (RTSP)."""
    return word[:8].lower().startswith(_RTSP)
