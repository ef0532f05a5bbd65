"""Files of web servers: http and https alone, within limits of time, size and place.

A public address may not redirect to one of this machine or its network (server-side request
forgery): what answers there trusts whoever is within. ``NASION_ALLOW_PRIVATE_REDIRECTS=1`` lets it.
"""

from __future__ import annotations

import os
import socket
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ipaddress import IPv6Address, ip_address
from tempfile import TemporaryFile
from threading import Timer
from typing import IO, Any
from urllib.error import URLError
from urllib.parse import quote, urlsplit, urlunsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

from nasion.errors import DataError
from nasion.media.addresses import split_password

MAX_DOWNLOAD = 200 << 20  # bytes
_SCHEMES = ("http", "https")
_WAIT = 30.0  # seconds for an answer, or for the next bytes of it
_SECONDS = 120.0  # for all of a download
_PIECE = 1 << 20
_URL_SIGNS = "%/:=&?~+!$,;'@()*[]"  # that stand for themselves; escapes stay as they are
_ALLOW = "NASION_ALLOW_PRIVATE_REDIRECTS"


def download(url: str, seconds: float = _SECONDS) -> bytes:
    """The contents of a URL. Raises ``DataError`` that names it."""
    name = split_password(url)[0]
    with web_response(url, seconds=seconds) as response:
        # One byte more than the limit tells a larger file; its declared length may be wrong.
        data = bytearray()
        while len(data) <= MAX_DOWNLOAD and (piece := response.read(_PIECE)):
            data += piece
    if len(data) > MAX_DOWNLOAD:
        raise DataError(f"{name}: more than {MAX_DOWNLOAD:,} bytes, the limit.")
    return bytes(data)


def _quoted(url: str) -> str:
    """The address with spaces and letters such as umlauts escaped, as a browser does."""
    parts = urlsplit(url)
    path, query = quote(parts.path, safe=_URL_SIGNS), quote(parts.query, safe=_URL_SIGNS)
    return urlunsplit(parts._replace(path=path, query=query))


