"""Evaluation: golden numbers, groups, matching, what is left out; the report and the submission."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import nasion
from nasion.app import tables
from nasion.data.datasets import fkd, imglab, points_csv, toy
from nasion.errors import DataError, RunError, SettingError
from nasion.evaluation import inspect_network, report, submission
from nasion.evaluation.evaluate import evaluate
from nasion.evaluation.matching import read_predictions
from nasion.evaluation.reported_metrics import table_row
from nasion.inference.backends.pytorch import TorchNetwork
from nasion.inference.predictor import Predictor
from nasion.landmarks import geometry
from nasion.landmarks.catalog import fkd15, ibug68, imm58, imm_nose
from nasion.landmarks.faces import Predictions
from nasion.recipe_settings import override
from nasion.recipes.fkd_resnet import RECIPE
from nasion.recipes.ibug_resnet18 import RECIPE as IBUG
from nasion.training.train import train


@pytest.fixture(scope="module")
def model(tmp_path_factory, kaggle_folder):
    small = override(RECIPE, ["epochs=1", "architecture.widths=8,16", "batch_size=32"])
    return nasion.load_model(
        train(small, kaggle_folder, run_folder=tmp_path_factory.mktemp("runs") / "run").folder
    )


def predicted(faces, shift=(0.0, 0.0)):
    return Predictions(
        scheme=faces.scheme,
        ids=faces.ids,
        points=(faces.points + np.float32(shift)).astype(np.float32),
    )


@pytest.mark.parametrize("norm", ["box", "outer_eye_corners", "pupils"])
def test_the_published_numbers_of_300w_private_come_out(real_data, norm):
    golden = real_data / "golden"
    expected = json.loads((golden / "expected.json").read_text())[norm]
    faces = nasion.load_faces("points_csv", golden / "300w_private_truth.csv", scheme=ibug68)
    found = evaluate(
        points_csv.read_predictions(golden / "300w_private_predictions.csv", ibug68),
        faces,
        norm=norm,
    ).to_json()
    assert len(faces) == 600 and not found["left_out"]
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=0.005 if name == "auc" else 0.0006), name


def test_a_three_pixel_shift_of_a_perfect_prediction(toy_faces):
    found = evaluate(
        predicted(toy_faces, (3, 0)), toy_faces, norm="left_eye_center:right_eye_center"
    )
    eyes = np.linalg.norm(toy_faces.points[:, 0] - toy_faces.points[:, 1], axis=1)
    assert found.overall.rmse == pytest.approx(
        np.sqrt(4.5), rel=1e-5
    ) and found.overall.nme == pytest.approx((3 / eyes).mean(), rel=1e-5)
    assert (
        found.points["nose_tip"].rmse == pytest.approx(np.sqrt(4.5), rel=1e-5)
        and found.overall.coordinates == 120 * 30
    )


def test_the_default_norm_and_threshold_are_the_schemes_own(toy_faces):
    found = evaluate(predicted(toy_faces), toy_faces)
    assert (found.norm, found.threshold) == ("pupils", 0.10)
    ibug = toy.draw(3, ibug68)
    assert (evaluate(predicted(ibug), ibug).norm, evaluate(predicted(ibug), ibug).threshold) == (
        "outer_eye_corners",
        0.08,
    )
    with pytest.raises(SettingError, match="threshold must be above 0"):
        evaluate(predicted(toy_faces), toy_faces, threshold=0.0)


def test_groups_are_reported_apart(toy_faces):
    source = ("a",) * 20 + ("b",) * 100
    faces = replace(toy_faces, points=toy_faces.points.copy(), groups={"source": source})
    faces.points[77] = faces.points[77][:, ::-1]  # a label that looks wrong
    points = faces.points.copy()
    points[20:, :, 1] += 2
    found = evaluate(Predictions(scheme=fkd15, ids=faces.ids, points=points), faces)
    assert found.groups["source"]["a"].rmse == 0 and found.groups["source"][
        "b"
    ].rmse == pytest.approx(np.sqrt(2))
    assert (
        found.groups["labels"]["plausible"].faces >= 110
        and 1 <= found.groups["labels"]["suspect"].faces <= 10
    )


def test_predictions_are_matched_by_id_or_by_file_name_in_any_order(toy_faces):
    faces = replace(toy_faces[:5], ids=tuple(f"dir/{i}.png" for i in range(5)))
    found = replace(predicted(faces), ids=tuple(f"/else/where/{i}.png" for i in range(5)))
    order = np.array([3, 1, 4, 0, 2])
    shuffled = Predictions(
        scheme=fkd15, ids=tuple(found.ids[i] for i in order), points=found.points[order]
    )
    assert evaluate(shuffled, faces).overall.rmse == 0
    stems = replace(found, ids=tuple(map(str, range(5))))
    assert evaluate(stems, faces).overall.rmse == 0
    with pytest.raises(SettingError, match=r"predictions are named as 'x0', faces as 'dir/0.png'"):
        evaluate(replace(found, ids=tuple(f"x{i}" for i in range(5))), faces)


def test_faces_left_out_are_named_and_a_missing_prediction_is_a_failure(toy_faces):
    hidden = np.zeros((120, 15), bool)
    hidden[0] = True
    hidden[1, 0] = True
    faces = toy.hide_labels(toy_faces, hidden)
    some = predicted(toy_faces)
    kept = Predictions(scheme=fkd15, ids=(*some.ids[:-1], "stranger"), points=some.points)
    found = evaluate(kept, faces)
    assert found.left_out == {
        "faces without a label": [faces.ids[0]],
        "faces whose norm (pupils) is not labelled or has no length, counted in RMSE only": [
            faces.ids[1]
        ],
        "faces without a prediction, counted as failures": [faces.ids[-1]],
        "predictions of no face here": ["stranger"],
    }
    assert found.overall.fr == pytest.approx(1 / 118) and found.overall.rmse == 0
    assert json.dumps(found.to_json()) and found.to_json()["p99"] is not None


def test_rows_say_how_many_faces_the_rmse_counts_beside_those_with_a_norm(toy_faces, capsys):
    hidden = np.zeros((120, 15), bool)
    hidden[:90, 0] = True
    hidden[:3] = True
    faces = replace(toy_faces, boxes=np.float32(geometry.points_box(toy_faces.points)))
    found = evaluate(predicted(faces), toy.hide_labels(faces, hidden))
    assert (found.overall.faces, found.overall.rmse_faces) == (30, 117)
    assert found.to_json()["faces"] == 30 and found.to_json()["rmse_faces"] == 117
    assert found.to_json()["points"]["nose_tip"]["rmse_faces"] == 117
    assert table_row("all", found.overall)[1] == "30 (RMSE 117)"
    tables.show_scores(found)
    printed = " ".join(capsys.readouterr().out.split())
    assert "nose_tip 30 (RMSE 117)" in printed
    assert "counted in RMSE only; --norm box counts 117 faces instead of 30 (" in printed
    page = report.page(found, title="", run=report.RunDetails())
    assert "30 (RMSE 117)" in page and "--norm box counts 117 faces instead of 30" in page
    assert f"{found.overall.coordinates} values of 117 faces" in page


def test_one_count_is_shown_where_all_numbers_are_of_the_same_faces(toy_faces, capsys):
    hidden = np.zeros((120, 15), bool)
    hidden[0, 0] = True
    faces = replace(toy_faces, boxes=np.float32(geometry.points_box(toy_faces.points)))
    few = evaluate(predicted(faces), toy.hide_labels(faces, hidden))
    tables.show_scores(few)
    # One face of 120 is not much: no other norm is proposed.
    assert "--norm" not in capsys.readouterr().out
    everyone = evaluate(predicted(toy_faces), toy_faces)
    assert table_row("all", everyone.overall)[1] == "120"


def test_ids_that_are_no_file_names_are_not_matched_by_their_last_part(toy_faces):
    with pytest.raises(SettingError, match="No prediction is for any of these faces"):
        evaluate(predicted(toy.draw(5, seed=8)), toy_faces)


def test_a_point_left_unpredicted_is_named_and_faces_without_labels_are_refused(toy_faces):
    points = toy_faces.points.copy()
    points[3, 10] = np.nan
    found = evaluate(Predictions(scheme=fkd15, ids=toy_faces.ids, points=points), toy_faces)
    assert found.left_out == {
        "faces with a labelled point not predicted, counted as failures": [toy_faces.ids[3]]
    }
    assert found.overall.fr == pytest.approx(1 / 120) and found.overall.nme == 0
    with pytest.raises(SettingError, match="None of the 120 faces has a label"):
        evaluate(predicted(toy_faces), toy.hide_labels(toy_faces, np.ones((120, 15), bool)))


def test_predictions_of_another_scheme_are_evaluated_on_the_shared_points(toy_faces):
    wide = toy.draw(5, ibug68, seed=3)
    found = evaluate(predicted(toy.draw(5, fkd15, seed=3)), wide, norm="outer_eye_corners")
    assert found.overall.fr == 0 and found.overall.nme < 1e-5 and found.overall.faces == 5
    assert (
        found.points["nose_tip"].rmse < 1e-4
        and len(found.left_out["points that the predictions' scheme lacks"]) == 68 - 13
    )


@pytest.mark.parametrize("header", ["named", "p{}_{}", "part_{}_{}", "numbers"])
def test_any_tools_csv_is_read(tmp_path, toy_faces, header):
    faces = toy_faces[:3]
    points_csv.write(predicted(faces), tmp_path / "a.csv")
    text = (tmp_path / "a.csv").read_text().splitlines()
    if header == "numbers":
        text[0] = "," + ",".join(map(str, range(30)))
    elif header != "named":
        text[0] = "file," + ",".join(header.format(i, axis) for i in range(15) for axis in "xy")
    (tmp_path / "a.csv").write_text("\r\n".join(text))
    np.testing.assert_array_equal(
        points_csv.read_predictions(tmp_path / "a.csv", fkd15).points, faces.points
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda t: t.replace("nose_tip_y", "nose_y"),
            "column nose_tip_y of scheme fkd15 is missing",
        ),
        (lambda t: "file,p0_x,p0_y\na,1,2\n", "columns for 1 points, scheme fkd15 has 15"),
        (
            lambda t: t.replace("\n", ",9\n", 2).replace(",9\n", "\n", 1),
            "line 2: has 32 columns, 31 expected",
        ),
        (lambda t: t + t.splitlines()[1] + "\n", "line 5: face 'toy/7/0' occurs a second time"),
        (
            lambda t: re.sub(r"(toy/7/0),[^,]*,", r"\1,abc,", t),
            "line 2: left_eye_center_x is 'abc', a number or nothing",
        ),
        (
            lambda t: re.sub(r"(toy/7/0),[^,]*,", r"\1,,", t),
            "line 2: half a point: left_eye_center_x is 'empty'",
        ),
        (
            lambda t: re.sub(r"(toy/7/0),[^,]*,", r"\1,inf,", t),
            "line 2: left_eye_center_x is 'inf', a number or nothing expected",
        ),
        (lambda t: t.splitlines()[0] + "\n", "no rows"),
        (
            lambda t: t.replace("face,", "face,box_x0,box_y0,box_x1,box_y1,").replace(
                "7/0,", "7/0,5,5,5,9,"
            ),
            "line 2: the box [5.0, 5.0, 5.0, 9.0]",
        ),
    ],
)
def test_a_bad_table_of_points_is_refused_with_its_line(tmp_path, toy_faces, change, message):
    points_csv.write(predicted(toy_faces[:3]), tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text(change((tmp_path / "a.csv").read_text()))
    with pytest.raises(DataError) as error:
        points_csv.read_predictions(tmp_path / "a.csv", fkd15)
    assert message in str(error.value) and "a.csv" in str(error.value)


def test_the_report_is_one_file_that_shows_everything(tmp_path, model, kaggle_folder):
    faces = nasion.load_faces("fkd", kaggle_folder, "val")
    history = [{"epoch": 1, "loss": 2.0, "val": 3.0, "val_loss": 2.5, "lr": 1e-3, "seconds": 1}]
    run = report.RunDetails(
        history, "epochs = 1", inspect_network.report_figures(model, RECIPE, faces)
    )
    page = report.write(evaluate(model, faces), tmp_path, title="a <title>", run=run)
    text = page.read_text()
    for part in (
        "a &lt;title&gt;",
        "Cumulative error distribution",
        "Error per point",
        "Best faces",
        "Worst faces",
        "By source",
        "By point",
        "By norm",
        "Largest errors",
        "MSE relative",
        "Validation score",
        "Training samples",
        "First layer&#39;s filters",
        "First layer&#39;s responses",
        "epochs = 1",
    ):
        assert part in text, part
    outside = [
        address
        for address in re.findall(r"(?:src|href)=\"([^\"]*)", text)
        if not address.startswith(("data:", "#"))
    ]
    assert not outside and "<script" not in text
    assert json.loads((tmp_path / "scores.json").read_text())["faces"] == len(faces)
    read = points_csv.read_predictions(tmp_path / "predictions.csv", fkd15)
    np.testing.assert_array_equal(read.points, model.predict(faces).points)


def test_a_report_without_images_or_norms_is_still_a_report(toy_faces):
    faces = replace(toy_faces[:4], images=tuple(map(__import__("pathlib").Path, "abcd")))
    assert "Best faces" not in report.page(
        evaluate(predicted(faces), faces), title="t", run=report.RunDetails()
    )
    hidden = np.zeros((4, 15), bool)
    hidden[:, 0] = True
    text = report.page(
        evaluate(predicted(faces), toy.hide_labels(toy_faces[:4], hidden)),
        title="t",
        run=report.RunDetails(),
    )
    assert "faces whose norm" in text and "Best faces" in text


def test_a_submission_has_every_requested_row_in_order_and_clipped(tmp_path, model, kaggle_folder):
    rows = submission.write(model, kaggle_folder, "kaggle", tmp_path / "s.csv")
    lines = (tmp_path / "s.csv").read_text().splitlines()
    lookup = fkd.read_lookup(kaggle_folder / fkd.LOOKUP)
    assert (
        lines[0] == "RowId,Location"
        and rows == len(lines) - 1 == len(lookup.row_ids) == 7 * 30 + 5 * 8
    )
    assert [int(line.split(",")[0]) for line in lines[1:]] == list(lookup.row_ids)
    values = np.array([float(line.split(",")[1]) for line in lines[1:]])
    assert values.min() >= 0 and values.max() <= 96
    points = model.predict(nasion.load_faces("fkd", kaggle_folder, "test")).points
    assert values[0] == pytest.approx(np.clip(points[0, 0, 0], 0, 96), abs=1e-5)
    assert values[-1] == pytest.approx(np.clip(points[11, 14, 1], 0, 96), abs=1e-5)


def test_a_lookup_table_with_an_unknown_image_or_point_is_refused(tmp_path, model, kaggle_folder):
    for name in ("test.csv", fkd.LOOKUP):
        (tmp_path / name).write_bytes((kaggle_folder / name).read_bytes())
    with (tmp_path / fkd.LOOKUP).open("a") as file:
        file.write("999,77,nose_tip_x,\n")
    with pytest.raises(
        DataError, match="asks for ImageId 77, which is not among the 12 test images"
    ):
        submission.kaggle(model, tmp_path)
    few = replace(model, spec=replace(model.spec, scheme=ibug68))
    with pytest.raises(RunError, match="asks for left_eye_center, which this run"):
        submission.kaggle(few, kaggle_folder)


def test_a_model_takes_arrays_paths_and_boxes(tmp_path, model, toy_faces):
    Image.fromarray(toy_faces.images[0]).save(tmp_path / "a.png")
    from_file = model([tmp_path / "a.png"])
    np.testing.assert_array_equal(from_file.points, model(toy_faces.images[:1]).points)
    shifted = model(
        [np.pad(toy_faces.images[0], ((5, 0), (9, 0)))],
        boxes=np.array([[8.5, 4.5, 104.5, 100.5]], np.float32),
        ids=["x"],
    )
    np.testing.assert_allclose(shifted.points, from_file.points + [9, 5], atol=1e-3)
    assert shifted.ids == ("x",)
    np.testing.assert_array_equal(model([str(tmp_path / "a.png")]).points, from_file.points)
    fractions = [toy_faces.images[0] / 255]
    np.testing.assert_allclose(model(fractions).points, from_file.points, atol=1e-3)
    for wrong in (toy_faces.images[0], [toy_faces.images[0] / 255 - 2]):
        with pytest.raises(DataError):
            model(wrong)


def test_all_usual_norms_are_reported_with_their_own_thresholds(toy_faces):
    faces = toy.draw(20, ibug68, seed=1)
    faces = replace(faces, boxes=geometry.points_box(faces.points).astype(np.float32))
    found = evaluate(predicted(faces, (5, 0)), faces)
    assert (
        list(found.norms) == ["box", "outer_eye_corners", "pupils"]
        and found.norm == "outer_eye_corners"
    )
    for name, threshold in (("box", 0.07), ("outer_eye_corners", 0.08), ("pupils", 0.10)):
        alone = evaluate(predicted(faces, (5, 0)), faces, norm=name)
        assert alone.threshold == threshold and found.norms[name] == alone.overall
    assert found.norms["pupils"].nme > found.norms["outer_eye_corners"].nme > found.norms["box"].nme
    assert "box (at 7 %)" in report.page(found, title="t", run=report.RunDetails())
    assert list(evaluate(predicted(toy_faces), toy_faces).norms) == ["outer_eye_corners", "pupils"]


def test_relative_errors_are_of_the_whole_image_even_if_its_files_are_elsewhere(toy_faces):
    found = evaluate(predicted(toy_faces, (9.6, 0)), toy_faces)
    assert found.overall.mse_relative == pytest.approx(
        0.01 / 2, rel=1e-4
    ) and found.overall.mae == pytest.approx(4.8, rel=1e-4)
    gone = evaluate(
        predicted(toy_faces), replace(toy_faces, images=(Path("nowhere.png"),) * len(toy_faces))
    )
    assert np.isnan(gone.overall.mse_relative) and gone.to_json()["mse_relative"] is None


def test_the_largest_errors_name_face_and_point(toy_faces):
    off = toy_faces.points.copy()
    off[7, 3] += 30
    off[2, 5] += 10
    rows = report.largest_errors(
        evaluate(Predictions(scheme=fkd15, ids=toy_faces.ids, points=off), toy_faces), 2
    )
    assert [row[0] for row in rows] == [toy_faces.ids[7], toy_faces.ids[2]]
    assert rows[0][2:] == (f"{30 * 2**0.5:.1f}", fkd15.points[3]) and rows[1][3] == fkd15.points[5]


@pytest.fixture
def course(tmp_path):
    """An imglab file without parts, with boxes that leave their images, and a run that predicts
    in its crops.
    """
    faces = toy.draw(12, ibug68, seed=3, size=80)
    for i, image in enumerate(faces.images):
        Image.fromarray(np.pad(image, ((i, 0), (2 * i, 5)))).save(tmp_path / f"{i}.png")
    boxes = np.array(
        [[2 * i - 10.5, i - 0.5, 2 * i + 69.5, i + 79.5] for i in range(12)], np.float32
    )
    blank = replace(
        faces,
        ids=tuple(f"{i}.png" for i in range(12)),
        boxes=boxes,
        points=np.full_like(faces.points, np.nan),
    )
    imglab.write(blank, tmp_path / "test.xml")
    small = override(
        IBUG, ["epochs=1", "spec.input_size=32,32", "architecture.widths=8,16", "batch_size=4"]
    )
    model = nasion.load_model(
        train(small, (replace(faces, boxes=None), faces[:4]), run_folder=tmp_path / "run").folder
    )
    return model, tmp_path / "test.xml", boxes


def test_the_courses_submission_counts_through_images_points_and_axes_in_full_images(
    course, tmp_path
):
    model, path, boxes = course
    assert submission.write(model, path, "course68", tmp_path / "out.csv") == 12 * 136
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0] == "Id,Predicted" and [int(line.split(",")[0]) for line in lines[1:]] == list(
        range(12 * 136)
    )
    values = np.array([float(line.split(",")[1]) for line in lines[1:]]).reshape(12, 68, 2)
    pictures = [tmp_path / f"{i}.png" for i in range(12)]
    np.testing.assert_allclose(values, model(pictures, boxes).points, atol=1e-4)


def test_a_submission_names_missing_files_and_columns(course, tmp_path, model):
    course_model, path, _ = course
    with pytest.raises(RunError, match="asks for jaw_right_1, which this run"):
        submission.write(model, path, "course68", tmp_path / "out.csv")
    with pytest.raises(SettingError, match="No submission format 'x'; there are kaggle, course68"):
        submission.write(course_model, path, "x", tmp_path / "out.csv")
    (tmp_path / "3.png").unlink()
    with pytest.raises(
        DataError,
        match=r"names 3.png, which is not at .*\(1 such in all\); put the images beside the file",
    ):
        submission.write(course_model, path, "course68", tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


class MeanFace(torch.nn.Module):
    """A network that says one face in its crop, whatever it sees."""

    def __init__(self, fractions):
        super().__init__()
        self.fractions = torch.tensor(fractions, dtype=torch.float32).reshape(1, -1)

    def forward(self, images):
        return self.fractions.expand(len(images), -1)


def test_the_mean_face_in_the_box_scores_what_the_facts_say_of_the_course(real_data, tmp_path):
    """A constant face scores about 12 % of the box on these crops.

    A wrong way back from the crop would score several times that.
    """
    folder = real_data / "ibug68"
    faces = nasion.load_faces("imglab", folder / "labels_ibug_300W_train.xml")[:200]
    grown = geometry.grow_box(faces.boxes, 0.125)
    fractions = (
        (faces.points - grown[:, None, :2]) / (grown[:, None, 2:] - grown[:, None, :2])
    ).mean(0)
    blank = replace(
        faces,
        points=np.full_like(faces.points, np.nan),
        ids=tuple(f"images/{Path(image).relative_to(folder)}" for image in faces.images),
    )
    (tmp_path / "images").symlink_to(folder)
    imglab.write(blank, tmp_path / "test.xml")
    network = TorchNetwork(MeanFace(fractions), IBUG.spec, torch.device("cpu"))
    submission.write(
        Predictor(IBUG.spec, network), tmp_path / "test.xml", "course68", tmp_path / "out.csv"
    )
    values = np.array(
        [float(line.split(",")[1]) for line in (tmp_path / "out.csv").read_text().splitlines()[1:]]
    ).reshape(-1, 68, 2)
    spread = np.abs(values - faces.points).mean()
    by_hand = np.abs(
        grown[:, None, :2] + fractions * (grown[:, None, 2:] - grown[:, None, :2]) - faces.points
    ).mean()
    assert spread == pytest.approx(by_hand, rel=1e-3) and spread < 12


def test_only_an_xml_file_has_the_courses_order(course, tmp_path, real_data):
    with pytest.raises(
        DataError,
        match="is not an imglab XML file; the course's submission follows the order of one",
    ):
        submission.write(course[0], real_data / "ibug68", "course68", tmp_path / "out.csv")


def test_predictions_are_matched_by_the_images_files_and_in_their_own_scheme(tmp_path):
    """As `nasion predict` writes them: the photographs' paths, the points of the run's scheme."""
    faces = toy.draw(3, imm58, seed=1)
    for i, image in enumerate(faces.images):
        Image.fromarray(image).save(tmp_path / f"0{i}-1m.png")
    faces = replace(
        faces,
        ids=("00-1m", "01-1m", "02-1m"),
        images=tuple(tmp_path / f"0{i}-1m.png" for i in range(3)),
    )
    nose = faces.to(imm_nose).points
    points_csv.write(
        Predictions(scheme=imm_nose, ids=tuple(map(str, faces.images)), points=nose),
        tmp_path / "p.csv",
    )
    found = evaluate(points_csv.read_predictions(tmp_path / "p.csv", faces.scheme), faces)
    assert (
        found.overall.rmse == 0
        and found.points["nose_base"].faces == 3
        and "faces without a prediction" not in " ".join(found.left_out)
    )


def test_a_report_leaves_faces_without_an_image_out_of_its_sheets(tmp_path, toy_faces):
    Image.fromarray(toy_faces.images[0]).save(tmp_path / "a.png")
    faces = replace(toy_faces[:2], images=(tmp_path / "a.png", tmp_path / "gone.png"))
    sheets = report.best_and_worst(evaluate(predicted(faces, (1, 0)), faces))
    assert [len(sheet.tiles) for sheet in sheets] == [1, 1]


def test_no_face_is_among_the_best_and_the_worst(toy_faces):
    for count, shown in ((5, 2), (4, 2), (1, 1)):
        faces = toy_faces[:count]
        sheets = report.best_and_worst(evaluate(predicted(faces, (1, 0)), faces))
        assert [len(sheet.tiles) for sheet in sheets] == [shown, shown]


def test_groups_of_hundreds_are_not_reported_apart(toy_faces):
    faces = replace(
        toy_faces,
        groups={"photograph": tuple(str(i // 2) for i in range(120)), "subset": ("a", "b") * 60},
    )
    assert (
        set(evaluate(predicted(faces), faces).groups) >= {"subset"}
        and "photograph" not in evaluate(predicted(faces), faces).groups
    )


@pytest.mark.parametrize("picked", [slice(None), slice(1, None, 2)])
def test_predictions_of_several_faces_of_an_image_match_by_image_and_place(tmp_path, picked):
    """As nasion names them, a.png and a.png#2; the images' whole paths are not in the file."""
    faces = toy.draw(6, size=64, seed=2)
    points = faces.points.copy()
    points[1::2, :, 0] += 64
    ids = tuple(f"{'abc'[i // 2]}.png" + ("#2" if i % 2 else "") for i in range(6))
    images = tuple(tmp_path / name.removesuffix("#2") for name in ids)
    drawn = np.asarray(faces.images)
    for first, second, path in zip(drawn[::2], drawn[1::2], images[::2], strict=True):
        Image.fromarray(np.concatenate([first, second], axis=1)).save(path)
    faces = replace(faces, ids=ids, images=images, points=points, occluded=None)
    points_csv.write(replace(faces, points=points + 1)[picked], tmp_path / "p.csv")
    predictions = read_predictions(tmp_path / "p.csv", faces)
    result = evaluate(predictions, faces)
    assert result.overall.rmse == pytest.approx(1, abs=1e-4)
    count = len(faces.ids[picked])
    assert len(result.left_out.get("faces without a prediction, counted as failures", [])) == (
        6 - count
    )
    assert "predictions of no face here" not in result.left_out
