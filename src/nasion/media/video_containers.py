"""Videos opened with PyAV: files, their contents, streams and cameras.

FFmpeg knows formats that are lists of other files or addresses (ffconcat, m3u8, DASH, SDP). A video
must not make this machine open what it names, so only ``FORMATS`` are read, which hold their frames
themselves, and only by way of what was named.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasion.errors import DataError, requires_extra
from nasion.media.addresses import is_url
from nasion.media.signatures import IMAGE_SUFFIXES, kind_of_contents

if TYPE_CHECKING:
    from nasion.media.downloads import WebFile

# FFmpeg's names of the formats that are opened.
FORMATS = (
    "mov", "matroska", "avi", "mpeg", "mpegts", "mpegvideo", "asf", "flv", "ogg", "m4v", "h264",
    "hevc", "mjpeg", "mpjpeg", "mxf", "dv", "ivf", "nut", "rm",
)  # fmt: skip
FORMATS_TEXT = "MP4 and MOV, Matroska and WebM, AVI, MPEG, ASF and WMV, FLV, Ogg, MJPEG and MXF"
_RTSP_PROTOCOLS = "rtsp,tcp,udp,rtp,tls,crypto"
_OPEN_SECONDS, _READ_SECONDS = 20.0, 20.0  # for a stream to begin, and for its next packet
_LOOK = 512  # bytes that tell what a file is
_CUT = " If it was cut off, its index is missing."  # MP4 and MOV have it at their end
_FILES_ALONE = {"protocol_whitelist": "file"}
_NO_OTHERS = {"protocol_whitelist": "none"}


def load_av() -> Any:
    """PyAV. Raises ``MissingExtra``."""
    with requires_extra("Reading videos and cameras", "video"):
        return import_module("av")


@contextmanager
def open_container(source: Path | bytes | str | int, name: str) -> Iterator[Any]:
    """A container of PyAV. ``source``: a file, a file's contents, a URL, or a camera's number.

    Raises ``DataError`` for what cannot be opened.
    """
    av = load_av()
    try:
        opened = _open(av, source)
    except DataError:
        raise
    except PermissionError as error:
        raise DataError(f"{name}: the file cannot be opened ({error.strerror}).") from error
    except Exception as error:  # FFmpeg's errors, and any of a damaged header
        raise DataError(f"{name}: {_refusal(av, source, error)}") from error
    with opened as container:
        yield container


def _refusal(av: Any, source: Path | bytes | str | int, error: Exception) -> str:
    """Why a source cannot be opened as a video."""
    head = _head_of(source)
    if head == b"":
        return "the file is empty."
    if head is not None and kind_of_contents(head) == "image":
        named = isinstance(source, Path) and source.suffix.lower() not in IMAGE_SUFFIXES
        advice = "give it a suffix such as .png" if named else "open it as one"
        return f"not a readable video. It seems to be an image; {advice}."
    reason = getattr(error, "strerror", None) or error or type(error).__name__
    if head is not None and head[4:8] == b"ftyp":
        return f"not a readable video ({reason}).{_CUT}"
    # A format that is not in the list, or none at all.
    if isinstance(error, (av.error.ArgumentError, av.error.InvalidDataError)):
        return (
            f"not a readable video; {FORMATS_TEXT} are known. Lists of other files, as playlists, "
            "are not opened; name the files themselves."
        )
    return f"not a readable video ({reason})."


def _head_of(source: Path | bytes | str | int) -> bytes | None:
    """The first bytes of a file; None if the source is no file, or cannot be read."""
    if isinstance(source, bytes):
        return source[:_LOOK]
    if not isinstance(source, Path):
        return None
    try:
        with source.open("rb") as file:
            return file.read(_LOOK)
    except OSError:
        return None


@contextmanager
def _closing_both(container: Any, file: WebFile) -> Iterator[Any]:
    with closing(file), container:
        yield container


def _open(av: Any, source: Path | bytes | str | int) -> Any:
    known = {"format_whitelist": ",".join(FORMATS)}
    if isinstance(source, int):
        return _open_camera(av, source)
    if isinstance(source, Path):
        # Absolute, so that no name looks like a protocol's.
        return av.open(str(source.absolute()), options=known | _FILES_ALONE)
    if isinstance(source, bytes):
        return av.open(BytesIO(source), options=known | _NO_OTHERS)
    if is_url(source):
        from nasion.media.downloads import WebFile

        file = WebFile(source)
        try:
            return _closing_both(av.open(file, options=known | _NO_OTHERS), file)
        except BaseException:
            file.close()
            raise
    # TCP: packets of UDP are lost, and blocked by many networks.
    options = {
        "format_whitelist": "rtsp,rtp,sdp,mpegts",
        "protocol_whitelist": _RTSP_PROTOCOLS,
        "rtsp_transport": "tcp",
    }
    return av.open(source, options=options, timeout=(_OPEN_SECONDS, _READ_SECONDS))


def _open_camera(av: Any, number: int) -> Any:
    if sys.platform == "linux":
        devices = sorted(str(path) for path in Path("/dev").glob("video*"))
        if f"/dev/video{number}" not in devices:
            found = ", ".join(devices) or "none"
            raise DataError(f"camera {number}: there is no /dev/video{number}; cameras: {found}.")
        return av.open(f"/dev/video{number}", format="v4l2")
    if sys.platform == "darwin":
        return av.open(str(number), format="avfoundation", options={"framerate": "30"})
    return av.open(f"video={number}", format="dshow")
