"""Which faces `nasion evaluate` judges a model on, where nobody says."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import run_command
from PIL import Image

import nasion
from nasion.data.datasets import points_csv, toy
from nasion.data.label_reading import AS_IT_SEEMS
from nasion.data.load import load_faces
from nasion.evaluation.judged_split import default_split
from nasion.inference.training_record import TrainingRecord


@pytest.fixture
def labels(tmp_path):
    """Toy faces as a table with images, and the faces read back."""
    faces = toy.draw(24, seed=11)
    ids = tuple(f"{i}.png" for i in range(len(faces)))
    for name, image in zip(ids, faces.images, strict=True):
        Image.fromarray(image).save(tmp_path / name)
    points_csv.write(replace(faces, ids=ids), tmp_path / "labels.csv")
    return tmp_path / "labels.csv", load_faces(None, tmp_path / "labels.csv")


@pytest.fixture
def model():
    return nasion.load_model("face68")


def trained_on(model, faces):
    return replace(model, trained_on=TrainingRecord.of("labels", faces))


def test_data_that_a_model_has_not_seen_are_judged_whole(model, labels):
    path, _ = labels
    assert default_split(model, path, None, AS_IT_SEEMS) == "all"
    other = trained_on(model, toy.draw(24, seed=12))
    assert default_split(other, path, None, AS_IT_SEEMS) == "all"


def test_data_that_a_model_was_trained_on_are_judged_by_their_validation_faces(model, labels):
    path, faces = labels
    assert default_split(trained_on(model, faces), path, None, AS_IT_SEEMS) == "val"
    # Also if it has seen a few of them only.
    some = faces[np.arange(len(faces)) < 3]
    assert default_split(trained_on(model, some), path, None, AS_IT_SEEMS) == "val"


def test_validation_faces_are_judged_where_it_cannot_be_told(model, labels):
    path, faces = labels
    assert default_split(replace(model, trained_on=None), path, None, AS_IT_SEEMS) == "val"
    faces.images[3].unlink()
    assert default_split(model, path, None, AS_IT_SEEMS) == "val"


def test_datasets_with_splits_of_their_own_keep_them(model, kaggle_folder):
    assert default_split(model, kaggle_folder, None, AS_IT_SEEMS) == "val"


def test_the_command_says_which_faces_it_judges(labels, monkeypatch, capsys):
    path, _ = labels
    words = ("evaluate", "face68", "--data", path, "--out", path.parent / "new")
    code, said = run_command(monkeypatch, capsys, *words)
    assert code == 0 and "24 faces of labels.csv, split all" in said
