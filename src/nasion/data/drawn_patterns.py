"""Pictures without a face that may be taken for one: patterns, and drawn animals.

Networks learn from them what is no face. All are uint8 (side, side, 3).
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from nasion.array_types import UInt8

Picture = UInt8[np.ndarray, "side side 3"]
_SIDE = 220
_DARK = (20, 12, 12)


def draw_pattern(rng: np.random.Generator, side: int = _SIDE) -> Picture:
    """Clouds, stripes, checks, shapes, lines, soft spots or noise."""
    kinds = (_clouds, _stripes, _checks, _shapes, _lines, _spots, _noise)
    values = kinds[rng.integers(len(kinds))](rng, side)
    values = values - values.min()
    values = values / max(values.max(), 1e-6) * rng.uniform(60, 255)
    return np.repeat(values.astype(np.uint8)[..., None], 3, axis=2)


def _clouds(rng: np.random.Generator, side: int) -> np.ndarray:
    total = np.zeros((side, side))
    for count in (4, 8, 16, 32, 64):
        coarse = Image.fromarray(rng.normal(size=(count, count)).astype(np.float32))
        fine = coarse.resize((side, side), Image.Resampling.BICUBIC)
        total += np.asarray(fine) * rng.uniform() * 8 / count
    return total


def _stripes(rng: np.random.Generator, side: int) -> np.ndarray:
    rows, columns = np.mgrid[:side, :side]
    angle = rng.uniform(0, np.pi)
    waves = np.sin((columns * np.cos(angle) + rows * np.sin(angle)) * rng.uniform(0.05, 0.8))
    return np.sign(waves) if rng.uniform() < 1 / 2 else waves


def _checks(rng: np.random.Generator, side: int) -> np.ndarray:
    rows, columns = np.mgrid[:side, :side] // rng.integers(5, 60)
    return ((rows + columns) % 2).astype(np.float64)


def _shapes(rng: np.random.Generator, side: int) -> np.ndarray:
    image = Image.new("L", (side, side), int(rng.integers(256)))
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(3, 40))):
        (x, y), (wide, high) = rng.integers(0, side, 2), rng.integers(3, 50, 2)
        outline = [int(x - wide), int(y - high), int(x + wide), int(y + high)]
        shape = draw.ellipse if rng.uniform() < 1 / 2 else draw.rectangle
        shape(outline, fill=int(rng.integers(256)))
    return np.asarray(image, dtype=np.float64)


def _lines(rng: np.random.Generator, side: int) -> np.ndarray:
    image = Image.new("L", (side, side), int(rng.integers(256)))
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(5, 60))):
        ends = rng.integers(0, side, 4).tolist()
        draw.line(ends, fill=int(rng.integers(256)), width=int(rng.integers(1, 9)))
    return np.asarray(image, dtype=np.float64)


def _spots(rng: np.random.Generator, side: int) -> np.ndarray:
    """Soft dark and light spots, some of which stand as eyes and mouths do."""
    rows, columns = np.mgrid[:side, :side]
    total = np.full((side, side), rng.uniform(80, 220))
    for _ in range(int(rng.integers(2, 9))):
        (x, y), (wide, high) = rng.uniform(20, side - 20, 2), rng.uniform(5, 35, 2)
        distance = ((columns - x) / wide) ** 2 + ((rows - y) / high) ** 2
        total += rng.uniform(-150, 150) * np.exp(-distance)
    return total


def _noise(rng: np.random.Generator, side: int) -> np.ndarray:
    return rng.normal(size=(side, side))


def draw_animal(rng: np.random.Generator, side: int = _SIDE) -> Picture:
    """The head of an animal as a child draws it: ears, eyes, a snout, sometimes whiskers."""
    ground = _colour(rng, 0, 256)
    image = Image.new("RGB", (side, side), ground)
    draw = ImageDraw.Draw(image)
    if rng.uniform() < 1 / 2:
        for _ in range(30):
            x, y, radius = *rng.integers(0, side, 2).tolist(), int(rng.integers(5, 60))
            _disc(draw, (x, y), (radius, radius), _near(ground, rng.integers(-60, 60, 3)))
    middle = side / 2 + rng.uniform(-0.12, 0.12, 2) * side
    size, fur = side * rng.uniform(0.17, 0.4), _colour(rng, 20, 240)
    _ears(draw, middle, size, fur, rng)
    _disc(draw, middle, (size * rng.uniform(0.9, 1.2), size), fur)
    _eyes(draw, middle, size, rng)
    _snout(draw, middle, size, fur, rng)
    if rng.uniform() < 1 / 2:
        _marks(draw, middle, size, fur, rng)
    x, y = middle.tolist()
    image = image.rotate(float(rng.normal(0, 10)), fillcolor=ground, center=(x, y))
    image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0, 2))))
    light = np.linspace(rng.uniform(0.6, 1), rng.uniform(0.6, 1), side)[:, None]
    grain = rng.normal(0, rng.uniform(0, 12), (side, side, 1))
    return np.clip((np.asarray(image) + grain) * light, 0, 255).astype(np.uint8)


def _ears(draw, middle, size, fur, rng) -> None:
    (x, y), kind = middle, rng.integers(4)
    for s in (-1, 1):
        if kind == 0:
            corners = ((s * 0.95, -0.3), (s * 0.8, -1.5), (s * 0.15, -0.85))
            draw.polygon([(x + size * a, y + size * b) for a, b in corners], fill=fur)
        elif kind == 1:
            _disc(draw, (x + s * size * 0.75, y - size * 0.95), (size * 0.35,) * 2, _dark(fur))
        elif kind == 2:
            _disc(draw, (x + s * size * 0.4, y - size * 1.3), (size * 0.18, size * 0.7), fur)
        else:
            _disc(draw, (x + s * size, y), (size * 0.25, size * 0.6), _dark(fur))


def _eyes(draw, middle, size, rng) -> None:
    apart, radius = size * rng.uniform(0.3, 0.5), size * rng.uniform(0.08, 0.2)
    y, iris = middle[1] - size * rng.uniform(0, 0.3), _colour(rng, 0, 256)
    for s in (-1, 1):
        at = middle[0] + s * apart, y
        _disc(draw, at, (radius * 1.3, radius), iris if rng.uniform() < 0.7 else (255,) * 3)
        pupil = radius * rng.uniform(0.3, 0.8)
        _disc(draw, at, (pupil * 0.6, pupil), (0, 0, 0))


def _snout(draw, middle, size, fur, rng) -> None:
    x, y = middle[0], middle[1] + size * 0.4
    wide, high = size * rng.uniform(0.25, 0.5), size * rng.uniform(0.2, 0.4)
    if rng.uniform() < 0.8:
        _disc(draw, (x, y), (wide, high), tuple(min(255, int(v * 1.2 + 30)) for v in fur))
    nose, top = size * rng.uniform(0.07, 0.18), y - high * 0.4
    _disc(draw, (x, top), (nose * 1.3, nose), _DARK)
    draw.line([(x, top + nose), (x, y + high * 0.3)], fill=_DARK, width=2)
    mouth = size * rng.uniform(0.1, 0.3)
    for left in (x - mouth * 2, x):
        draw.arc([left, y - mouth * 0.4, left + mouth * 2, y + mouth], 0, 180, _DARK, 2)
    if rng.uniform() < 1 / 2:
        shade = (240,) * 3 if sum(fur) < 380 else (30,) * 3
        for s in (-1, 1):
            for k in (-1, 0, 1):
                ends = [(x + s * size * 0.3, y + k * 4), (x + s * size * 1.2, y + k * 14)]
                draw.line(ends, fill=shade, width=1)


def _marks(draw, middle, size, fur, rng) -> None:
    for _ in range(int(rng.integers(3, 25))):
        angle, out = rng.uniform(0, 2 * np.pi), size * rng.uniform(0.5, 0.95)
        at = middle + out * np.array([np.cos(angle), 0.9 * np.sin(angle)])
        _disc(draw, at, (size * rng.uniform(0.03, 0.1),) * 2, _dark(fur))


def _disc(draw, at, radii, fill) -> None:
    (x, y), (wide, high) = at, radii
    draw.ellipse([x - wide, y - high, x + wide, y + high], fill=fill)


def _colour(rng: np.random.Generator, low: int, high: int) -> tuple[int, ...]:
    return tuple(rng.integers(low, high, 3).tolist())


def _near(colour: tuple[int, ...], by: np.ndarray) -> tuple[int, ...]:
    return tuple(np.clip(np.array(colour) + by, 0, 255).tolist())


def _dark(colour: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(value * 0.6) for value in colour)
