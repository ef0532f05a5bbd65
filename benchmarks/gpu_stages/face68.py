"""The shipped networks, taught by a network seven times larger, which no phone could run.

The teacher learns from the labels, at 192 pixels. The labels, and its points where there are none,
are what the two shipped networks then learn from, side by side on the card: a run that leaves the
held-out faces out, and one with all faces; and one from points half way between label and teacher,
to compare. ``benchmarks/face68.py --gpu OUT`` goes on from their weights.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from face_sets import SHARES, mixed_with, sample
from jaxtyping import Bool

import nasion
from nasion.inference import run_folder
from nasion.inference.checkpoint import load_tensors, save_tensors
from nasion.inference.predictor import load_model
from nasion.landmarks.faces import Faces, join
from nasion.media.files import atomic_write
from nasion.recipe import Recipe
from nasion.recipe_settings import override
from nasion.recipes import load_recipe

from .bundle import ANY_POSE, as_bfloat16, as_float32
from .stage import Context, Outcome, Row, measure_rate, run_side_by_side, train_for

TEACHER_NAME = "teacher"
TEACHER = (
    "spec.input_size=192,192",
    "architecture.widths=64,96,192,384,512",
    "architecture.blocks=0,2,3,3,2",
    "architecture.neck=192",
    "batch_size=256",
    "optim.lr=3e-3",
)
STUDENT = ("batch_size=192", "optim.lr=2e-3")
TEACHER_TIME = 0.52  # of the stage's time
EVALUATION = 25.0  # seconds, at the end
SAFETY = 0.86  # of the time left that training should take
SHARD_BYTES = 14 << 20  # what a lent machine gives back is limited by file


@dataclass(frozen=True)
class Student:
    """``mix``: of the teacher's points in the labels. ``all_faces``: also those held out."""

    recipe: str
    mix: float = 0.0
    all_faces: bool = False

    @property
    def name(self) -> str:
        side = "all_faces" if self.all_faces else "held_out"
        return f"{self.recipe}-{side}" + (f"-mix{self.mix:g}" if self.mix else "")


STUDENTS = (
    Student("face68"),
    Student("face68", all_faces=True),
    Student("face68_light"),
    Student("face68_light", all_faces=True),
    Student("face68_light", mix=0.5),
)


def run(context: Context) -> Outcome:
    outcome = Outcome()
    train, val = (context.faces(ANY_POSE, side) for side in ("train", "val"))
    ibug = val[np.array(val.group("set")) == "ibug68"]
    ended = _train_teacher(context, train, ibug)
    if not (context.out / TEACHER_NAME / run_folder.WEIGHTS).is_file():
        outcome.finished = False
        return outcome
    teacher = load_model(context.out / TEACHER_NAME, tta="flip")
    for side, faces in (("train", train), ("val", val)):
        path = context.out / f"labels-{side}.npz"
        if not path.is_file():
            _write_labels(path, teacher.predict(faces))
    _write_shards(context, TEACHER_NAME)
    context.log("the teacher's points are written")
    outcome.rows.append(_row(context, TEACHER_NAME, ibug, ended))
    del teacher
    students = STUDENTS[:2] if context.tiny else STUDENTS
    within = context.until(context.deadline - EVALUATION)
    run_side_by_side(train_student, [(within, student) for student in students])
    for student in students:
        folder = context.out / student.name
        if not (folder / run_folder.WEIGHTS).is_file():
            outcome.ok = False
            context.log(f"{student.name} has no weights")
            continue
        ended = (folder / "done").is_file()
        outcome.finished &= ended
        outcome.rows.append(_row(context, student.name, ibug, ended))
        settings = json.loads((folder / run_folder.SETTINGS).read_text())
        facts = {"settings": settings, "history": run_folder.read_history(folder)}
        weights = load_tensors(folder / run_folder.WEIGHTS)[0]
        save_tensors(context.out / f"{student.name}.safetensors", weights, facts)
    return outcome


def _train_teacher(context: Context, train: Faces, ibug: Faces) -> bool:
    until = time.monotonic() + TEACHER_TIME * (context.seconds_left - EVALUATION)
    recipe = override(replace(load_recipe("face68"), face_head=False), TEACHER)
    faces = sample(_by_set(train), SHARES)
    return _train_in_time(context.until(until), TEACHER_NAME, recipe, (faces, ibug))


