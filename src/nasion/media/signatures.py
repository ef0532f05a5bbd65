"""What a file is: by its name's suffix, and by its first bytes where the suffix does not tell."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

Kind = Literal["image", "video", ""]
IMAGE_SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".apng",
    ".avif", ".heic", ".heif", ".jp2", ".j2k", ".tga", ".ico", ".ppm", ".pgm",
)  # fmt: skip
VIDEO_SUFFIXES = (
    ".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".ts", ".mts",
    ".m2ts", ".flv", ".3gp", ".3g2", ".ogv", ".vob",
)  # fmt: skip
# TypeScript, and files of points (IMM's), have these suffixes too: in folders their contents tell.
_SHARED = (".ts", ".mts")
_LOOK = 512  # bytes
# How the formats of image_headers.FORMATS begin. TGA has no signature.
_IMAGES = (
    b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*", b"II+\0",
    b"MM\0+", b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51",
)  # fmt: skip
_HEIC = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
_VIDEOS = (
    b"\x1a\x45\xdf\xa3",  # Matroska and WebM
    b"\0\0\x01\xba", b"\0\0\x01\xb3",  # MPEG
    b"OggS", b"FLV\x01",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # ASF and WMV
)  # fmt: skip
# What is often found under an image's name.
_OTHERS = {
    b"<!doctype html": "a web page", b"<html": "a web page", b"<svg": "SVG", b"<?xml": "XML",
    b"%pdf": "PDF", b"%!ps": "PostScript", b"pk\x03\x04": "a zip", b"\x1f\x8b": "gzip",
    b"data:": "a data URL; decode its base64 first", b"/9j/": "base64 text; decode it first",
    b"ivborw0kggo": "base64 text; decode it first",
    b"version https://git-lfs": "a Git LFS pointer",
}  # fmt: skip
_TRANSPORT_STREAMS = ((0, 188), (4, 192))  # where MPEG packets begin, and their length
_BITMAP_HEADERS = (12, 40, 52, 56, 64, 108, 124)  # bytes


def kind_of(path: Path, trust_suffix: bool = True) -> Kind:
    """Whether a file is an image or a video; empty if it is neither, or cannot be read.

    ``trust_suffix``: a suffix that says so is enough, unless other kinds of file have it too.
    """
    suffix = path.suffix.lower()
    if suffix not in _SHARED or trust_suffix:
        if suffix in IMAGE_SUFFIXES:
            return "image"
        if suffix in VIDEO_SUFFIXES:
            return "video"
    try:
        with path.open("rb") as file:
            return kind_of_contents(file.read(_LOOK))
    except OSError:
        return ""


def kind_of_contents(head: bytes) -> Kind:
    """What a file is that begins with these bytes."""
    if head.startswith(_IMAGES) or _is_bitmap(head) or is_heic(head):
        return "image"
    if (head[:4], head[8:12]) == (b"RIFF", b"WEBP") or _is_ftyp(head, (b"avif", b"avis")):
        return "image"
    if head[:3] in (b"P5\n", b"P6\n") or (head[:4] == b"\0\0\1\0" and 0 < sum(head[4:6]) < 64):
        return "image"
    if head.startswith(_VIDEOS) or (head[:4], head[8:12]) == (b"RIFF", b"AVI "):
        return "video"
    if head[4:8] in (b"ftyp", b"moov", b"wide") or _is_transport_stream(head):
        return "video"
    return ""


def guess_contents(head: bytes) -> str:
    """What a file is that begins with these bytes but is no readable image; empty if unknown."""
    if kind := kind_of_contents(head):
        return "a video" if kind == "video" else "damaged, or a variety that is not read"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for beginning, what in _OTHERS.items():
        if text.startswith(beginning):
            return what
    return "text" if text.isascii() and text.strip().decode().isprintable() else ""


def is_heic(head: bytes) -> bool:
    """Whether a file that begins with these bytes is HEIC (HEIF), as phones take."""
    return _is_ftyp(head, _HEIC)


def _is_ftyp(head: bytes, brands: tuple[bytes, ...]) -> bool:
    return head[4:8] == b"ftyp" and head[8:12] in brands


def _is_bitmap(head: bytes) -> bool:
    return head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BITMAP_HEADERS


def _is_transport_stream(head: bytes) -> bool:
    # Three packets in a row: one letter G (0x47) is found in any text.
    return any(
        head[start : start + 2 * length + 1 : length] == b"GGG"
        for start, length in _TRANSPORT_STREAMS
    )
