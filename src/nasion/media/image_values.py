"""What a call may give as an image: files, contents, Pillow images and arrays, made uint8 pixels.

What is clear is converted, anything else is refused with the remedy, before a network sees it.
Channels are red, green, blue: OpenCV's images are blue first, which no array tells.
"""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from nasion.array_types import UInt8
from nasion.errors import DataError, refusing_damage
from nasion.media.addresses import is_url
from nasion.media.images import open_image, pillow_pixels
from nasion.media.sample_depth import to_uint8
from nasion.media.signatures import kind_of_contents

_NAME = "The image"
_CHANNELS = (1, 3, 4)
_LARGEST = 65535  # of whole numbers
_AS_UINT8 = "convert it to uint8, 0 to 255"


def pixels_of(image: Any, colour: bool) -> UInt8[np.ndarray, "H W ..."]:
    """uint8 (H, W) or (H, W, 3), upright. Raises ``DataError`` for what is no image.

    ``image``: a path or URL, a file's contents (also as a one-dimensional array) or an open file,
    a Pillow image, or an array (H, W[, 1, 3 or 4]). ``colour``: of files and Pillow images.
    """
    if isinstance(image, np.ndarray):
        return array_pixels(image, colour)
    if isinstance(image, str) and is_url(image):
        from nasion.media.downloads import download

        return open_image(download(image), colour, image)
    if isinstance(image, str) and image.startswith(("data:", "/9j/", "iVBORw0KGgo")):
        raise _refusal("base64 text; give the bytes that base64.b64decode makes of it")
    if image == "":
        raise _refusal("an empty text; give a path")
    if isinstance(image, str) and "://" in image:
        raise DataError(f"{image}: images are downloaded from http:// and https:// addresses only.")
    if isinstance(image, (str, os.PathLike)):
        return open_image(Path(image), colour)
    if isinstance(image, (bytes, bytearray, memoryview)):
        return open_image(bytes(image), colour)
    if hasattr(image, "getbands") and hasattr(image, "convert"):
        return pillow_pixels(image, colour, _NAME)
    if hasattr(image, "read"):
        return _open_file(image, colour)
    if hasattr(image, "__array__"):
        try:
            return array_pixels(np.asarray(image), colour)
        except (TypeError, RuntimeError) as error:
            # Tensors on an accelerator, or with a gradient.
            raise _refusal(
                f"a {type(image).__name__} that is no array ({error}); give "
                "image.detach().cpu().numpy()"
            ) from error
    kind = type(image).__name__
    if isinstance(image, (list, tuple)):
        raise _refusal(f"a {kind}; give its images one by one, or use Landmarker.each")
    raise _refusal(f"a {kind}; give a path, a URL, bytes, a Pillow image or an array")


def array_pixels(array: np.ndarray, colour: bool = True) -> UInt8[np.ndarray, "H W ..."]:
    """An array as uint8 (H, W) or (H, W, 3). Raises ``DataError`` unless its meaning is clear."""
    if array.dtype == np.uint8 and _is_encoded(array):
        return open_image(array.tobytes(), colour)
    if array.dtype.kind not in "biuf":
        raise _refusal(f"an array of {array.dtype}; {_AS_UINT8}")
    array = _two_dimensional(array)
    if not array.size:
        raise _refusal(f"{array.shape[1]} x {array.shape[0]} pixels, so it is empty")
    if array.dtype == np.uint8:
        pixels = array
    elif array.dtype == np.bool_:
        pixels = array.astype(np.uint8) * np.uint8(255)
    elif array.dtype.kind == "f":
        pixels = _from_floats(array)
    else:
        pixels = _from_whole_numbers(array)
    return _without_alpha(pixels) if pixels.shape[2:] == (4,) else pixels


def _is_encoded(array: np.ndarray) -> bool:
    """Whether an array is a file's contents: flat, or a column or row that begins as one."""
    if array.ndim == 2 and 1 in array.shape and array.size > 2:
        return kind_of_contents(array.reshape(-1)[:512].tobytes()) == "image"
    return array.ndim == 1


def _two_dimensional(array: np.ndarray) -> np.ndarray:
    """(H, W) or (H, W, 3 or 4); a single channel loses its axis."""
    shape = " x ".join(map(str, array.shape)) or "no dimension"
    if array.ndim == 3 and array.shape[-1] in _CHANNELS:
        return array[..., 0] if array.shape[-1] == 1 else array
    if array.ndim == 2:
        return array
    if array.ndim == 3 and array.shape[0] in _CHANNELS:
        raise _refusal(
            f"an array of {shape}, channels first; give np.moveaxis(image, 0, -1), "
            "height x width x channels"
        )
    if array.ndim == 4:
        raise _refusal(
            f"an array of {shape}, a batch; give its images one by one, as images[0], or use "
            "Landmarker.each"
        )
    raise _refusal(f"an array of {shape}; give height x width, or height x width x 3 (RGB)")


def _from_whole_numbers(array: np.ndarray) -> UInt8[np.ndarray, "H W ..."]:
    low, high = int(array.min()), int(array.max())
    if low < 0 or high > _LARGEST:
        raise _refusal(f"whole numbers from {low:,} to {high:,}; {_AS_UINT8}")
    return to_uint8(array.astype(np.uint16))


def _from_floats(array: np.ndarray) -> UInt8[np.ndarray, "H W ..."]:
    finite = np.isfinite(array)
    if not finite.all():
        at = tuple(np.argwhere(~finite)[0].tolist())
        raise _refusal(f"{array[at]} at index {at}; replace what is not finite")
    low, high = float(array.min()), float(array.max())
    if low < 0:
        raise _refusal(f"numbers from {low:g} to {high:g}; undo the normalisation and {_AS_UINT8}")
    if high <= 1:
        return np.rint(array.astype(np.float32) * 255).astype(np.uint8)
    # A hardly lit image of 0 to 255 and an HDR image of 0 to 1 that goes beyond look alike.
    if 16 < high <= 255:
        return np.rint(array).astype(np.uint8)
    raise _refusal(f"numbers from {low:g} to {high:g}, neither 0 to 1 nor 0 to 255; {_AS_UINT8}")


def _without_alpha(pixels: UInt8[np.ndarray, "H W 4"]) -> UInt8[np.ndarray, "H W 3"]:
    from PIL import Image

    return pillow_pixels(Image.fromarray(np.ascontiguousarray(pixels), "RGBA"), True, _NAME)


def _open_file(file: Any, colour: bool) -> UInt8[np.ndarray, "H W ..."]:
    with refusing_damage(_NAME, remedy="open it again, in binary mode ('rb')."):
        data = file.read()
    if not isinstance(data, bytes):
        raise _refusal("a file opened as text; open it in binary mode ('rb')")
    if not data and callable(getattr(file, "tell", None)) and file.tell():
        raise _refusal("an open file at its end; seek(0) first")
    return open_image(BytesIO(data).getvalue(), colour, getattr(file, "name", None) or None)


def _refusal(problem: str) -> DataError:
    return DataError(f"{_NAME} is {problem}.")
