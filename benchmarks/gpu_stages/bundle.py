"""The bundle of the GPU benchmark: labelled faces, wheels, and points to compare with.

Images are recompressed (WebP), so that all of it stays below 50 MiB; ``expected.json`` holds the
points of the shipped networks on images of the bundle. The faces of the stage ``face68`` are those
of ``benchmarks/face_sets.py``, in grey and cut around their boxes, with their labels completed.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from face68 import run_of
from face_sets import complete_sets, cut_out, load_sets, own_labels
from PIL import Image

import nasion
from nasion.data.datasets import toy
from nasion.data.load import load_train_val
from nasion.data.splits import honest_split
from nasion.inference.checkpoint import load_tensors, save_tensors
from nasion.inference.predictor import load_model
from nasion.inference.run_folder import WEIGHTS
from nasion.landmarks.catalog import fkd15, ibug68, scheme_named
from nasion.landmarks.faces import Faces, join
from nasion.media.files import atomic_write, write_text
from nasion.media.images import as_pixels

LIMIT = 50 << 20  # bytes
COLOUR_QUALITY, GREY_QUALITY, CUT_QUALITY = 85, 95, 72
# What a bare machine with PyTorch and the packages named in gpu.py lacks; all of it pure Python.
WHEELS = ("defusedxml", "lightning-fabric", "lightning-utilities", "packaging", "fsspec")
PYTHON = "3.12"
SETS = ("fkd", "ibug68")
ANY_POSE = "any_pose"
MODELS = ("face68", "face68_light")
EXPECTED_FACES = 8
# The stage of each network of benchmarks/face68.py that had last held faces out.
STARTS = {"face68": "completed", "face68_light": "completed again"}


def write_bundle(
    folder: Path, data: Path | None, wheels: bool, stages: Sequence[str], runs: Path
) -> None:
    """Write the bundle of some stages.

    ``data``: the folder of the datasets; None draws a few faces instead. ``runs``: of
    ``benchmarks/face68.py``; the stage ``face68`` starts from its networks.
    """
    temporary = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    if set(stages) - {"face68"}:
        for name in SETS:
            sides = _drawn(name) if data is None else load_train_val(None, data / name)
            for side, faces in zip(("train", "val"), sides, strict=True):
                write_faces(temporary / f"{name}-{side}.npz", faces)
                print(f"{name}, {side}: {len(faces)} faces")
        faces = read_faces(temporary / "ibug68-val.npz")[:EXPECTED_FACES]
        expected = {name: nasion.load_model(name).predict(faces).points.tolist() for name in MODELS}
        write_text(temporary / "expected.json", json.dumps(expected))
    if "face68" in stages:
        _write_any_pose(temporary, data, runs)
    if wheels:
        _download(temporary / "wheels")
    facts = {
        "commit": _commit(),
        "date": str(date.today()),
        "nasion": nasion.__version__,
        "machine": platform.processor() or platform.machine(),
        "stages": list(stages),
        "data": "drawn faces" if data is None else _data_line(stages),
    }
    write_text(temporary / "bundle.json", json.dumps(facts, indent=1))
    size = sum(file.stat().st_size for file in temporary.rglob("*") if file.is_file())
    if size > LIMIT:
        sys.exit(f"The bundle has {size / 2**20:.1f} MiB; {LIMIT >> 20} are allowed.")
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)
    print(f"{folder}: {size / 2**20:.1f} MiB")


def _data_line(stages: Sequence[str]) -> str:
    sets = ["fkd, ibug68"] if set(stages) - {"face68"} else []
    sets += ["the sets of benchmarks/face_sets.py but udacity68"] if "face68" in stages else []
    return "; ".join(sets) + "; recompressed"


def _write_any_pose(folder: Path, data: Path | None, runs: Path) -> None:
    """The faces of the stage ``face68``: which of their points are labels, and first weights."""
    if data is None:
        drawn = _drawn("ibug68")
        sides = [{"ibug68": faces} for faces in drawn]
        own = [{"ibug68": faces.labelled} for faces in drawn]
    else:
        sides, own = _any_pose_sets(data, runs)
        for name, stage in STARTS.items():
            weights = load_tensors(run_of(runs, name, stage) / WEIGHTS)[0]
            save_tensors(folder / f"start-{name}.safetensors", as_bfloat16(weights), {})
    masks = {}
    for side, sets, labelled in zip(("train", "val"), sides, own, strict=True):
        parts = []
        for name, faces in sets.items():
            cut = faces if data is None else cut_out(faces)
            parts.append(replace(cut, groups={"set": (name,) * len(faces)}, linked=()))
            print(f"{ANY_POSE}, {side}: {len(faces)} faces of {name}")
        write_faces(folder / f"{ANY_POSE}-{side}.npz", join(*parts), CUT_QUALITY)
        masks[side] = np.concatenate([labelled[name] for name in sets])
    with atomic_write(folder / f"{ANY_POSE}-own.npz") as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **masks)


def _any_pose_sets(data: Path, runs: Path) -> tuple[list[dict], list[dict]]:
    """Faces by set, training and held out, and which of their points are labelled."""
    train, val = load_sets(data, hidden=False)
    teachers = [load_model(run_of(runs, name, "labels"), tta="none") for name in MODELS]
    completed = complete_sets(train, data, teachers, runs / "completed")
    for sets in (train, completed, val):
        sets.pop("udacity68", None)
    own = own_labels(train, completed)
    return [completed, val], [own, {name: faces.labelled for name, faces in val.items()}]


def write_faces(path: Path, faces: Faces, grey_quality: int = GREY_QUALITY) -> None:
    """Labelled faces as one ``.npz`` of plain arrays."""
    with ThreadPoolExecutor() as pool:
        encoded = list(pool.map(partial(_encode, grey_quality=grey_quality), faces.images))
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


def _encode(image: Path | np.ndarray, grey_quality: int) -> bytes:
    pixels = as_pixels(image, colour=not isinstance(image, np.ndarray) or image.ndim == 3)
    quality = COLOUR_QUALITY if pixels.ndim == 3 else grey_quality
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


def as_bfloat16(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return _converted(weights, torch.bfloat16)


def as_float32(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return _converted(weights, torch.float32)


def _converted(weights: Mapping[str, torch.Tensor], kind: torch.dtype) -> dict[str, torch.Tensor]:
    return {
        name: tensor.to(kind) if tensor.is_floating_point() else tensor
        for name, tensor in weights.items()
    }


def _download(folder: Path) -> None:
    """The wheels for the other machine's Python."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary=:all:", "--python-version", PYTHON, "--dest", str(folder), *WHEELS]
    subprocess.run(command, check=True)


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"
