"""Augmentation of whole batches: one affine map per image, and changes of light and colour."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from nasion.array_types import Bool, Float, Float32, Float64, Int64
from nasion.arrays import Array, array_namespace, like, upload
from nasion.errors import require
from nasion.landmarks import geometry

# Output pixels that are warped at once: their coordinates and neighbours fit into a core's cache.
_CACHED_PIXELS = 40_000
_MAX_SHIFT_PX = 2048  # no input is wider
_FRACTIONS = ("scale", "shift", "brightness", "contrast", "saturation", "stretch")


@dataclass(frozen=True)
class Augment:
    """Ranges of the random changes, each uniform in -x .. x; ``flip`` is a probability.

    ``rotate``: degrees. ``scale``, ``shift``: fractions of 1 and of the input's sides.
    ``shift_px``: pixels of the input, added to it. ``brightness``: fraction of the value range.
    ``contrast``: fraction about the image's mean grey. ``saturation``: fraction about each pixel's
    grey. ``hue``: turns of the colour circle. ``stretch``: the fraction by which an image becomes
    wider and less high, or the reverse.
    """

    flip: float = 0.0
    rotate: float = 0.0
    scale: float = 0.0
    shift: float = 0.0
    shift_px: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    stretch: float = 0.0

    def __post_init__(self) -> None:
        require(0 <= self.flip <= 1, f"augment.flip is a probability, 0 to 1; found {self.flip}.")
        require(
            0 <= self.rotate <= 180, f"augment.rotate is 0 to 180 degrees; found {self.rotate}."
        )
        require(
            0 <= self.shift_px <= _MAX_SHIFT_PX,
            f"augment.shift_px is a number of pixels, 0 or more, up to {_MAX_SHIFT_PX}; "
            f"found {self.shift_px}.",
        )
        require(
            0 <= self.hue <= 0.5,
            f"augment.hue is 0 to 0.5 turns of the colour circle; found {self.hue}.",
        )
        for name in _FRACTIONS:
            value = getattr(self, name)
            require(0 <= value < 1, f"augment.{name} is a fraction, 0 to below 1; found {value}.")

    @property
    def moves(self) -> bool:
        """True if points can move."""
        return any((self.flip, self.rotate, self.scale, self.shift, self.shift_px, self.stretch))

    @property
    def relights(self) -> bool:
        """True if pixel values can change."""
        return any((self.brightness, self.contrast, self.needs_colour))

    @property
    def needs_colour(self) -> bool:
        """True if images must be in colour when they are augmented."""
        return any((self.saturation, self.hue))

    def scaled(self, factor: float) -> Augment:
        """Every range times ``factor``; flips as often."""
        names = [item.name for item in fields(self) if item.name != "flip"]
        return Augment(flip=self.flip, **{name: factor * getattr(self, name) for name in names})

    def margin(self, size: tuple[int, int]) -> tuple[int, int]:
        """How many pixels (x, y) beyond the (width, height) input augmentation can reach."""
        if not self.moves:
            return 0, 0
        sides = np.array(size, dtype=np.float64)
        # A corner lies at half the diagonal, at arctan2(h, w) from the x axis and arctan2(w, h)
        # from the y axis. Rotation can bring it closer to an axis by `rotate`, at most onto it.
        angle = np.deg2rad(self.rotate)
        diagonal = np.maximum(np.arctan2(sides[::-1], sides) - angle, 0)
        reach = np.maximum(np.hypot(*sides) * np.cos(diagonal), sides)
        # Zooming out by 1 - scale shows 1 / (1 - scale) as much. Half of what is new is on each
        # side.
        # Stretched by f, one axis shows f times as much, the other 1 / f; 1 / (1 - stretch) is the
        # larger of the two extremes.
        grown = (reach / (1 - self.stretch) / (1 - self.scale) - sides) / 2
        x, y = np.ceil(grown + self.shift * sides + self.shift_px).astype(int).tolist()
        return x, y

    def draw(self, count: int, size: tuple[int, int], rng: np.random.Generator) -> Augmentation:
        """For each image, a map from pixels of the (width, height) input to the crop, and light."""
        width, height = size
        # Rows: rotation, scale, shift in x and y, brightness, contrast. All are drawn even if their
        # range is 0, so that setting one of them does not change what is drawn for the others.
        uniform = rng.uniform(-1, 1, size=(6, count))
        maps = geometry.similarity(
            ((width - 1) / 2, (height - 1) / 2),
            self.rotate * uniform[0],
            # The map goes from the input to what it shows: a face twice as large shows half as
            # much.
            1 / (1 + self.scale * uniform[1]),
            uniform[2:4].T * (self.shift * np.array([width, height]) + self.shift_px),
        )
        if self.stretch:
            # Drawn only if used: recipes without it draw the same numbers as if it did not exist.
            factor = 1 + self.stretch * rng.uniform(-1, 1, count)
            maps = geometry.compose(geometry.stretch(size, factor), maps)
        flipped = rng.uniform(size=count) < self.flip
        # The flip comes first, in the input's frame: about the middle of what is shown.
        mirrored = geometry.compose(geometry.flip(width), maps)
        colour = np.zeros((2, count))
        if self.needs_colour:
            colour = rng.uniform(-1, 1, size=(2, count))
        return Augmentation(
            maps=np.where(flipped[:, None, None], mirrored, maps),
            flipped=flipped,
            brightness=self.brightness * uniform[4],
            contrast=1 + self.contrast * uniform[5],
            saturation=1 + self.saturation * colour[0],
            hue=self.hue * colour[1],
        )


@dataclass(frozen=True)
class Augmentation:
    """What was drawn for one batch."""

    maps: Float64[np.ndarray, "B 2 3"]
    flipped: Bool[np.ndarray, " B"]
    brightness: Float64[np.ndarray, " B"]
    contrast: Float64[np.ndarray, " B"]
    saturation: Float64[np.ndarray, " B"]
    hue: Float64[np.ndarray, " B"]


def warp(
    images: Float[Array, "B C H W"], maps: Float64[np.ndarray, "B 2 3"], size: tuple[int, int]
) -> Float32[Array, "B C h w"]:
    """Images of ``size`` (width, height) whose pixel p shows ``maps`` of p; bilinear.

    Edges are repeated beyond the image.
    """
    if isinstance(images, np.ndarray):
        warped = np.empty((*images.shape[:2], size[1], size[0]), np.float32)
        # As many at a time as stay in the cache: half the time of all at once, or of PyTorch's
        # grid_sample (benchmarks/warp.py).
        chunk = max(1, _CACHED_PIXELS // (size[0] * size[1]))
        for start in range(0, len(images), chunk):
            part = slice(start, start + chunk)
            warped[part] = _warp_chunk(
                images[part].astype(np.float32, copy=False), maps[part], size
            )
        return warped
    import torch
    import torch.nn.functional as F

    # grid_sample counts -1 .. 1 over the input and the output: unit square to pixels, the map, and
    # pixels to unit square again. Composed in float64; float32 comes only at the end.
    input_size = (images.shape[-1], images.shape[-2])
    to_unit = geometry.invert(geometry.to_unit_square(size))
    unit = geometry.compose(to_unit, maps, geometry.to_unit_square(input_size))
    theta = upload(torch.from_numpy(unit).float(), images.device)
    shape = [len(images), images.shape[1], size[1], size[0]]
    grid = F.affine_grid(theta, shape, align_corners=False)
    return F.grid_sample(
        images.float(), grid, mode="bilinear", padding_mode="border", align_corners=False
    )


def _warp_chunk(
    images: Float32[np.ndarray, "B C H W"],
    maps: Float64[np.ndarray, "B 2 3"],
    size: tuple[int, int],
) -> Float32[np.ndarray, "B C h w"]:
    """Warp a few images on the CPU."""
    height, width = images.shape[2:]
    # (B, 2, 3, 1, 1): each entry broadcasts over the output's rows and columns.
    affine = maps.astype(np.float32)[..., None, None]
    columns = np.arange(size[0], dtype=np.float32)
    rows = np.arange(size[1], dtype=np.float32)[:, None]
    x, y = (affine[:, i, 0] * columns + (affine[:, i, 1] * rows + affine[:, i, 2]) for i in (0, 1))
    # Clipped coordinates repeat the edge.
    x, y = np.clip(x, 0, width - 1, out=x), np.clip(y, 0, height - 1, out=y)
    # Truncation is the floor, since x >= 0. The last column starts one further left, with a
    # fraction of 1, so that its right neighbour exists.
    left = np.minimum(x.astype(np.int64), max(width - 2, 0))
    top = np.minimum(y.astype(np.int64), max(height - 2, 0))
    # From here on x and y are the fractions between two neighbours.
    x -= left
    y -= top
    # Flat positions in the whole batch, of the first channel; one index array serves all channels
    # and all four neighbours, by where the flat view starts.
    image_start = height * width * images.shape[1] * np.arange(len(images))[:, None, None]
    first = left + width * top + image_start
    warped = np.empty((*images.shape[:2], size[1], size[0]), np.float32)
    # 0 in an image of one column or row: its neighbour is itself.
    next_column, next_row = min(width - 1, 1), min(height - 1, 1) * width
    for channel in range(images.shape[1]):
        pixels = images.reshape(-1)[channel * height * width :]
        upper = _interpolate(pixels, first, next_column, x)
        lower = _interpolate(pixels[next_row:], first, next_column, x)
        lower -= upper
        lower *= y
        warped[:, channel] = upper + lower
    return warped


def _interpolate(
    pixels: Float32[np.ndarray, " P"],
    at: Int64[np.ndarray, "B h w"],
    step: int,
    fraction: Float32[np.ndarray, "B h w"],
) -> Float32[np.ndarray, "B h w"]:
    """Between each pixel and the one ``step`` further."""
    here, there = pixels.take(at), pixels[step:].take(at)
    there -= here
    there *= fraction
    return np.add(here, there, out=here)


def relight(images: Float32[Array, "B C H W"], drawn: Augmentation) -> Float32[Array, "B C H W"]:
    """Change contrast, brightness, saturation and hue, in this order, as colour jitter does.

    Values are 0 .. 255, clipped after contrast and brightness and after saturation. Grey images
    have neither saturation nor hue.
    """
    contrast = _per_image(drawn.contrast, images)
    brightness = _per_image(255 * drawn.brightness, images)
    # Contrast about the mean grey: mean + (image - mean) * contrast, plus brightness.
    mean = grey(images).mean((1, 2, 3), keepdims=True)
    # A new array; from here on everything may work in place.
    images = images * contrast
    images += mean * (1 - contrast) + brightness
    images = _clip(images)
    if images.shape[1] == 1:
        return images
    if (drawn.saturation != 1).any():
        # About each pixel's luma, so the grey value stays as it is.
        flat = grey(images)
        images = _clip(flat + (images - flat) * _per_image(drawn.saturation, images))
    return _rotate_hue(images, _per_image(drawn.hue, images)) if drawn.hue.any() else images


def grey(images: Float32[Array, "B C H W"]) -> Float32[Array, "B 1 H W"]:
    """Luma of RGB (ITU-R BT.601, as Pillow's ``L``); grey images stay as they are."""
    if images.shape[1] == 1:
        return images
    return 0.299 * images[:, :1] + 0.587 * images[:, 1:2] + 0.114 * images[:, 2:]


def _rotate_hue(
    images: Float32[Array, "B 3 H W"], turns: Float32[Array, "B 1 1 1"]
) -> Float32[Array, "B 3 H W"]:
    """Rotate the hue of HSV; saturation and value stay."""
    xp = array_namespace(images)
    red, green, blue = images[:, 0], images[:, 1], images[:, 2]
    value, low = xp.amax(images, 1), xp.amin(images, 1)
    chroma = value - low
    # Grey pixels have no hue; any will do, as their chroma of 0 multiplies it away below.
    safe = xp.where(chroma > 0, chroma, 1.0)
    # Hue in sixths of the circle from red, by which channel is the largest.
    from_green = xp.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe)
    hue = xp.where(value == red, (green - blue) / safe, from_green)
    hue = hue + 6 * turns[:, 0]
    channels = []
    for offset in (5, 3, 1):
        # HSV to RGB without cases: each channel is V - C * clip(min(k, 4 - k), 0, 1) with k = (n +
        # hue) mod 6, and n = 5, 3, 1 for red, green and blue.
        k = (offset + hue) % 6
        channels.append(value - chroma * xp.minimum(k, 4 - k).clip(0, 1))
    return xp.stack(channels, 1)


def _clip(images: Float32[Array, "B C H W"]) -> Float32[Array, "B C H W"]:
    return array_namespace(images).clip(images, 0, 255, out=images)


def _per_image(
    values: Float64[np.ndarray, " B"], images: Float32[Array, "B C H W"]
) -> Float32[Array, "B 1 1 1"]:
    return like(values.reshape(-1, 1, 1, 1), images)
