"""Folds: every face is held out once, and predicted by the run that held it out. --val: others."""

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from helpers import changed, run_command
from PIL import Image

import nasion
from nasion.data.datasets import points_csv, toy
from nasion.data.label_reading import AS_IT_SEEMS
from nasion.data.load import load_faces
from nasion.data.pool import load_pool
from nasion.data.splits import shared_persons
from nasion.errors import DataError, RunError, SettingError
from nasion.inference import run_folder
from nasion.inference.fold_runs import predict_held_out, read_folds
from nasion.landmarks.catalog import fkd15, ibug68
from nasion.landmarks.metrics import distances
from nasion.recipes.toy_demo import RECIPE
from nasion.training.processes import process_count
from nasion.training.state import Interrupted
from nasion.training.training_faces import load_sides

pytestmark = pytest.mark.slow

SMALL = changed(
    RECIPE,
    input_size=(32, 32),
    architecture=replace(RECIPE.architecture, widths=(4, 8, 8, 8)),
    batch_size=16,
    epochs=2,
)


@pytest.fixture(scope="module")
def faces():
    return toy.draw(30, seed=1)


@pytest.fixture(scope="module")
def result(tmp_path_factory, faces):
    return nasion.cross_validate(
        SMALL, faces, folds=3, run_folder=tmp_path_factory.mktemp("folds") / "run"
    )


def write_table(folder, faces, prefix=""):
    folder.mkdir(parents=True)
    names = tuple(f"{prefix}{i:03d}.png" for i in range(len(faces)))
    for name, image in zip(names, faces.images, strict=True):
        Image.fromarray(image).save(folder / name)
    points_csv.write(replace(faces, ids=names), folder / "labels.csv")
    return folder / "labels.csv"


@pytest.mark.parametrize("text", ["two", "1_0", "\u0663", "0", ""])
def test_a_number_of_processes_that_is_none_is_refused(monkeypatch, text):
    monkeypatch.setenv("WORLD_SIZE", text)
    with pytest.raises(SettingError, match=r"WORLD_SIZE in the environment is .* whole number"):
        process_count()
    assert process_count("LOCAL_WORLD_SIZE") == 1


def test_every_face_is_held_out_once_and_predicted_by_that_run(result, faces):
    folds = read_folds(result.folder).ids
    assert sorted(face for fold in folds for face in fold) == sorted(faces.ids)
    assert [len(fold) for fold in folds] == [10, 10, 10]
    expected = np.empty_like(faces.points)
    position = {face: i for i, face in enumerate(faces.ids)}
    for k, ids in enumerate(folds, start=1):
        at = [position[face] for face in ids]
        model = nasion.load_model(result.folder / f"fold-{k}")
        expected[at] = model.predict(faces[at]).points
    np.testing.assert_allclose(result.pooled.predictions.points, expected, atol=1e-4)
    errors = distances(faces.points, expected)
    # All points of all folds in one mean, not the mean of the folds' own.
    rmse = np.sqrt(np.mean((faces.points - expected) ** 2))
    assert result.pooled.overall.rmse == pytest.approx(rmse, rel=1e-5)
    assert errors.shape == (30, 15)


def test_mean_and_spread_over_the_folds_are_those_of_a_sample(result):
    nmes = [each.overall.nme for each in result.folds]
    mean, deviation = result.spread("nme")
    assert mean == pytest.approx(sum(nmes) / 3)
    assert deviation == pytest.approx((sum((v - mean) ** 2 for v in nmes) / 2) ** 0.5)
    written = json.loads((result.folder / "cross_validation.json").read_text())
    assert written["over_folds"]["nme"]["mean"] == pytest.approx(100 * mean, abs=0.01)
    assert [each["faces"] for each in written["folds"]] == [10, 10, 10]
    assert written["pooled"]["faces"] == 30


def test_evaluating_the_folder_gives_the_pooled_score_again(result, faces):
    again = nasion.evaluate(result.folder, faces)
    assert again.overall.rmse == pytest.approx(result.pooled.overall.rmse, rel=1e-6)
    shuffled = nasion.evaluate(result.folder, faces[::-1])
    assert shuffled.overall.rmse == pytest.approx(again.overall.rmse, rel=1e-6)
    with pytest.raises(SettingError, match=r"5 of 5 faces are in no fold .*'toy/9/0' first"):
        predict_held_out(result.folder, toy.draw(5, seed=9))
    with pytest.raises(RunError, match="cross-validation of several runs; name one of them"):
        nasion.load_model(result.folder)