@contextmanager
def web_response(
    url: str, headers: dict[str, str] | None = None, seconds: float | None = None
) -> Iterator[Any]:
    """The answer to a request, to be read within the block.

    ``seconds``: for all of it; None: as long as bytes keep coming. Raises ``DataError``.
    """
    route, (url, known) = _Route(), split_password(url)
    timer = Timer(seconds or 0, route.stop)
    timer.daemon = True
    try:
        if seconds is not None:
            timer.start()
        request = Request(_quoted(url), headers={"User-Agent": "nasion", **(headers or {})})
        if known:
            # Of this address alone: a redirect must not take it elsewhere.
            basic = b64encode(known.encode()).decode()
            request.add_unredirected_header("Authorization", f"Basic {basic}")
        with _opener(route).open(request, timeout=min(_WAIT, seconds or _WAIT)) as response:
            yield response
        if route.late:  # what was read may be cut off
            raise TimeoutError
    except (URLError, HTTPException, OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        reason = getattr(error, "reason", None) or error
        if route.late:
            reason = f"it took longer than {seconds:g} seconds, the limit"
        elif isinstance(reason, TimeoutError):
            reason = f"nothing came for {_WAIT:g} seconds"
        raise DataError(f"{url}: could not be downloaded ({reason}).") from error
    finally:
        timer.cancel()


class _Route:
    """The connections of one request: where the first one led, and the one that is open."""

    def __init__(self) -> None:
        self.late: bool = False
        self._was_public: bool | None = None
        self._socket: socket.socket | None = None

    def check(self, connected: socket.socket) -> None:
        """Take a connection. Raises ``OSError`` if a redirect has led into a private network."""
        # The address that was reached, so that a name cannot change its address after a check.
        address = connected.getpeername()[0]
        is_public = _is_public(address)
        if self._was_public is None:
            self._was_public = is_public
        if self._was_public and not is_public and os.environ.get(_ALLOW) != "1":
            raise OSError(
                f"a public address redirects to {address}, which is private; "
                f"{_ALLOW}=1 in the environment lets it"
            )
        self._socket = connected

    def stop(self) -> None:
        """End what is being waited for."""
        self.late = True
        if self._socket is not None:
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:  # closed already
                return


def _is_public(text: str) -> bool:
    address = ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_global


def _opener(route: _Route) -> OpenerDirector:
    """Without urllib's handlers of ftp, files and data, to which a redirect could lead."""

    class Plain(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            route.check(self.sock)

    class Secure(HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            route.check(self.sock)

    class PlainHandler(HTTPHandler):
        def http_open(self, req: Request) -> Any:
            return self.do_open(Plain, req)

    class SecureHandler(HTTPSHandler):
        def https_open(self, req: Request) -> Any:
            return self.do_open(Secure, req)

    opener = OpenerDirector()
    for handler in (
        ProxyHandler(),
        UnknownHandler(),
        PlainHandler(),
        SecureHandler(),
        HTTPDefaultErrorHandler(),
        _Redirects(),
        HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


class _Redirects(HTTPRedirectHandler):
    def redirect_request(  # type: ignore[override]
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        if urlsplit(newurl).scheme not in _SCHEMES:
            raise URLError(f"it redirects to {newurl}; only http and https are followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class WebFile:
    """A file of a web server that is read where it is needed, as PyAV reads videos.

    A server that sends no parts of files sends all of it first, at most ``MAX_DOWNLOAD`` bytes;
    where it does not say how long it is, as a live stream, it is read once from its beginning.
    """

    def __init__(self, url: str) -> None:
        self._url, self._name = url, split_password(url)[0]
        self._at = 0
        self._block: Any = None
        self._response: Any = None
        self._whole: IO[bytes] | None = None
        headers = self._open(0).headers
        length = headers.get("Content-Length", "")
        ranges = headers.get("Accept-Ranges", "") == "bytes"
        self._size = int(length) if length.isdecimal() else None
        if self._size is not None and not ranges:
            self._whole = self._copy(self._size)

    def seekable(self) -> bool:
        return self._size is not None

    def tell(self) -> int:
        return self._at

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes; none at the end. Raises ``DataError``."""
        if self._whole is not None:
            data = self._whole.read(size)
            self._at += len(data)
            return data
        if self._response is None and self._at >= (self._size or 0):
            return b""
        response = self._response or self._open(self._at)
        try:
            data = response.read1(size)
        except (HTTPException, OSError, ValueError) as error:
            raise DataError(f"{self._name}: the stream ended ({error}).") from error
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if self._size is None:
            raise OSError("This stream has no ranges.")
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if start + offset != self._at:
            self._end_response()
            self._at = start + offset
            if self._whole is not None:
                self._whole.seek(self._at)
        return self._at

    def close(self) -> None:
        self._end_response()
        if self._whole is not None:
            self._whole.close()

    def _copy(self, size: int) -> IO[bytes]:
        """All of the file on disk, from its beginning."""
        whole = TemporaryFile()  # noqa: SIM115 (it stays open until close)
        try:
            if size > MAX_DOWNLOAD:
                raise DataError(
                    f"{self._name}: {size:,} bytes from a server that sends no parts of files; "
                    f"the limit is {MAX_DOWNLOAD:,}; download it first."
                )
            while self._at < size and (piece := self.read(_PIECE)):
                whole.write(piece)
            if self._at < size:
                raise DataError(f"{self._name}: the download was cut off at {self._at:,} bytes.")
            whole.seek(0)
        except BaseException:
            whole.close()
            self._end_response()
            raise
        self._end_response()
        self._at = 0
        return whole

    def _end_response(self) -> None:
        if self._block is not None:
            self._block.__exit__(None, None, None)
        self._block = self._response = None

    def _open(self, at: int) -> Any:
        headers = {"Range": f"bytes={at}-"} if at else {}
        self._block = web_response(self._url, headers)
        self._response = self._block.__enter__()
        if at and self._response.status != 206:
            self._end_response()
            raise DataError(f"{self._name}: the server does not send parts of files.")
        return self._response
