"""Images opened in one place: EXIF rotation, transparency, 16 bits, limits of time and memory."""

from __future__ import annotations

import os
import stat
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from nasion.errors import DataError, reason_of
from nasion.media import sample_depth
from nasion.media.image_headers import FORMATS, FORMATS_TEXT, check_cost, file_contents
from nasion.media.signatures import guess_contents, is_heic

MAX_PIXELS = 100_000_000  # decoded, 300 MB in colour
_JPEG = ("JPEG", "MPO")  # the second is several of the first, as telephones write
# Photographs: 4 to 6 % more bytes than at zlib's usual level 6, in less than half the time.
_PNG_LEVEL = 4
_ORIENTATION, _FIRST_SIDEWAYS = 0x0112, 5  # the EXIF tag; from this value on an image lies sideways
_IMAGE_WIDTH = 256  # TIFF's tag
_LOOK = 64  # bytes that tell HEIC, and what is no image
_LONGEST = 300  # characters of a name that messages show
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
    from PIL import Image, ImageOps, UnidentifiedImageError

    name = name or (str(image) if isinstance(image, Path) else "The image")
    _require_contents(image, name)
    try:
        source = BytesIO(image) if isinstance(image, bytes) else image
        with identify(source) as file:
            # By the headers, before anything is decoded.
            check_cost(file, name, limit)
            if not colour and file.format in _JPEG and file.mode == "RGB":
                # A JPEG stores brightness separately; decoding it alone takes half the time.
                file.draft("L", file.size)
            memory = _decode_into_array(file) if not colour else None
            depth = sample_depth.prepare(file)

            def reopen() -> Any:
                # A file in memory has been read on.
                source = BytesIO(image) if isinstance(image, bytes) else image
                return identify(source)

            # Decoding happens here, inside the `try`: Image.open has only read the header.
            shallow = sample_depth.in_eight_bits(file, depth, reopen)
            # In place: otherwise an image without the tag is copied.
            ImageOps.exif_transpose(shallow, in_place=True)
            if memory is not None and shallow.im is memory[1]:
                return memory[0]
            return _to_array(shallow, "RGB" if colour else "L")
    except UnidentifiedImageError as error:
        kind = guess_contents(_head_of(image))
        seems = f" It seems to be {kind}." if kind else ""
        raise DataError(
            f"{name}: not a readable image; {FORMATS_TEXT} are known.{seems}"
        ) from error
    except Image.DecompressionBombError as error:  # by Pillow, before its size could be asked for
        raise DataError(f"{name}: too many pixels; the limit is {limit:,}.") from error
    # A DataError is an Exception too: it must not be wrapped by the next clause.
    except DataError as error:
        raise _named(name, error) from error.__cause__
    # Of any type: Pillow's readers meet damaged files with struct.error, KeyError, EOFError, ...
    except Exception as error:
        raise _unreadable(name, error) from error


def pillow_pixels(image: Any, colour: bool, name: str) -> np.ndarray:
    """A Pillow image as ``open_image`` gives a file: upright, in 8 bits, on white."""
    from PIL import ImageOps

    try:
        if not all(image.size):
            raise DataError(f"{name}: {image.width} x {image.height} pixels, so it is empty.")
        # Opened and not decoded yet, so all of the file is at hand, as its depth.
        if getattr(image, "tile", None) and getattr(image, "fp", None) and not image.tell():
            return open_image(file_contents(image), colour, name)
        upright = ImageOps.exif_transpose(image)
        shallow = sample_depth.in_eight_bits(upright, sample_depth.Depth(), lambda: None)
        return _to_array(shallow, "RGB" if colour else "L")
    except DataError:
        raise
    except Exception as error:
        raise _unreadable(name, error) from error


def identify(source: Path | BytesIO) -> Any:
    """An open Pillow file of a known format. Raises ``DataError`` if only HEIC's reader lacks."""
    from PIL import Image, UnidentifiedImageError

    try:
        file = Image.open(source, formats=FORMATS)
        if file.format == "TIFF":
            # With a name, Pillow maps plain TIFFs into memory; those that EXIF turns are garbled.
            file.filename = ""
        return file
    except UnidentifiedImageError:
        if not is_heic(_head_of(source)):
            raise
    try:
        import_module("pillow_heif").register_heif_opener()
    except ModuleNotFoundError as error:
        raise DataError(
            "HEIC needs a package that is not installed; install it with: "
            "pip install 'nasion[heic]'."
        ) from error
    return Image.open(source, formats=("HEIF",))


def _head_of(source: Path | BytesIO | bytes) -> bytes:
    if isinstance(source, Path):
        with source.open("rb") as file:
            return file.read(_LOOK)
    return (source if isinstance(source, bytes) else source.getvalue())[:_LOOK]


