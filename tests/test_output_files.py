"""Which files commands replace: their own results, and no other image or video."""

import re

import numpy as np
import pytest
from helpers import run_command
from PIL import Image

from nasion.data.datasets import toy
from nasion.landmarks.catalog import ibug68

pytestmark = pytest.mark.slow
FAST = ("--run", "face68_light", "--workers", "1")


@pytest.fixture(scope="module")
def face():
    return toy.draw(1, ibug68, size=200, colour=True).images[0]


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Run a command in an empty folder: (exit code, everything printed, white space folded)."""
    monkeypatch.chdir(tmp_path)

    def call(*words):
        code, printed = run_command(monkeypatch, capsys, *words, *FAST)
        return code, re.sub(r"\s+", " ", printed)

    return call


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (("predict", "x.jpg"), "x-points.jpg"),
        (("predict", "x.jpg", "--overlay"), "x-points.png"),
        (("crop", "x.jpg"), "x.png"),
        (("crop", "two.webp", "--format", "jpg"), "two#2.jpg"),
        (("anonymise", "x.jpg"), "x-anonymised.jpg"),
        (("anonymise", "y.png"), "y-anonymised.png"),
        (("predict", "clip.gif"), "clip-points.mp4"),
        (("crop", "clip.gif", "--format", "jpg"), "clip@1.jpg"),
        (("anonymise", "clip.gif"), "clip-anonymised.mp4"),
    ],
)
def test_only_results_of_nasion_are_replaced(run, face, tmp_path, words, output):
    if "clip" in output:
        pytest.importorskip("av")
    image = Image.fromarray(face)
    for name in ("x.jpg", "y.png"):
        image.save(tmp_path / name)
    Image.fromarray(np.concatenate([face, face], axis=1)).save(tmp_path / "two.webp")
    moved = Image.fromarray(np.roll(face, 2, axis=1))
    image.save(tmp_path / "clip.gif", save_all=True, append_images=[moved], duration=40)
    Image.new("RGB", (20, 20)).save(tmp_path / output, "PNG")
    own = (tmp_path / output).read_bytes()
    before = sorted(tmp_path.iterdir())

    code, said = run(*words, "--out", ".")
    assert code == 1 and f"{output} would be overwritten, and nasion did not write it" in said
    assert (tmp_path / output).read_bytes() == own and sorted(tmp_path.iterdir()) == before

    (tmp_path / output).unlink()
    assert run(*words, "--out", ".")[0] == 0
    first = (tmp_path / output).stat().st_mtime_ns
    assert run(*words, "--out", ".")[0] == 0
    assert (tmp_path / output).stat().st_mtime_ns > first


def test_points_never_replace_the_labels_beside_an_image(run, face, tmp_path):
    Image.fromarray(face).save(tmp_path / "x.jpg")
    labels = tmp_path / "x.pts"
    labels.write_text("version: 1\nn_points: 1\n{\n5 6\n}\n")
    before = labels.read_text()
    code, printed = run("predict", "x.jpg", "--format", "pts", "--out", ".")
    assert code
    assert "x.pts lies beside x.jpg" in printed
    assert labels.read_text() == before
    # Elsewhere results replace those of an earlier run.
    for _ in range(2):
        assert run("predict", "x.jpg", "--format", "pts", "--out", "points")[0] == 0