def test_evaluating_an_unfinished_cross_validation_is_refused(
    tmp_path, faces, result, monkeypatch, capsys
):
    data = write_table(tmp_path / "data", faces)
    for what, state in {"cross_validation.json": "fold-3 was stopped", "fold-2": "fold-2"}.items():
        folder = tmp_path / f"without {what}"
        shutil.copytree(result.folder, folder, ignore=shutil.ignore_patterns(what))
        with pytest.raises(RunError, match="the cross-validation is unfinished") as refused:
            nasion.evaluate(folder, faces)
        assert state in str(refused.value)
        assert f"--folds 3 --run '{folder}' --resume" in str(refused.value)
        code, printed = run_command(monkeypatch, capsys, "evaluate", folder, "--data", data)
        assert code == 1 and state in printed, printed


def test_folds_that_were_stopped_go_on_as_if_they_had_not_been(tmp_path, faces, result):
    class Stop:
        def step(self, state, faces_per_second):
            if (state.epoch, state.step) == (1, 1):
                os.kill(os.getpid(), signal.SIGINT)

        def epoch(self, state, row):
            pass

    def observers(run):
        return (Stop(),) if run.name == "fold-2" else ()

    folder = tmp_path / "run"
    with pytest.raises(Interrupted):
        nasion.cross_validate(SMALL, faces, folds=3, run_folder=folder, observers=observers)
    assert not (folder / "fold-3").exists()
    with pytest.raises(RunError, match=r"\(no network in fold-3\).* --folds 3 .*--resume"):
        nasion.evaluate(folder, faces)
    with pytest.raises(RunError, match="already holds a cross-validation"):
        nasion.cross_validate(SMALL, faces, folds=3, run_folder=folder)
    with pytest.raises(RunError, match="already holds a cross-validation"):
        nasion.train(SMALL, faces, run_folder=folder)
    again = nasion.cross_validate(SMALL, faces, folds=3, run_folder=folder, resume=True)
    assert again.pooled.overall.rmse == result.pooled.overall.rmse
    for k in (1, 2, 3):
        weights = (folder / f"fold-{k}" / run_folder.WEIGHTS).read_bytes()
        assert weights == (result.folder / f"fold-{k}" / run_folder.WEIGHTS).read_bytes()


def test_folds_resumed_without_settings_go_on_with_those_they_began_with(tmp_path, faces):
    """As the message after Ctrl-C says: --resume alone."""

    class Stop:
        def step(self, state, faces_per_second):
            os.kill(os.getpid(), signal.SIGINT)

        def epoch(self, state, row):
            pass

    folder, few = tmp_path / "run", faces[:12]
    with pytest.raises(Interrupted):
        nasion.cross_validate(
            SMALL,
            few,
            folds=2,
            run_folder=folder,
            changes=["epochs=1", "seed=3"],
            observers=lambda run: (Stop(),),
        )
    with pytest.raises(SettingError, match="was started with other settings"):
        nasion.cross_validate(
            SMALL, few, folds=2, run_folder=folder, changes=["epochs=2"], resume=True
        )
    nasion.cross_validate(SMALL, few, folds=2, run_folder=folder, resume=True)
    for k in (1, 2):
        recipe = run_folder.read_recipe(folder / f"fold-{k}")
        assert (recipe.epochs, recipe.seed) == (1, 3)
    with pytest.raises(RunError, match="is no cross-validation"):
        nasion.cross_validate(SMALL, few, folds=2, run_folder=tmp_path / "no", resume=True)


def test_resuming_folds_with_other_faces_or_another_number_is_refused(result, faces):
    for changes in ({"folds": 2}, {"data": faces[1:]}):
        asked = {"data": faces, "folds": 3, **changes}
        with pytest.raises(RunError, match="other faces or another number of folds"):
            nasion.cross_validate(SMALL, run_folder=result.folder, resume=True, **asked)


