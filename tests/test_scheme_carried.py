"""An own scheme goes everywhere whole: cache, run folder, exported file, predictions."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import nasion
from nasion import prediction_formats
from nasion.data.datasets import nasion_json, toy
from nasion.data.load import pack_faces, unpack_faces
from nasion.errors import DataError
from nasion.inference.recipe_json import from_json, to_json
from nasion.landmarks.catalog import fkd15, ibug68
from nasion.landmarks.face import Face, ImageResult
from nasion.landmarks.scheme import Scheme
from nasion.recipes.toy_demo import RECIPE

OWN = Scheme(
    name="own4",
    points=("eyeR", "eyeL", "tip", "lip"),
    mirror=(("eyeL", "eyeR"),),
    edges=(("tip", "lip"),),
    norm=(("eyeR",), ("eyeL",)),
    parts=(("eyes", ("eyeR", "eyeL")),),
    aliases=(
        ("eyeR", "right_eye_center"),
        ("eyeL", "left_eye_center"),
        ("tip", "nose_tip"),
        ("lip", "mouth_center_bottom_lip"),
    ),
)


def test_the_cache_and_run_json_keep_all_of_a_scheme():
    faces = toy.draw(3, fkd15).to(OWN)
    assert unpack_faces(*pack_faces(faces)).scheme == OWN
    text = json.dumps(to_json(OWN))
    assert from_json(json.loads(text)) == OWN
    # As runs before parts and aliases have it.
    old = {k: v for k, v in json.loads(text).items() if k not in ("parts", "aliases")}
    assert from_json(old) == replace(OWN, parts=(), aliases=())


def test_run_and_exported_file_have_the_scheme_and_help_other_schemes(tmp_path):
    pytest.importorskip("torch")
    faces = toy.draw(40, fkd15, seed=1)
    own = replace(faces.to(OWN), images=faces.images)
    recipe = replace(RECIPE, spec=replace(RECIPE.spec, scheme=OWN), epochs=1, batch_size=16)
    nasion.train(recipe, own, run_folder=tmp_path / "run")
    from nasion.inference.export import export_model

    run = nasion.load_model(tmp_path / "run")
    export_model(run, tmp_path / "own.onnx")
    exported = nasion.load_model(tmp_path / "own.onnx")
    assert run.spec.scheme == exported.spec.scheme == OWN
    # Judged on labels of the catalog's names: those four points.
    result = nasion.evaluate(exported, faces)
    assert (
        result.overall.coordinates
        == 2 * faces.labelled[:, fkd15.index(dict(OWN.aliases).values())].sum()
    )
    assert len(result.left_out["points that the predictions' scheme lacks"]) == 11


def result_of(scheme, points):
    box = np.array([0, 0, 50, 50], np.float32)
    face = Face(scheme=scheme, points=points, box=box, score=1.0)
    return ImageResult(name="a.png", stem="a", size=(64, 64), faces=(face,))


def test_predictions_as_json_define_their_scheme_if_the_catalog_does_not(tmp_path):
    points = np.arange(8, dtype=np.float32).reshape(4, 2)
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    prediction_formats.write([result_of(OWN, points)], ["json"], tmp_path)
    path = tmp_path / "predictions.json"
    found = nasion_json.read(path)
    assert found.scheme == OWN and (found.points[0] == points).all()
    own, _ = prediction_formats.read(path, ibug68)
    assert own == OWN
    value = json.loads(path.read_text())
    value["scheme_definition"]["points"] = ["eyeL", "eyeR", "tip", "lip"]
    path.write_text(json.dumps(value))
    with pytest.raises(DataError, match=r"scheme_definition\.points: other points than the file's"):
        nasion_json.read(path)
    catalog = result_of(ibug68, np.ones((68, 2), np.float32))
    assert "scheme_definition" not in prediction_formats.to_text("json", [catalog])


def test_predictions_as_json_lines_define_their_scheme_once(tmp_path):
    points = np.arange(8, dtype=np.float32).reshape(4, 2)
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    Image.new("RGB", (64, 64)).save(tmp_path / "b.png")
    none = replace(result_of(OWN, points), faces=())
    second = replace(result_of(OWN, points + 1), name="b.png", stem="b")
    prediction_formats.write([none, result_of(OWN, points), second], ["jsonl"], tmp_path)
    path = tmp_path / "predictions.jsonl"
    lines = path.read_text().splitlines()
    assert ["scheme_definition" in line for line in lines] == [False, True, False]
    found = nasion_json.read(path)
    assert found.scheme == OWN and (found.points == [points, points + 1]).all()
    own, _ = prediction_formats.read(path, ibug68)
    assert own == OWN
    # What is requested may know more of the same points.
    more = replace(OWN, name="mine")
    assert nasion_json.read(path, scheme=more).scheme == more
    # Two such files in one.
    path.write_text("\n".join([*lines, lines[1].replace("a.png", "c.png")]))
    Image.new("RGB", (64, 64)).save(tmp_path / "c.png")
    assert nasion_json.read(path).scheme == OWN
    # The definition is missing, or is of another scheme.
    path.write_text(lines[2])
    with pytest.raises(DataError, match="line 1: it names no scheme that nasion knows"):
        nasion_json.read(path)
    assert nasion_json.read(path, scheme=OWN).scheme == OWN
    path.write_text("\n".join([lines[1], lines[2].replace('"own4"', '"own5"')]))
    with pytest.raises(DataError, match="line 2: it names no scheme that nasion knows"):
        nasion_json.read(path)
    value = json.loads(lines[1])
    value["scheme_definition"]["mirror"] = [["eyeL", "ear"]]
    path.write_text(json.dumps(value))
    with pytest.raises(
        DataError, match=r"line 1 scheme_definition\.mirror\[0\]\[1\]: 'ear' is none"
    ):
        nasion_json.read(path)
    catalog = result_of(ibug68, np.ones((68, 2), np.float32))
    assert "scheme_definition" not in prediction_formats.to_text("jsonl", [catalog])
