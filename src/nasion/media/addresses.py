"""Which words are addresses of web servers and of streams; what is behind them: ``downloads``."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit, urlunsplit

_WEB = ("http://", "https://")
_RTSP = ("rtsp://", "rtsps://")


def is_url(word: str) -> bool:
    """True for ``http://`` and ``https://``, in small or capital letters."""
    return word[:8].lower().startswith(_WEB)


def split_password(url: str) -> tuple[str, str]:
    """(address without name and password, ``name:password``), the latter empty if there is none.

    Addresses go into results and messages, where a password has no place.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return url, ""
    known, at, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=host)) if at else url, unquote(known)


def is_stream(word: str) -> bool:
    """True for the address of a camera's or a server's stream (RTSP)."""
    return word[:8].lower().startswith(_RTSP)