def test_what_cannot_be_folded_is_refused(tmp_path, faces):
    with pytest.raises(SettingError, match="give it undivided"):
        nasion.cross_validate(SMALL, (faces[:20], faces[20:]), run_folder=tmp_path / "a")
    with pytest.raises(SettingError, match="hold_out=false trains on all faces"):
        nasion.cross_validate(changed(SMALL, hold_out=False), faces, run_folder=tmp_path / "b")
    assert not (tmp_path / "a").exists() and not (tmp_path / "b").exists()


def test_a_damaged_record_of_folds_is_refused_with_its_place(tmp_path):
    for text, message in (
        ("{", "not JSON"),
        ('{"format": 2, "faces_key": "", "ids": []}', "format 2"),
        ('{"format": 1, "faces_key": "", "ids": [["a"]]}', "two folds or more"),
        ('{"format": 1, "faces_key": "", "ids": [["a"], [3]]}', r"ids\[1\]\[0\]: 3 found"),
    ):
        (tmp_path / "folds.json").write_text(text)
        with pytest.raises(RunError, match=rf"folds.json.*{message}"):
            read_folds(tmp_path)


def test_validation_faces_of_another_path_are_all_used_and_the_others_trained_on(tmp_path, faces):
    mine = write_table(tmp_path / "mine", faces[:20])
    other = write_table(tmp_path / "other", toy.draw(9, seed=5))
    done = nasion.train(SMALL, mine, validation=other, run_folder=tmp_path / "run")
    record = run_folder.read_settings(done.folder)
    assert record["faces"] == [20, 9] and record["validation"] == str(other)
    model = nasion.load_model(done.folder)
    result = nasion.evaluate(model, load_pool([other], fkd15).faces)
    assert done.state.best == pytest.approx(result.overall.rmse, rel=1e-3)
    # Resumed only with the same validation faces.
    with pytest.raises(RunError, match="was trained on other faces"):
        nasion.train(SMALL, mine, run_folder=done.folder, resume=True)
    again = nasion.train(SMALL, mine, validation=other, run_folder=done.folder, resume=True)
    assert again.state == done.state


def test_a_person_on_both_sides_is_said(tmp_path, faces, caplog):
    persons = [f"{i // 2:02}" for i in range(len(faces))]

    def of(part, group="person", linked=True):
        values = tuple(np.array(persons)[part].tolist())
        return replace(faces[part], groups={group: values}, linked=(group,) if linked else ())

    # Two faces of each: 21 is of person 10, whose other face is trained on.
    train, val = slice(0, 21), slice(21, 26)
    with caplog.at_level(logging.WARNING, logger="nasion"):
        nasion.train(SMALL, of(train), validation=of(val), run_folder=tmp_path / "a")
    assert "1 of 5 validation faces is of a person that training faces are of" in caplog.text
    assert "(10 first)" in caplog.text
    assert shared_persons(of(train), of(val)) == {"person": [("10", 1)]}
    assert shared_persons(of(train), of(slice(18, 26))) == {"person": [("09", 2), ("10", 2)]}
    # Photographs are compared by their pixels, and a group that is not linked keeps nothing apart.
    assert shared_persons(of(train), of(slice(22, 26))) == {}
    assert shared_persons(of(train, "photograph"), of(val, "photograph")) == {}
    assert shared_persons(of(train, linked=False), of(val)) == {}
    assert shared_persons(of(train), faces[val]) == {}


def test_a_photograph_on_both_sides_is_said(tmp_path, faces, caplog):
    with caplog.at_level(logging.WARNING, logger="nasion"):
        nasion.train(SMALL, faces, validation=faces[25:], run_folder=tmp_path / "a")
    assert "5 of 5 validation faces show the same photograph as a training face" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="nasion"):
        nasion.train(SMALL, faces[:20], validation=faces[20:], run_folder=tmp_path / "b")
    assert "the same photograph" not in caplog.text


