"""What is handed to users: a wheel and a source archive that build, and an installation without
extras that is small and works alone.
"""

import json
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nasion.data.datasets import toy
from nasion.landmarks.catalog import ibug68

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
# Bytes of all files that wheels bring: the limit set for weights to train from in the wheel.
LARGEST = 155_000_000
EXTRAS = (
    "torch",
    "tensorflow",
    "keras",
    "dlib",
    "av",
    "fastapi",
    "matplotlib",
    "pydantic",
    "sympy",
)


def said(*words, **options):
    return subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, timeout=600, **options
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(wheel, source archive), built from a copy, so that nothing is left beside the sources."""
    folder = tmp_path_factory.mktemp("built")
    tracked = said("git", "ls-files", cwd=ROOT).stdout.split("\n")
    for name in filter(None, tracked):
        if (ROOT / name).is_file() and not name.startswith(("tests/", "results/")):
            (folder / "copy" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "copy" / name).write_bytes((ROOT / name).read_bytes())
    made = said(sys.executable, "-m", "build", "--outdir", folder / "dist", folder / "copy")
    assert made.returncode == 0, made.stdout[-2000:] + made.stderr[-2000:]
    return next((folder / "dist").glob("*.whl")), next((folder / "dist").glob("*.tar.gz"))


@pytest.fixture(scope="module")
def bare(built, tmp_path_factory):
    """The scripts' folder of an environment with the wheel and what it needs."""
    folder = tmp_path_factory.mktemp("bare") / "venv"
    venv.create(folder, with_pip=True)
    installed = said(folder / "bin" / "pip", "install", "-q", built[0])
    assert installed.returncode == 0, installed.stderr[-2000:]
    return folder / "bin"


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "face.png"
    Image.fromarray(toy.draw(1, ibug68, size=480, colour=True).images[0]).save(path)
    return path


def test_wheel_and_source_archive_hold_all_that_is_read_at_run_time(built):
    with zipfile.ZipFile(built[0]) as wheel:
        names = set(wheel.namelist())
    for folder in (
        "inference/pretrained",
        "inference/detectors",
        "evaluation/templates",
        "app/label/page",
        "app/serve/page",
    ):
        for path in (ROOT / "src" / "nasion" / folder).iterdir():
            if path.is_file():
                assert f"nasion/{folder}/{path.name}" in names, path
    with tarfile.open(built[1]) as archive:
        assert any(
            name.endswith("src/nasion/inference/detectors/single_shot.onnx")
            for name in archive.getnames()
        )


def test_a_bare_installation_is_small_and_brings_no_framework(bare):
    code = """
import importlib.metadata as m, json
files = {}
for d in m.distributions():
    files[d.metadata["Name"]] = sum(f.size or 0 for f in d.files or () if f.suffix != ".pyc")
print(json.dumps({name: size for name, size in files.items() if name not in ("pip", "setuptools")}))
"""
    sizes = json.loads(said(bare / "python", "-c", code).stdout)
    assert sum(sizes.values()) <= LARGEST, sorted(sizes.items(), key=lambda pair: -pair[1])
    assert not {name.lower() for name in sizes} & set(EXTRAS)


def test_a_bare_installation_finds_points_on_an_image_and_says_what_is_missing_for_the_rest(
    bare, photo, tmp_path
):
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": ""}
    done = said(
        bare / "nasion", "predict", photo, "--out", "-", "-f", "json", env=environment, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    (face,) = json.loads(done.stdout)["images"][0]["faces"]
    truth = toy.draw(1, ibug68, size=480).points[0]
    assert np.abs(np.array(face["points"]) - truth).mean() < 8
    assert said(bare / "nasion", "--help", env=environment).returncode == 0
    (tmp_path / "clip.mp4").write_bytes(b"a clip")
    for words, extra in (
        (("predict", "clip.mp4"), "video"),
        (("serve",), "serve"),
        (("predict", photo, "--detector", "dlib"), "dlib"),
    ):
        refused = said(bare / "nasion", *words, env=environment, cwd=tmp_path)
        assert refused.returncode == 1 and f"nasion[{extra}]" in refused.stderr.replace("\n", ""), (
            refused.stderr
        )


def test_help_and_predict_start_no_framework():
    heavy = {"torch", "keras", "tensorflow", "av", "ray", "matplotlib"}
    code = (
        f"import sys; from nasion.app.cli import app; import nasion.app.predict_pipeline; "
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    assert said(sys.executable, "-c", code).stdout.strip() == "[]"
