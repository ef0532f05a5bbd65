"""Aligned crops of faces, with the map back to the image."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from nasion.array_types import Bool, Float32, Float64, Int64, UInt8
from nasion.errors import require
from nasion.landmarks import geometry
from nasion.landmarks.alignment import CropFrame
from nasion.landmarks.face import Face
from nasion.media.image_values import array_pixels, pixels_of

if TYPE_CHECKING:
    from PIL import Image

    ImageLike = str | os.PathLike[str] | bytes | BinaryIO | np.ndarray | Image.Image

PADDINGS = ("black", "edge", "reflect", "blur")
_PADDING_OF = {"ffhq": "reflect"}  # other templates: black
_SHRINKS = 1.2  # source pixels per crop pixel from which a cubic filter alone would alias
_BEYOND = 4  # pixels that the cubic filter reads beyond a crop
_BLUR = 0.02  # of the crop's side: the filter's radius
_FADE = 0.12  # of the crop's side: from so far outside of the image on, all is blurred


@dataclass(frozen=True, eq=False)
class AlignedCrop:
    """A square crop of one face.

    ``pixels``: uint8 (S, S, 3) RGB. ``to_crop``: 2x3, from the image's pixels to the crop's:
    ``[x', y'] = M[:, :2] @ [x, y] + M[:, 2]``, pixel centres at integers. ``face``: the face with
    its points, box and expected errors in pixels of the crop. ``inside``: the share of the crop
    that the image covers.
    """

    pixels: UInt8[np.ndarray, "S S 3"]
    to_crop: Float64[np.ndarray, "2 3"]
    face: Face
    frame: CropFrame
    padding: str
    inside: float

    @property
    def to_source(self) -> Float64[np.ndarray, "2 3"]:
        """2x3, from the crop's pixels to the image's."""
        return geometry.invert(self.to_crop)


def aligned_crop(
    image: ImageLike,
    face: Face,
    template: str = "arcface",
    size: int | None = None,
    margin: float = 0.0,
    padding: str | None = None,
) -> AlignedCrop:
    """Cut out one face, rotated and scaled so that its points lie where the template has them.

    ``image``: as for ``Landmarker``. ``template``: ``arcface`` (five points in 112 x 112 pixels, as
    face recognition networks expect them), ``ffhq`` (a square around eyes and mouth, 1024 pixels),
    or the name of a scheme, whose mean shape fills the square (256 pixels). ``size``: the side in
    pixels instead. ``margin``: more around the face, on each side, as a share of the template's
    side. ``padding``: beyond the image ``black`` (the default), ``edge`` (repeated), ``reflect``
    (the default of ``ffhq``) or ``blur`` (reflected and blurred). Hidden points count unless they
    are NaN (``Face.without_hidden``). Raises ``SettingError`` for unknown settings or a scheme
    without the points that a template needs, ``DataError`` for an unreadable image, or if too many
    points are missing.
    """
    frame = CropFrame(template, size, margin)
    pixels = image if isinstance(image, np.ndarray) else pixels_of(image, colour=True)
    return crop_with(array_pixels(pixels), face, frame, padding)


def crop_with(
    pixels: UInt8[np.ndarray, "H W ..."], face: Face, frame: CropFrame, padding: str | None = None
) -> AlignedCrop:
    """The same with a frame that was checked before."""
    padding = padding or default_padding(frame.template)
    check_padding(padding)
    colour = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
    to_crop = frame.map_for(face.points, face.scheme, face.scores)
    cut, inside = _resample(colour, geometry.invert(to_crop), frame.side, padding)
    return AlignedCrop(
        pixels=cut,
        to_crop=to_crop,
        face=_moved(face, to_crop),
        frame=frame,
        padding=padding,
        inside=float(inside.mean()),
    )


def default_padding(template: str) -> str:
    """What is beyond the image, if nothing else is asked for."""
    return _PADDING_OF.get(template, "black")


def check_padding(padding: str) -> None:
    """Raise ``SettingError`` unless it is one of ``PADDINGS``."""
    require(padding in PADDINGS, f"No padding {padding!r}; there are {', '.join(PADDINGS)}.")


def _moved(face: Face, to_crop: Float64[np.ndarray, "2 3"]) -> Face:
    points = geometry.apply(to_crop, face.points)
    box = geometry.points_box(points)
    if not np.isfinite(box).all():
        box = geometry.points_box(geometry.apply(to_crop, _corners(face.box)))
    expected = None
    if face.expected is not None:
        expected = (face.expected * _scale_of(to_crop)).astype(np.float32)
    return replace(
        face, points=points.astype(np.float32), box=box.astype(np.float32), expected=expected
    )


def _scale_of(single: Float64[np.ndarray, "2 3"]) -> float:
    return float(geometry.map_scale(single[None])[0])


def _corners(box: Float32[np.ndarray, 4] | Float64[np.ndarray, 4]) -> Float64[np.ndarray, "4 2"]:
    x0, y0, x1, y1 = np.asarray(box, dtype=np.float64)
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])


def _resample(
    pixels: UInt8[np.ndarray, "H W 3"],
    to_source: Float64[np.ndarray, "2 3"],
    side: int,
    padding: str,
) -> tuple[UInt8[np.ndarray, "S S 3"], Bool[np.ndarray, "S S"]]:
    """The crop, and which of its pixels lie in the image. Shrinking averages pixels."""
    from PIL import Image

    factor = int(_scale_of(to_source))
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if factor > 1:
        # Whole blocks are averaged first; what is left shrinks by less than two.
        image = image.reduce(factor)
        blocks = geometry.box_to_frame(np.array([-0.5, -0.5, factor - 0.5, factor - 0.5]), (1, 1))
        to_source = geometry.compose(to_source, blocks)
    fine = 2 if _scale_of(to_source) > _SHRINKS else 1
    size = side * fine
    frame = geometry.box_to_frame(geometry.image_box(size, size), (side, side))
    fine_to_source = geometry.compose(frame, to_source)
    (origin, part), there = _padded_patch(np.asarray(image), fine_to_source, size, padding)
    # Pillow counts from the corner of the first pixel.
    linear = fine_to_source[:, :2]
    offset = fine_to_source[:, 2] - origin + 0.5 - linear @ np.array([0.5, 0.5])
    data = (*linear[0], offset[0], *linear[1], offset[1])

    def warped(channel: UInt8[np.ndarray, "h w"], kind: Image.Resampling) -> np.ndarray:
        # As floats: of bytes Pillow drops the fractions, so that all becomes darker.
        plane = Image.fromarray(channel.astype(np.float32))
        plane = plane.transform((size, size), Image.Transform.AFFINE, data, kind)
        return np.asarray(plane.reduce(fine) if fine > 1 else plane)

    channels = [warped(part[..., i], Image.Resampling.BICUBIC) for i in range(3)]
    crop = np.rint(np.clip(np.stack(channels, axis=-1), 0, 255)).astype(np.uint8)
    inside = warped(there, Image.Resampling.NEAREST) >= 0.5
    if padding == "blur" and not inside.all():
        crop = _blur_outside(Image.fromarray(crop), inside)
    return crop, inside


def _padded_patch(
    pixels: UInt8[np.ndarray, "H W 3"],
    to_source: Float64[np.ndarray, "2 3"],
    size: int,
    padding: str,
) -> tuple[tuple[Float64[np.ndarray, 2], UInt8[np.ndarray, "h w 3"]], UInt8[np.ndarray, "h w"]]:
    """(origin, pixels) of what the crop reads, padded, and 1 where the image is."""
    height, width = pixels.shape[:2]
    seen = geometry.apply(to_source, _corners(geometry.image_box(size, size)))
    low = np.floor(seen.min(axis=0)).astype(int) - _BEYOND
    high = np.ceil(seen.max(axis=0)).astype(int) + _BEYOND
    columns, rows = np.arange(low[0], high[0] + 1), np.arange(low[1], high[1] + 1)
    in_columns = (columns >= 0) & (columns < width)
    in_rows = (rows >= 0) & (rows < height)
    there = in_rows[:, None] & in_columns
    taken = _reflected if padding in ("reflect", "blur") else _clipped
    part = pixels[taken(rows, height)[:, None], taken(columns, width)]
    if padding == "black":
        part = part * there[..., None]
    return (low.astype(np.float64), part), there.astype(np.uint8)


def _clipped(at: Int64[np.ndarray, " n"], length: int) -> Int64[np.ndarray, " n"]:
    return np.clip(at, 0, length - 1)


def _reflected(at: Int64[np.ndarray, " n"], length: int) -> Int64[np.ndarray, " n"]:
    """Positions in the image of positions beyond it, as mirrors on both sides show them."""
    # The edge pixel is not doubled: ... 2 1 0 1 2 ...
    period = max(2 * (length - 1), 1)
    folded = np.abs(at) % period
    return np.minimum(folded, period - folded) if length > 1 else np.zeros_like(at)


def _blur_outside(crop: Any, inside: Bool[np.ndarray, "S S"]) -> UInt8[np.ndarray, "S S 3"]:
    """The crop with what is beyond the image blurred, the more the further out."""
    from PIL import Image, ImageFilter

    side = crop.width
    blurred = np.asarray(crop.filter(ImageFilter.GaussianBlur(_BLUR * side)), dtype=np.float32)
    wide = np.asarray(crop.filter(ImageFilter.GaussianBlur(5 * _BLUR * side)), dtype=np.float32)
    # How far outside, from 0 to 1, by a blurred mask: a distance transform would need SciPy.
    mask = Image.fromarray((~inside).astype(np.uint8) * 255)
    outside = np.asarray(mask.filter(ImageFilter.BoxBlur(_FADE * side)), dtype=np.float32) / 255
    # Half at the image's own border, which must stay as it is.
    share = np.clip(2 * outside - 1, 0, 1)[..., None] * ~inside[..., None]
    sharp = np.asarray(crop, dtype=np.float32)
    near = sharp + (blurred - sharp) * np.clip(3 * share, 0, 1)
    return np.rint(near + (wide - near) * share).astype(np.uint8)
