"""JPEG's loss on whole batches: what a round trip through a file does to pixels, without a file.

The baseline transform of ITU-T T.81 as libjpeg runs it by default: YCbCr with chroma at half
resolution, cosine transform of 8 x 8 blocks, division by the quality's tables, rounding. For NumPy
arrays and PyTorch tensors on any device; close to Pillow to about a grey level.
"""

from __future__ import annotations

import numpy as np

from nasion.array_types import Float32, Float64, Int64
from nasion.arrays import Array, array_namespace, like, on_device_of

_BLOCK = 8  # pixels
_LUMA = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)  # T.81, table K.1
_CHROMA = np.full((_BLOCK, _BLOCK), 99)
_CHROMA[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]  # K.2
# JFIF: rows are Y, Cb, Cr of R, G, B.
_TO_YCC = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]
)


def jpeg_round_trip(
    images: Float32[Array, "B C H W"], quality: Int64[np.ndarray, " B"]
) -> Float32[Array, "B C H W"]:
    """Grey or RGB images of 0 .. 255 after JPEG compression; ``quality``: 1 to 100, per image."""
    xp = array_namespace(images)
    images = xp.round(images)
    if images.shape[1] == 1:
        return _code(images, _table(_LUMA, quality))
    to_ycc = like(_TO_YCC, images)
    ycc = _mix(images, to_ycc)
    luma = _code(ycc[:, :1], _table(_LUMA, quality))
    # Chroma is centred at 128 in a file, which is what `_code` expects.
    chroma = _code(_halve(ycc[:, 1:] + 128), _table(_CHROMA, quality))
    height, width = images.shape[2:]
    chroma = _double(chroma)[:, :, :height, :width] - 128
    rgb = _mix(xp.concatenate([luma, chroma], 1), like(np.linalg.inv(_TO_YCC), images))
    return xp.clip(xp.round(rgb), 0, 255)


def _table(base: Int64[np.ndarray, "8 8"], quality: Int64[np.ndarray, " B"]) -> np.ndarray:
    """The divisors of each image, (B, 1, 1, 8, 1, 8), by libjpeg's scaling."""
    scale = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    divisors = np.clip((base * scale[:, None, None] + 50) // 100, 1, 255)
    return divisors[:, None, None, :, None, :]


def _cosines() -> Float64[np.ndarray, "8 8"]:
    """The orthonormal cosine transform: row k is the k-th frequency."""
    k, n = np.arange(_BLOCK)[:, None], np.arange(_BLOCK)
    rows = np.cos(np.pi * (2 * n + 1) * k / (2 * _BLOCK)) * np.sqrt(2 / _BLOCK)
    rows[0] /= np.sqrt(2)
    return rows


def _code(channels: Float32[Array, "B C H W"], divisors: np.ndarray) -> Float32[Array, "B C H W"]:
    """Transform, quantise and transform back; values stay 0 .. 255."""
    xp, (count, depth, height, width) = array_namespace(channels), channels.shape
    # Whole blocks, the last row and column repeated, as libjpeg fills them.
    whole = [-(-side // _BLOCK) * _BLOCK for side in (height, width)]
    padded = _rows_and_columns(channels, *(np.arange(side) for side in whole))
    shape = (count, depth, whole[0] // _BLOCK, _BLOCK, whole[1] // _BLOCK, _BLOCK)
    blocks = padded.reshape(shape) - 128
    cosines, divisors = like(_cosines(), channels), like(divisors, channels)
    # The last axis by a product from the right; axis 3 by swapping it there and back.
    across = blocks @ cosines.T
    frequencies = (across.swapaxes(3, 5) @ cosines.T).swapaxes(3, 5)
    frequencies = xp.round(frequencies / divisors) * divisors
    down = (frequencies.swapaxes(3, 5) @ cosines).swapaxes(3, 5)
    decoded = (down @ cosines).reshape(count, depth, *whole) + 128
    return xp.clip(xp.round(decoded), 0, 255)[:, :, :height, :width]


def _mix(images: Float32[Array, "B 3 H W"], matrix: Float32[Array, "3 3"]) -> Array:
    """A linear map of the channels of every pixel."""
    count, depth, height, width = images.shape
    return (matrix @ images.reshape(count, depth, -1)).reshape(count, depth, height, width)


def _halve(channels: Float32[Array, "B C H W"]) -> Float32[Array, "B C h w"]:
    """The mean of 2 x 2 pixels; an odd last row or column is repeated."""
    even = [-(-side // 2) * 2 for side in channels.shape[2:]]
    padded = _rows_and_columns(channels, *(np.arange(side) for side in even))
    pairs = padded.reshape(*channels.shape[:2], even[0] // 2, 2, even[1] // 2, 2)
    return pairs.mean((3, 5))


def _double(channels: Float32[Array, "B C h w"]) -> Float32[Array, "B C H W"]:
    """Twice the size by libjpeg's triangle filter: 3/4 of the nearer pixel, 1/4 of the next."""
    height, width = channels.shape[2:]
    for axis, side in ((2, height), (3, width)):
        near, step = np.arange(2 * side) // 2, np.arange(2 * side) % 2 * 2 - 1
        lines = [np.arange(length) for length in channels.shape[2:]]
        places = [list(lines), list(lines)]
        places[0][axis - 2], places[1][axis - 2] = near, near + step
        channels = 0.75 * _rows_and_columns(channels, *places[0]) + 0.25 * _rows_and_columns(
            channels, *places[1]
        )
    return channels


def _rows_and_columns(
    channels: Float32[Array, "B C H W"], rows: np.ndarray, columns: np.ndarray
) -> Array:
    """These rows and columns; beyond the edge the edge is repeated."""
    height, width = channels.shape[2:]
    rows, columns = np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)
    return channels[:, :, on_device_of(rows, channels)][..., on_device_of(columns, channels)]