def train_student(context: Context, student: Student) -> None:
    """Train one of the shipped networks on the teacher's points; a process of its own."""
    torch.set_num_threads(1)
    train, val = (context.faces(ANY_POSE, side) for side in ("train", "val"))
    with np.load(context.bundle / f"{ANY_POSE}-own.npz") as file:
        own = {side: file[side] for side in ("train", "val")}
    train = _taught(context, train, "train", own["train"], student.mix)
    ibug = val[np.array(val.group("set")) == "ibug68"]
    if student.all_faces:
        train = join(train, _taught(context, val, "val", own["val"], student.mix))
    recipe = override(replace(load_recipe(student.recipe), face_head=False), STUDENT)
    start = _start_folder(context, student, recipe)
    recipe = replace(recipe, init_from=start)
    faces = sample(_by_set(train), SHARES)
    _train_in_time(context, student.name, recipe, (faces, ibug))


def _train_in_time(context: Context, name: str, recipe: Recipe, sides: tuple[Faces, Faces]) -> bool:
    """Train for as many epochs as the time allows; whether it ended in time."""
    if not (context.out / name / run_folder.CHECKPOINT).is_file() and not context.tiny:
        rate = measure_rate(recipe, sides[0][: 24 * recipe.batch_size])
        epochs = int(SAFETY * context.seconds_left * rate / len(sides[0]))
        context.log(f"{name}: {rate:.0f} faces/s, {epochs} epochs of {len(sides[0])} faces")
        recipe = replace(recipe, epochs=max(epochs, 1))
    validation = replace(sides[1][::3], groups={}, linked=())
    return train_for(context, name, (sides[0], validation), recipe=recipe)[1]


def _taught(
    context: Context, faces: Faces, side: str, own: Bool[np.ndarray, "N K"], mix: float
) -> Faces:
    with np.load(context.out / f"labels-{side}.npz") as file:
        return mixed_with(faces, file["points"], file["expected"], own, mix)


def _by_set(faces: Faces) -> dict[str, Faces]:
    names = np.array(faces.group("set"))
    return {name: faces[names == name] for name in dict.fromkeys(names.tolist())}


def _start_folder(context: Context, student: Student, recipe: Recipe) -> str | None:
    """A run folder of the network's weights in the bundle; None if it holds none."""
    path = context.bundle / f"start-{student.recipe}.safetensors"
    if context.tiny or not path.is_file():
        return None
    folder = context.out / f"start-{student.name}"
    if not (folder / run_folder.WEIGHTS).is_file():
        run_folder.create(folder, student.recipe, recipe, {"faces_key": ""})
        save_tensors(folder / run_folder.WEIGHTS, as_float32(load_tensors(path)[0]), {})
    return str(folder)


def _write_labels(path: Path, predictions: nasion.Predictions) -> None:
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            points=predictions.points.astype(np.float32),
            expected=predictions.expected.astype(np.float16),
        )


def _row(context: Context, name: str, faces: Faces, ended: bool) -> Row:
    folder = context.out / name
    history = run_folder.read_history(folder)
    weights = load_tensors(folder / run_folder.WEIGHTS)[0]
    row: Row = {
        "network": name,
        "epochs": len(history),
        "ended": ended,
        "seconds": sum(each["seconds"] for each in history),
        "million weights": sum(tensor.numel() for tensor in weights.values()) / 1e6,
    }
    # Every network with the mirrored view, so that they compare.
    row["NME %, tta flip"] = (
        100 * nasion.evaluate(load_model(folder, tta="flip"), faces).overall.nme
    )
    return row


def _write_shards(context: Context, name: str) -> None:
    """The weights in bfloat16, in files of a limited size."""
    weights = as_bfloat16(load_tensors(context.out / name / run_folder.WEIGHTS)[0])
    shards: list[dict] = [{}]
    size = 0
    for key, tensor in weights.items():
        bytes_here = tensor.numel() * tensor.element_size()
        if size + bytes_here > SHARD_BYTES and shards[-1]:
            shards.append({})
            size = 0
        shards[-1][key] = tensor
        size += bytes_here
    for i, shard in enumerate(shards, start=1):
        save_tensors(context.out / f"{name}-{i}-of-{len(shards)}.safetensors", shard, {})
