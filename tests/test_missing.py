"""Ways to treat missing labels, and suspect labels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas
import pytest
from helpers import changed

from nasion.data import missing_labels
from nasion.data.datasets import toy
from nasion.data.label_outliers import outlier_scores, suspect_labels
from nasion.errors import DataError
from nasion.models.architectures.resnet import ResNet
from nasion.recipes.toy_demo import RECIPE
from nasion.training.prepare import prepare_faces
from nasion.training.train import train

pytestmark = pytest.mark.slow


def test_forward_fill_equals_pandas():
    rng = np.random.default_rng(0)
    points = rng.uniform(size=(50, 4, 2)).astype(np.float32)
    points[rng.uniform(size=(50, 4)) < 0.6] = np.nan
    expected = pandas.DataFrame(points.reshape(50, -1)).ffill().to_numpy().reshape(50, 4, 2)
    np.testing.assert_array_equal(missing_labels.forward_fill(points), expected)


def test_drop_keeps_complete_faces_and_mask_those_with_any_label(toy_faces):
    hidden = np.zeros((120, 15), bool)
    hidden[:40] = True
    hidden[40:100, 3] = True
    faces = toy.hide_labels(toy_faces, hidden)
    assert (
        len(missing_labels.handle_missing(faces, "drop")) == 20
        and len(missing_labels.handle_missing(faces, "mask")) == 80
    )
    filled = missing_labels.handle_missing(faces, "forward_fill")
    assert (
        len(filled) == 120
        and not filled.labelled[:40].any()
        and not filled.labelled[:100, 3].any()
        and filled.labelled[100:].all()
    )


def test_nothing_left_to_train_on_is_refused(toy_faces):
    hidden = np.zeros((120, 15), bool)
    hidden[:, 0] = True
    with pytest.raises(DataError, match="none is complete"):
        missing_labels.handle_missing(toy.hide_labels(toy_faces, hidden), "drop")


def test_swapped_sides_shifted_and_shrunken_labels_stand_out():
    faces = toy.draw(300, seed=11)
    points = faces.points.copy()
    points[3] = points[3, faces.scheme.flip]
    points[50] += 30
    points[77] = points[77].mean(0) + 0.2 * (points[77] - points[77].mean(0))
    wrong = suspect_labels(
        faces.__class__(scheme=faces.scheme, ids=faces.ids, images=faces.images, points=points)
    )
    assert wrong[[3, 50, 77]].all() and wrong.sum() <= 5


def test_good_labels_are_not_suspect_even_when_half_are_missing():
    faces = toy.read(Path("toy:300:4"))
    assert suspect_labels(faces).sum() <= 3
    assert 0.5 < np.median(outlier_scores(faces)) < 2


def test_too_few_faces_to_learn_a_shape_from_are_not_evaluated(toy_faces):
    assert np.isnan(outlier_scores(toy_faces[:50])).all()


def test_training_may_leave_out_suspect_faces_and_then_does(tmp_path):
    faces = toy.draw(220, seed=11)
    points = faces.points.copy()
    points[3] = points[3, faces.scheme.flip]
    faces = replace(faces, points=points)
    recipe = changed(
        RECIPE,
        suspect_labels="drop",
        epochs=1,
        architecture=ResNet(widths=(8,), blocks=(1,)),
        batch_size=50,
    )
    state = train(recipe, (faces[:200], faces[200:]), run_folder=tmp_path / "run").state
    assert state.steps == 4 and suspect_labels(faces[:200])[3]
    kept = prepare_faces(changed(recipe, suspect_labels="keep"), faces[:200])
    dropped = prepare_faces(recipe, faces[:200])
    assert (
        "toy/11/3" in kept.ids
        and "toy/11/3" not in dropped.ids
        and len(kept) == 200 > len(dropped) >= 196
    )


def test_faces_of_other_sizes_are_compared_in_their_boxes_or_not_at_all():
    faces = toy.draw(200, seed=11)
    scale = np.linspace(0.2, 5, 200, dtype=np.float32)
    boxes = (scale[:, None] * np.array([10, 10, 86, 86], np.float32)).astype(np.float32)
    points = faces.points * scale[:, None, None]
    points[3] = points[3, faces.scheme.flip]
    pictures = tuple(np.zeros((9, 9 + i), np.uint8) for i in range(200))
    found = suspect_labels(replace(faces, points=points, boxes=boxes, images=pictures))
    assert found[3] and found.sum() <= 4
    assert np.isnan(outlier_scores(replace(faces, points=points, images=pictures))).all()
