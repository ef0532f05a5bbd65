"""The bundle of the GPU benchmark: labelled faces, wheels, and points to compare with.

Images are recompressed (WebP, colour at quality 85, grey at 95), so that all of it stays below
45 MiB; ``expected.json`` holds the points of the shipped networks on images of the bundle.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

import nasion
from nasion.data.datasets import toy
from nasion.data.load import load_train_val
from nasion.data.splits import honest_split
from nasion.landmarks.catalog import fkd15, ibug68, scheme_named
from nasion.landmarks.faces import Faces
from nasion.media.files import atomic_write, write_text
from nasion.media.images import as_pixels

LIMIT = 45 << 20  # bytes
COLOUR_QUALITY, GREY_QUALITY = 85, 95
# What a bare machine with PyTorch and the packages named in gpu.py lacks; all of it pure Python.
WHEELS = ("defusedxml", "lightning-fabric", "lightning-utilities", "packaging", "fsspec")
PYTHON = "3.12"
SETS = ("fkd", "ibug68")
MODELS = ("face68", "face68_light")
EXPECTED_FACES = 8


def write_bundle(folder: Path, data: Path | None, wheels: bool) -> None:
    """Write the bundle. ``data``: the folder of the datasets; None draws a few faces instead."""
    temporary = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for name in SETS:
        sides = _drawn(name) if data is None else load_train_val(None, data / name)
        for side, faces in zip(("train", "val"), sides, strict=True):
            write_faces(temporary / f"{name}-{side}.npz", faces)
            print(f"{name}, {side}: {len(faces)} faces")
    faces = read_faces(temporary / "ibug68-val.npz")[:EXPECTED_FACES]
    expected = {name: nasion.load_model(name).predict(faces).points.tolist() for name in MODELS}
    write_text(temporary / "expected.json", json.dumps(expected))
    if wheels:
        _download(temporary / "wheels")
    facts = {
        "commit": _commit(),
        "date": str(date.today()),
        "nasion": nasion.__version__,
        "machine": platform.processor() or platform.machine(),
        "data": "drawn faces" if data is None else "fkd and ibug68, recompressed",
    }
    write_text(temporary / "bundle.json", json.dumps(facts, indent=1))
    size = sum(file.stat().st_size for file in temporary.rglob("*") if file.is_file())
    if size > LIMIT:
        sys.exit(f"The bundle has {size / 2**20:.1f} MiB; {LIMIT >> 20} are allowed.")
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)
    print(f"{folder}: {size / 2**20:.1f} MiB")


def write_faces(path: Path, faces: Faces) -> None:
    """Labelled faces as one ``.npz`` of plain arrays."""
    with ThreadPoolExecutor() as pool:
        encoded = list(pool.map(_encode, faces.images))
    arrays = {
        "scheme": np.array(faces.scheme.name),
        "ids": np.array(faces.ids),
        "points": faces.points,
        "linked": np.array(faces.linked, dtype=str),
        "image_bytes": np.frombuffer(b"".join(encoded), np.uint8),
        "image_ends": np.cumsum([len(data) for data in encoded]),
    }
    if faces.boxes is not None:
        arrays["boxes"] = faces.boxes
    arrays |= {f"group.{name}": np.array(values) for name, values in faces.groups.items()}
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)


def read_faces(path: Path) -> Faces:
    """The faces of a file that ``write_faces`` wrote, images decoded."""
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    parts = np.split(arrays["image_bytes"], arrays["image_ends"][:-1])
    with ThreadPoolExecutor() as pool:
        images = list(pool.map(_decode, parts))
    groups = {
        name.removeprefix("group."): tuple(values.tolist())
        for name, values in arrays.items()
        if name.startswith("group.")
    }
    same_size = len({image.shape for image in images}) == 1
    return Faces(
        scheme=scheme_named(str(arrays["scheme"])),
        ids=tuple(arrays["ids"].tolist()),
        images=np.stack(images) if same_size else images,
        points=arrays["points"],
        boxes=arrays.get("boxes"),
        groups=groups,
        linked=tuple(arrays["linked"].tolist()),
    )


def _encode(image: Path | np.ndarray) -> bytes:
    pixels = as_pixels(image, colour=not isinstance(image, np.ndarray) or image.ndim == 3)
    quality = COLOUR_QUALITY if pixels.ndim == 3 else GREY_QUALITY
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=quality, method=6)
    # WebP has no grey images, so their being grey is noted in front.
    return bytes([pixels.ndim]) + buffer.getvalue()


def _decode(data: np.ndarray) -> np.ndarray:
    mode = "RGB" if data[0] == 3 else "L"
    return np.asarray(Image.open(BytesIO(data[1:].tobytes())).convert(mode))


def _drawn(name: str) -> tuple[Faces, Faces]:
    if name == "fkd":
        faces = toy.draw(48, fkd15, size=96)
    else:
        faces = toy.draw(48, ibug68, size=128)
    return honest_split(faces)


def _download(folder: Path) -> None:
    """The wheels for the other machine's Python."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary=:all:", "--python-version", PYTHON, "--dest", str(folder), *WHEELS]
    subprocess.run(command, check=True)


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"
