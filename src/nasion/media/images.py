"""Images opened in one place: EXIF rotation, transparency, 16 bits, limits of time and memory."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from nasion.errors import DataError, reason_of
from nasion.media.image_headers import FORMATS, FORMATS_TEXT, check_cost

MAX_PIXELS = 100_000_000  # decoded, 300 MB in colour
_ORIENTATION, _FIRST_SIDEWAYS = 0x0112, 5  # the EXIF tag; from this value on an image lies sideways
_STRIP_PIXELS = 1 << 20  # that are converted at once, so that large images are not held twice


def open_image(
    image: Path | bytes, colour: bool, name: str | None = None, limit: int = MAX_PIXELS
) -> np.ndarray:
    """An image as uint8 (H, W) or (H, W, 3), upright as its EXIF tag says.

    ``image``: a file, or a file's contents; of several images in one file the first is taken.
    Transparent pixels become white. ``name``: what errors call it. Raises ``DataError`` if it is
    unreadable, has more pixels than ``limit``, decodes to more bytes than that many pixels in
    colour, or is a JPEG of more than ``MAX_SCANS`` scans.
    """
    from PIL import Image, UnidentifiedImageError

    name = name or (str(image) if isinstance(image, Path) else "The image")
    _require_contents(image, name)
    try:
        source = BytesIO(image) if isinstance(image, bytes) else image
        with Image.open(source, formats=FORMATS) as file:
            # By the headers, before anything is decoded.
            check_cost(file, name, limit)
            if not colour and file.format == "JPEG" and file.mode == "RGB":
                # A JPEG stores brightness separately; decoding it alone takes half the time.
                file.draft("L", file.size)
            # Decoding happens here, inside the `try`: Image.open has only read the header.
            return _to_array(_upright(file, name), "RGB" if colour else "L")
    except UnidentifiedImageError as error:
        raise DataError(f"{name}: not a readable image; {FORMATS_TEXT} are known.") from error
    # A DataError is an Exception too: it must not be wrapped by the next clause.
    except DataError:
        raise
    # Of any type: Pillow's readers meet damaged files with struct.error, KeyError, EOFError, ...
    except Exception as error:
        raise _unreadable(name, error) from error


def _require_contents(image: Path | bytes, name: str) -> None:
    """Raise ``DataError`` for a file that is not there or empty."""
    if isinstance(image, Path) and not image.is_file():
        raise DataError(f"{name}: no such file.")
    if image == b"" or (isinstance(image, Path) and not image.stat().st_size):
        raise DataError(f"{name}: the file is empty.")


def _unreadable(name: str, error: Exception) -> DataError:
    """The refusal of a file that Pillow failed to read."""
    return DataError(f"{name}: not a readable image ({reason_of(error)}).")


def _upright(file: Any, name: str) -> Any:
    """The Pillow image after EXIF rotation, in 8 bits."""
    from PIL import Image, ImageOps

    # In place: otherwise an image without the tag is copied.
    ImageOps.exif_transpose(file, in_place=True)
    if file.mode.startswith("I;16"):
        # Pillow would clip 16 bits to 8, all to white; the upper 8 bits are the image.
        return Image.fromarray((np.asarray(file) >> 8).astype(np.uint8))
    if file.mode in ("I", "F"):
        raise DataError(
            f"{name}: pixels of mode {file.mode} have no known range; save it with 8 or 16 bits."
        )
    return file


def _to_array(image: Any, mode: str) -> np.ndarray:
    """The pixels of an 8-bit Pillow image on white, as ``mode``."""
    width, height = image.size
    rows = max(_STRIP_PIXELS // width, 1)
    if rows >= height:
        return np.asarray(_on_white(image).convert(mode))
    pixels = np.empty((height, width, 3) if mode == "RGB" else (height, width), np.uint8)
    for top in range(0, height, rows):
        strip = image.crop((0, top, width, min(top + rows, height)))
        pixels[top : top + rows] = np.asarray(_on_white(strip).convert(mode))
    return pixels


def _on_white(image: Any) -> Any:
    """The Pillow image with its transparent pixels on white."""
    from PIL import Image

    if not image.has_transparency_data:
        return image
    rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)


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
        with Image.open(image, formats=FORMATS) as file:
            sideways = file.getexif().get(_ORIENTATION, 1) >= _FIRST_SIDEWAYS
            return (file.height, file.width) if sideways else file.size
    except Exception as error:
        raise _unreadable(str(image), error) from error


def stored_orientation(path: Path) -> tuple[int, tuple[int, int]]:
    """(EXIF orientation 1 to 8, size as stored) of a file; 1 and no size if it cannot be read."""
    from PIL import Image

    try:
        with Image.open(path, formats=FORMATS) as file:
            orientation = file.getexif().get(_ORIENTATION, 1)
            return (orientation if orientation in range(1, 9) else 1), file.size
    # Of any type, as in `open_image`; whoever needs the image says what is wrong with it.
    except Exception:
        return 1, (0, 0)


def as_pixels(image: Path | np.ndarray, colour: bool) -> np.ndarray:
    """The pixels of a file or an array."""
    return open_image(image, colour) if isinstance(image, Path) else np.asarray(image)


def jpeg_bytes(pixels: np.ndarray, comment: str = "") -> bytes:
    """An image as a JPEG file's contents, with this comment in its head."""
    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=92, comment=comment.encode())
    return buffer.getvalue()