def test_validation_labels_without_a_point_of_the_recipe_are_refused_before_training(
    tmp_path, faces
):
    jaw = toy.draw(3, ibug68, seed=2)
    hidden = np.ones(jaw.labelled.shape, dtype=bool)
    hidden[:, :3] = False
    with pytest.raises(DataError, match=r"None of the 3 validation faces .* scheme fkd15"):
        nasion.train(
            SMALL, faces, validation=toy.hide_labels(jaw, hidden), run_folder=tmp_path / "run"
        )
    with pytest.raises(SettingError, match="given twice"):
        nasion.train(SMALL, (faces[:20], faces[20:]), validation=faces, run_folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def partly_labelled(faces, seed):
    """The faces, of which only eight have labels."""
    hidden = np.ones(faces.labelled.shape, dtype=bool)
    hidden[np.random.default_rng(seed).choice(len(faces), 8, replace=False)] = False
    return toy.hide_labels(faces, hidden)


def test_folds_and_sides_of_partly_labelled_faces_all_have_labels(tmp_path, faces):
    some = [partly_labelled(faces, seed) for seed in range(4)]
    for k, each in enumerate(some):
        train_faces, val_faces = load_sides(SMALL, each, None, AS_IT_SEEMS)
        assert len(train_faces) == 6 and val_faces.labelled.any(axis=1).tolist() == [True, True]
        path = write_table(tmp_path / f"table{k}", each)
        sides = load_sides(SMALL, path, None, AS_IT_SEEMS)
        assert [len(side) for side in sides] == [6, 2]
        # Evaluation may ask for other points, and still gets the same sides.
        own = load_faces(None, path, "val", whole_images=SMALL.spec.whole)
        assert own.ids == sides[1].ids
    short = replace(SMALL, epochs=1)
    found = nasion.cross_validate(short, some[0], folds=4, run_folder=tmp_path / "run")
    assert [len(fold.faces) for fold in found.folds] == [2, 2, 2, 2]


def test_a_validation_side_without_labels_is_refused_before_training(tmp_path, faces):
    hidden = toy.hide_labels(faces[20:], np.ones((10, 15), dtype=bool))
    for val_faces in (hidden, faces[:0]):
        text = rf"None of the {len(val_faces)} validation faces has a label of scheme fkd15"
        with pytest.raises(DataError, match=text):
            nasion.train(SMALL, (faces[:20], val_faces), run_folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_several_datasets_are_folded_together_without_leakage(tmp_path, faces):
    first = write_table(tmp_path / "a", faces[:12])
    # The same photographs once more, under other names.
    second = write_table(tmp_path / "b", faces[6:18], prefix="copy-")
    pool = load_pool([first, second], fkd15, whole_images=True)
    assert len(pool.faces) == 24 and pool.faces.ids[12] == "points_csv-2/copy-000.png"
    found = {(pair.first, pair.second) for pair in pool.similar_pairs()}
    assert {(6 + i, 12 + i) for i in range(6)} <= found


def command(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "nasion", *map(str, arguments)], capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


def test_the_commands_train_folds_and_validate_elsewhere(tmp_path, faces):
    """Ten faces, which no split by chance could divide."""
    ten = write_table(tmp_path / "ten", faces[:10])
    other = write_table(tmp_path / "other", faces[10:16])
    small = ("--set", "epochs=1")
    code, said = command("train", "toy_demo", "--data", ten, "--run", tmp_path / "a", *small)
    assert code == 0, said
    assert json.loads((tmp_path / "a" / "run.json").read_text())["faces"] == [8, 2]
    code, said = command(
        "train", "toy_demo", "--data", ten, "--val", other, "--run", tmp_path / "b", *small
    )
    assert code == 0 and f"--data {other} --split all" in said, said
    assert json.loads((tmp_path / "b" / "run.json").read_text())["faces"] == [10, 6]
    folder = tmp_path / "c"
    code, said = command("train", "toy_demo", "--data", ten, "--folds", 2, "--run", folder, *small)
    assert code == 0 and "fold 2" in said and "deviation" in said and "all faces" in said, said
    code, said = command("evaluate", folder, "--data", ten)
    assert code == 0 and (folder / "evaluation-all" / "scores.json").is_file(), said
    scores = json.loads((folder / "evaluation-all" / "scores.json").read_text())
    pooled = json.loads((folder / "cross_validation.json").read_text())["pooled"]
    assert scores["faces"] == 10 and scores["rmse"] == pytest.approx(pooled["rmse"], rel=1e-3)
    code, said = command("train", "toy_demo", "--data", ten, "--val", other, "--folds", 2)
    assert code == 1 and "--val and --folds exclude each other" in said
