"""The recipes of the shipped networks, and a network four to ten times larger as a teacher."""

from __future__ import annotations

import nasion
from nasion.inference.checkpoint import load_tensors
from nasion.inference.predictor import load_model
from nasion.inference.run_folder import WEIGHTS
from nasion.recipes import load_recipe

from .stage import Context, Outcome, train_for

TEACHER = (
    "architecture.widths=64,96,192,384,512",
    "architecture.blocks=0,2,3,3,2",
    "architecture.neck=192",
)
# (run, recipe, changes)
RUNS = (
    ("face68", "face68", ()),
    ("face68_light", "face68_light", ()),
    ("face68_teacher", "face68", TEACHER),
)
SHARD_BYTES = 14 << 20  # what a lent machine gives back is limited by file


def run(context: Context) -> Outcome:
    sides = context.faces("ibug68", "train"), context.faces("ibug68", "val")
    outcome = Outcome()
    for name, recipe, changes in RUNS:
        if context.seconds_left < 5:
            outcome.finished = False
            break
        state, ended = train_for(context, name, sides, changes, recipe=load_recipe(recipe))
        outcome.finished &= ended
        if not state.history:
            continue
        row = {"network": name, "epochs": len(state.history), "ended": ended}
        row["seconds"] = sum(each["seconds"] for each in state.history)
        weights = load_tensors(context.out / name / WEIGHTS)[0]
        row["million weights"] = sum(tensor.numel() for tensor in weights.values()) / 1e6
        for tta in ("none", "flip"):
            scores = nasion.evaluate(load_model(context.out / name, tta=tta), sides[1]).overall
            row[f"NME %, tta {tta}"] = 100 * scores.nme
        outcome.rows.append(row)
        if ended and name == "face68_teacher" and not context.tiny:
            _write_shards(context, name, weights)
    return outcome


def _write_shards(context: Context, name: str, weights: dict) -> None:
    """The weights in bfloat16, in files of a limited size."""
    from safetensors.torch import save_file

    shards: list[dict] = [{}]
    size = 0
    for key, tensor in weights.items():
        half = tensor.bfloat16() if tensor.is_floating_point() else tensor
        bytes_here = half.numel() * half.element_size()
        if size + bytes_here > SHARD_BYTES and shards[-1]:
            shards.append({})
            size = 0
        shards[-1][key] = half.contiguous()
        size += bytes_here
    for i, shard in enumerate(shards, start=1):
        save_file(shard, context.out / f"{name}-{i}-of-{len(shards)}.safetensors")