def _require_contents(image: Path | bytes, name: str) -> None:
    """Raise ``DataError`` for a file that is not there, not a file, or empty."""
    if isinstance(image, bytes):
        if not image:
            raise DataError(f"{name}: the file is empty.")
        return
    try:
        status = image.stat()
    except FileNotFoundError as error:
        raise DataError(f"{name}: no such file.") from error
    except (OSError, ValueError) as error:  # a name of thousands of characters, or with a NUL
        shown = name if len(name) <= _LONGEST else f"{name[:_LONGEST]}..."
        raise DataError(f"{shown}: no such file ({reason_of(error)}).") from error
    if stat.S_ISDIR(status.st_mode):
        try:
            os.scandir(image).close()
        except OSError as error:
            raise DataError(f"{name}: the folder cannot be opened ({reason_of(error)}).") from error
        raise DataError(f"{name}: a folder; name an image in it.")
    if not stat.S_ISREG(status.st_mode):
        raise DataError(f"{name}: a pipe or device; on the command line - reads standard input.")
    if not status.st_size:
        raise DataError(f"{name}: the file is empty.")


def _named(name: str, error: DataError) -> DataError:
    text = str(error)
    return error if text.startswith(name) else DataError(f"{name}: {text}")


def _unreadable(name: str, error: Exception) -> DataError:
    """The refusal of a file that Pillow failed to read."""
    if isinstance(error, PermissionError):
        return DataError(f"{name}: the file cannot be opened ({reason_of(error)}).")
    # Pillow's words; its number of bytes "not processed" is none that a user could look up.
    reason = "the file is cut off" if "truncated" in str(error).lower() else reason_of(error)
    return DataError(f"{name}: not a readable image ({reason}).")


def _to_array(image: Any, mode: str) -> np.ndarray:
    """The pixels of an 8-bit Pillow image on white, as ``mode``."""
    width, height = image.size
    rows = max(_STRIP_PIXELS // width, 1)
    if rows >= height:
        return np.asarray(_in_mode(_on_white(image), mode))
    pixels = np.empty((height, width, 3) if mode == "RGB" else (height, width), np.uint8)
    for top in range(0, height, rows):
        strip = image.crop((0, top, width, min(top + rows, height)))
        pixels[top : top + rows] = np.asarray(_in_mode(_on_white(strip), mode))
    return pixels


def _in_mode(image: Any, mode: str) -> Any:
    if image.mode == "LAB":  # which Pillow converts to RGB only
        image = image.convert("RGB")
    return image if image.mode == mode else image.convert(mode)


def _decode_into_array(file: Any) -> tuple[np.ndarray, Any] | None:
    """An array that an opened grey JPEG will be decoded into, and Pillow's view of it.

    A copy would take 0.3 ms for 640 x 480, most of it for memory that is new to the process.
    """
    from PIL import Image

    if file.format not in _JPEG or file.mode != "L":
        return None
    pixels = np.zeros((file.height, file.width), np.uint8)
    file.im = Image.frombuffer("L", file.size, pixels, "raw", "L", 0, 1).im
    return pixels, file.im


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
    if isinstance(image, np.ndarray):
        return image.shape[1], image.shape[0]
    try:
        with identify(image) as file:
            orientation, (width, height) = _as_stored(file)
            return (height, width) if orientation >= _FIRST_SIDEWAYS else (width, height)
    except DataError as error:
        raise _named(str(image), error) from error.__cause__
    except Exception as error:
        raise _unreadable(str(image), error) from error


def stored_orientation(path: Path) -> tuple[int, tuple[int, int]]:
    """(EXIF orientation 1 to 8, size as stored) of a file; 1 and no size if it cannot be read."""
    try:
        with identify(path) as file:
            return _as_stored(file)
    # Of any type, as in `open_image`; whoever needs the image says what is wrong with it.
    except Exception:
        return 1, (0, 0)


def _as_stored(file: Any) -> tuple[int, tuple[int, int]]:
    """(EXIF orientation 1 to 8, size as stored) of an opened Pillow file."""
    orientation = file.getexif().get(_ORIENTATION, 1)
    orientation = orientation if orientation in range(1, 9) else 1
    # Pillow has the size of a TIFF as it is turned, where it turns it on decoding.
    is_stored = getattr(file, "tag_v2", {}).get(_IMAGE_WIDTH, file.width) == file.width
    return orientation, file.size if is_stored else (file.height, file.width)


def as_pixels(image: Path | np.ndarray, colour: bool) -> np.ndarray:
    """The pixels of a file or an array."""
    return open_image(image, colour) if isinstance(image, Path) else np.asarray(image)


def png_bytes(pixels: np.ndarray, comment: str = "") -> bytes:
    """An image as a PNG file's contents, with this comment in its head."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    buffer, texts = BytesIO(), PngInfo()
    texts.add_text("Comment", comment)
    Image.fromarray(pixels).save(buffer, "PNG", pnginfo=texts, compress_level=_PNG_LEVEL)
    return buffer.getvalue()


def jpeg_bytes(
    pixels: np.ndarray, comment: str = "", quality: int = 92, subsampling: int = -1
) -> bytes:
    """An image as a JPEG file's contents, with this comment in its head.

    ``quality``, ``subsampling`` (of colour; -1: as usual): as of Pillow.
    """
    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(pixels).save(
        buffer, "JPEG", quality=quality, subsampling=subsampling, comment=comment.encode()
    )
    return buffer.getvalue()
