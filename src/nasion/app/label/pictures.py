"""Images for the browser: their own bytes where it shows them as nasion reads them, else PNG."""

from __future__ import annotations

from hashlib import blake2b
from io import BytesIO
from pathlib import Path

import numpy as np

from nasion.landmarks.faces import Image
from nasion.media.images import identify, open_image

_AS_THEY_ARE = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
_PLAIN_MODES = ("L", "RGB", "P", "1")
_ORIENTATION = 0x0112  # the EXIF tag
_QUICK = 1  # zlib's level: an image is shown at once, and goes no further than this machine


def etag(image: Image) -> str:
    """A mark that changes with the image. Raises ``OSError`` if its file is not there."""
    digest = blake2b(digest_size=12)
    if isinstance(image, Path):
        status = image.stat()
        digest.update(f"{image}\0{status.st_mtime_ns}\0{status.st_size}".encode(errors="replace"))
    else:
        digest.update(np.ascontiguousarray(image).tobytes())
    return f'"{digest.hexdigest()}"'


def for_browser(image: Image) -> tuple[bytes, str]:
    """(contents, media type) of an image, upright. Raises ``DataError`` for an unreadable one."""
    if not isinstance(image, Path):
        return _png(np.asarray(image)), "image/png"
    media_type = _own_type(image)
    if media_type:
        return image.read_bytes(), media_type
    return _png(open_image(image, colour=True)), "image/png"


def _own_type(path: Path) -> str:
    """The media type of a file that browsers show as ``open_image`` reads it; empty if not so."""
    try:
        with identify(path) as file:
            kind, mode = file.format or "", file.mode
            plain = mode in _PLAIN_MODES and not file.has_transparency_data
            # Browsers turn JPEGs by their EXIF tag, and other formats not all alike.
            turned = kind != "JPEG" and file.getexif().get(_ORIENTATION, 1) != 1
            several = getattr(file, "n_frames", 1) > 1
    # Of any type, as in `open_image`, which says what is wrong.
    except Exception:
        return ""
    return _AS_THEY_ARE.get(kind, "") if plain and not turned and not several else ""


def _png(pixels: np.ndarray) -> bytes:
    from PIL import Image as Pillow

    buffer = BytesIO()
    Pillow.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG", compress_level=_QUICK)
    return buffer.getvalue()
