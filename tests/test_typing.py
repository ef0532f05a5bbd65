"""The public interface as a type checker of its users sees it."""

import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[1]
SAMPLE = """
from pathlib import Path

import nasion


def nose(photo: Path) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    face: nasion.Face
    for face in nasion.Landmarker("face68_light", min_score=0.7)(photo):
        x, y = face["nose_tip"].tolist()
        found.append((x, y))
    return found


def learn(data: Path, folder: Path) -> float:
    result: nasion.TrainingResult = nasion.train("face68_light", data, run_folder=folder)
    model: nasion.Predictor = nasion.load_model(result.folder)
    evaluation: nasion.EvaluationResult = nasion.evaluate(model, nasion.load_faces(None, data))
    return evaluation.overall.nme


wrong: int = nasion.Landmarker()("photo.jpg")
"""


@pytest.fixture(scope="module")
def pyright(tmp_path_factory):
    """Run pyright in an environment that has nasion as users install it."""
    folder = tmp_path_factory.mktemp("typed") / "venv"
    venv.create(folder, with_pip=False, symlinks=True)
    packages = next((folder / "lib").glob("python*")) / "site-packages"
    shutil.copytree(ROOT / "src" / "nasion", packages / "nasion")
    ours = next((Path(sys.prefix) / "lib").glob("python*")) / "site-packages"
    for name in (
        "numpy",
        "jaxtyping",
        "torch",
        "PIL",
        "typer",
        "rich",
        "pydantic",
        "pydantic_core",
    ):
        (packages / name).symlink_to(ours / name)
    environment = os.environ | {
        "VIRTUAL_ENV": str(folder),
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
    }

    def call(*words):
        program = Path(sys.executable).with_name("pyright")
        done = subprocess.run(
            [program, *words], cwd=folder.parent, env=environment, capture_output=True, text=True
        )
        return done.stdout

    return call


def test_the_types_of_public_names_are_known(pyright):
    text = pyright("--verifytypes", "nasion", "--ignoreexternal")
    # What is left is built on Keras' classes, which have no types.
    assert float(re.search(r"completeness score: ([\d.]+)%", text)[1]) >= 99.7, text[-3000:]
    unknown = set(re.findall(r"^(nasion\.\S+)$", text, re.M))
    assert all(name.startswith("nasion.training.keras_") for name in unknown), unknown


def test_strict_users_see_types_and_their_mistakes(pyright, tmp_path):
    (tmp_path / "sample.py").write_text("# pyright: strict\n" + SAMPLE)
    text = pyright(str(tmp_path / "sample.py"))
    assert "1 error" in text and '"list[Face]" is not assignable to "int"' in text, text
