"""Images opened in one place: EXIF rotation, transparency, 16 bits, size limits."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from nasion.errors import DataError

MAX_PIXELS = 100_000_000  # decoded, 300 MB in colour
_ORIENTATION, _FIRST_SIDEWAYS = 0x0112, 5  # the EXIF tag; from this value on an image lies sideways


def open_image(
    image: Path | bytes, colour: bool, name: str | None = None, limit: int = MAX_PIXELS
) -> np.ndarray:
    """An image as uint8 (H, W) or (H, W, 3), upright as its EXIF tag says.

    ``image``: a file, or a file's contents; of several images in one file the first is taken.
    Transparent pixels become white. ``name``: what errors call it. Raises ``DataError`` if it is
    unreadable or has more pixels than ``limit``.
    """
    from PIL import Image, UnidentifiedImageError

    name = name or (str(image) if isinstance(image, Path) else "The image")
    if isinstance(image, Path) and not image.is_file():
        raise DataError(f"{name}: no such file.")
    if image == b"" or (isinstance(image, Path) and not image.stat().st_size):
        raise DataError(f"{name}: the file is empty.")
    try:
        with Image.open(BytesIO(image) if isinstance(image, bytes) else image) as file:
            # Checked by the header, before anything is decoded.
            if file.width * file.height > limit:
                raise DataError(
                    f"{name}: {file.width} x {file.height} pixels; the limit is {limit:,}."
                )
            if not colour and file.format == "JPEG" and file.mode == "RGB":
                # A JPEG stores brightness separately; decoding it alone takes half the time.
                file.draft("L", file.size)
            # Decoding happens here, inside the `try`: Image.open has only read the header.
            return np.asarray(_upright(file, name).convert("RGB" if colour else "L"))
    except UnidentifiedImageError as error:
        raise DataError(
            f"{name}: not a readable image; JPEG, PNG, WebP, TIFF, BMP, GIF and AVIF are known."
        ) from error
    # A DataError is a ValueError too: it must not be wrapped by the next clause.
    except DataError:
        raise
    # Pillow's readers raise nearly anything for damaged files, SyntaxError and struct.error too.
    except Exception as error:
        raise DataError(f"{name}: not a readable image ({error}).") from error


def _upright(file: Any, name: str) -> Any:
    """The Pillow image after EXIF rotation, in 8 bits, on white."""
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(file)
    if image.mode.startswith("I;16"):
        # Pillow would clip 16 bits to 8, all to white; the upper 8 bits are the image.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise DataError(
            f"{name}: pixels of mode {image.mode} have no known range; save it with 8 or 16 bits."
        )
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return image


def image_problem(path: Path) -> str:
    """Why an image file cannot be decoded, with its name; empty if it can."""
    try:
        open_image(path, colour=False)
    except DataError as error:
        return str(error)
    return ""


def image_size(image: Path | np.ndarray) -> tuple[int, int]:
    """(width, height) of an array, or of a file as ``open_image`` turns it, from its header."""
    from PIL import Image

    if isinstance(image, np.ndarray):
        return image.shape[1], image.shape[0]
    try:
        with Image.open(image) as file:
            sideways = file.getexif().get(_ORIENTATION, 1) >= _FIRST_SIDEWAYS
            return (file.height, file.width) if sideways else file.size
    except Exception as error:  # as in open_image
        raise DataError(f"{image}: not a readable image ({error}).") from error


def as_pixels(image: Path | np.ndarray, colour: bool) -> np.ndarray:
    """The pixels of a file or an array."""
    return open_image(image, colour) if isinstance(image, Path) else np.asarray(image)


def jpeg_bytes(pixels: np.ndarray) -> bytes:
    """An image as a JPEG file's contents."""
    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()
