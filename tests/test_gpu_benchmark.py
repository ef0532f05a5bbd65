"""benchmarks/gpu.py on the CPU: the bundle holds what it was made of, and every stage runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nasion.data.datasets import toy
from nasion.landmarks.catalog import ibug68

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
STAGES = ("checks", "speed", "course", "fkd", "face68")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gpu") / "bundle"
    gpu("pack", "--tiny", "--no-wheels", "--bundle", folder)
    return folder


def gpu(*words):
    command = [sys.executable, str(BENCHMARKS / "gpu.py"), *map(str, words)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_faces_come_back_from_a_bundle(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from gpu_stages.bundle import read_faces, write_faces

    faces = toy.draw(5, ibug68, size=96)
    write_faces(tmp_path / "faces.npz", faces)
    read = read_faces(tmp_path / "faces.npz")
    assert read.ids == faces.ids and read.scheme == faces.scheme and read.groups == faces.groups
    np.testing.assert_array_equal(read.points, faces.points)
    differences = [
        np.abs(a.astype(int) - b).mean() for a, b in zip(read.images, faces.images, strict=True)
    ]
    assert max(differences) < 6  # grey levels, after compression


def test_every_stage_runs_and_every_check_passes(bundle, tmp_path):
    said = gpu("run", "all", "--tiny", "--bundle", bundle, "--out", tmp_path)
    for stage in STAGES:
        result = json.loads((tmp_path / f"{stage}.json").read_text())
        assert result["ok"] and result["finished"] and result["rows"], stage
        assert {"card", "driver", "torch", "commit", "seconds"} <= result.keys()
        assert f"== {stage}" in said
    again = gpu("run", "face68", "--tiny", "--bundle", bundle, "--out", tmp_path)
    assert "epoch 1" not in again, "finished runs are not trained again"


def test_the_checks_cover_every_loss_codec_and_network(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from gpu_stages import checks

    from nasion.discovery import RECIPES
    from nasion.models import codecs, losses
    from nasion.recipes import load_recipe

    def defined(module):
        return {
            name
            for name, part in vars(module).items()
            if getattr(part, "__module__", "") == module.__name__ and not name.startswith("_")
        }

    helpers = {"masked_mean", "to_cells", "from_cells", "Codec"}
    covered = {name.split(",")[0] for name in (*checks.LOSSES, *checks.CODECS)}
    assert defined(losses) | defined(codecs) <= covered | helpers

    def families(names):
        recipes = [load_recipe(name) for name in names]
        return {type(r.architecture) for r in recipes if r.framework == "pytorch"}

    assert families(RECIPES.names()) == families(checks.NETWORKS)
