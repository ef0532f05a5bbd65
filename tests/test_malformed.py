"""Files with one thing wrong: read as a person would, or refused with place, value and rule."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from fuzz.readers import FIXTURES, READERS
from PIL import Image

import nasion
from nasion import prediction_formats
from nasion.data import cache, label_check
from nasion.data.datasets import fkd, ibug68, toy
from nasion.data.label_reading import LabelReading
from nasion.data.load import load_faces
from nasion.errors import DataError, NasionError, RunError
from nasion.inference import checkpoint, run_folder
from nasion.inference.predictor import load_model
from nasion.media.csv_rows import csv_rows
from nasion.media.json_document import parse_document
from nasion.media.number_text import parse_coordinate, parse_whole


def first_number(text):
    """The first coordinate of the first face, as the tables below write it."""
    return text.splitlines()[1].split(",")[1]


def cell(value):
    return lambda text: text.replace(first_number(text), value, 1)


def value(*keys, to):
    """A value of a JSON file."""

    def change(text):
        document = json.loads(text)
        inner = document
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = to
        return json.dumps(document)

    return change


def swapped(old, new):
    def change(text):
        assert old in text
        return text.replace(old, new, 1)

    return change


FACE = ("images", 0, "faces", 0)
REFUSED = {
    "an underscore": ("points csv", cell("1_0"), "t.csv line 2: left_eye_center_x is '1_0'"),
    "arabic digits": ("points csv", cell("١٢"), "t.csv line 2: left_eye_center_x is '١٢'"),
    "no float32": ("points csv", cell("1e39"), "'1e39', at most 16,777,216 pixels expected"),
    "infinite": ("points csv", cell("inf"), "'inf', a number or nothing expected"),
    "a column twice": (
        "points csv",
        swapped("right_eye_center_x", "left_eye_center_x"),
        "t.csv line 1: column left_eye_center_x occurs twice",
    ),
    "a number twice": ("numbered csv", swapped("p1_x", "p0_x"), "column p0_x occurs twice"),
    "a name of 5,000 characters": (
        "boxes csv",
        swapped("b.jpg", "a" * 5000),
        "b.csv line 3: .*has 5000 bytes; file names have at most 255",
    ),
    "a field of 200,000 characters": (
        "boxes csv",
        swapped("b.jpg", "a" * 200_000),
        "b.csv line 3: not CSV .field larger than field limit",
    ),
    "no name": ("boxes csv", swapped("b.jpg", ""), "b.csv line 3: .*the name is empty"),
    "a box with an underscore": ("boxes csv", swapped(",30,", ",3_0,"), "b.csv line 2: .*'3_0'"),
    "a huge box": ("boxes csv", swapped(",30,", ",1e30,"), "b.csv line 2: .*'1e30', at most"),
    "an ImageId": (
        "kaggle lookup",
        swapped(",7,", ",١,"),
        "line 4: ImageId is '١', a whole number",
    ),
    "a part": ("imglab xml", swapped("x='", "x='1_"), "l.xml line 5: part '0' has x '1_"),
    "a box of 1e39": ("imglab xml", swapped("left='", "left='1e39"), "a box with left '1e39"),
    "a part's number": (
        "imglab xml",
        swapped('name="00"', 'name="٠"'),
        "part '٠' among parts that are numbered",
    ),
    "an unknown encoding": (
        "imglab xml",
        swapped("UTF-8", "UTF-7x"),
        "l.xml: .*unknown encoding: UTF-7x.*save it again as UTF-8",
    ),
    "a multi-byte encoding": ("imglab xml", swapped("UTF-8", "gbk"), "l.xml: .*save it again"),
    "a long image name": ("imglab xml", swapped("a/1.jpg", "a" * 5000), "line 4: .*5000 bytes"),
    "a coordinate of pts": ("pts", swapped("{\n", "{\n1_"), "a.pts: line 4: '1_"),
    "a point of asf": (
        "asf",
        swapped("\t0 \t12 \t1", "\t٠ \t12 \t1"),
        "01-1m.asf: line 9: .*a whole number from 0 expected",
    ),
    "a number as predictions": ("predicted json", lambda _: "5", "p.*json: 5 found, an object"),
    "no faces": ("predicted json", value(*FACE[:3], to=None), r"images\[0\].faces: null found"),
    "names in names": (
        "predicted json",
        value("point_names", to=[["a"]]),
        r"point_names\[0\]: a list",
    ),
    "no names": ("predicted json", value("point_names", to=None), "it has no 'point_names'"),
    "a name twice": (
        "predicted json",
        value("point_names", 1, to="jaw_right_1"),
        "point_names: .*'jaw_right_1' is a point twice",
    ),
    "a point of 1e39": (
        "predicted json",
        value(*FACE, "points", 3, 0, to=1e39),
        r"images\[0\].faces\[0\].points\[3\]\[0\]: 1e\+39 found, at most 16,777,216 pixels",
    ),
    "a point of 400 digits": (
        "predicted json",
        value(*FACE, "points", 3, 0, to=10**400),
        r"points\[3\]\[0\]: a number of more than 19 digits",
    ),
    "a point as text": (
        "predicted json",
        value(*FACE, "points", 3, 0, to="1"),
        "'1' found, a number",
    ),
    "half a point": ("predicted json", value(*FACE, "points", 3, 0, to=None), r"points\[3\]: half"),
    "no points": ("predicted json", value(*FACE, "points", to=None), "points: null found, a list"),
    "a score of 7": (
        "predicted json",
        value(*FACE, "scores", 0, to=7.0),
        r"scores\[0\]: 7.0 found",
    ),
    "a score of NaN": ("predicted json", value(*FACE, "scores", 0, to=float("nan")), "nan found"),
    "scores as text": (
        "predicted json",
        value(*FACE, "scores", to="x"),
        "scores: 'x' found, a list",
    ),
    "too few scores": ("predicted json", value(*FACE, "scores", to=[0.5]), "1 scores, 68 expected"),
    "a key twice": (
        "predicted json",
        swapped('"score": ', '"score": 1, "score": '),
        "the key 'score' occurs twice in one object",
    ),
    "deep nesting": ("predicted json", lambda _: "[" * 100_000, "nested too deeply"),
    "no annotations": ("predicted coco", value("annotations", to=None), "annotations: null found"),
    "categories as an object": (
        "predicted coco",
        value("categories", to={"a": 1}),
        "categories: an obj",
    ),
    "keypoints of two thirds": (
        "predicted coco",
        lambda text: text.replace(", 2]", "]", 1),
        r"annotations\[0\].keypoints: 203 numbers; 204 expected",
    ),
    "an image without id": (
        "predicted coco",
        swapped('"id": 1, ', ""),
        r"images\[0\]: it has no 'id'",
    ),
    "two images of one id": (
        "predicted coco",
        value("images", 1, "id", to=1),
        "two images have the id 1",
    ),
    "visibility 3": (
        "predicted coco",
        value("annotations", 0, "keypoints", 2, to=3),
        "visibility 3",
    ),
    "two kinds of categories": (
        "predicted coco",
        lambda text: value(
            "categories", to=[*json.loads(text)["categories"], {"keypoints": ["a"]}]
        )(text),
        "categories with different keypoints",
    ),
    "a face twice": (
        "predicted csv",
        lambda text: text + text.splitlines()[1] + "\n",
        "face 'a.jpg' occurs a second time with the same points",
    ),
    "a run file that is a list": ("run.json", lambda _: "[1]", "run.json: a list found, an object"),
    "no recipe": ("run.json", value("recipe", to=None), "run.json recipe: null found, an object"),
    "a number for a network": (
        "run.json of today",
        value("recipe", "architecture", to=5),
        "run.json recipe.architecture: 5 found, Architecture expected",
    ),
    "a function for a network": (
        "run.json of today",
        value("recipe", "architecture", to={"function": "squared_error"}),
        "recipe.architecture: .*Architecture expected",
    ),
    "a function of another module": (
        "run.json of today",
        value("recipe", "loss", to={"function": "os.system"}),
        "recipe.loss: this version has no recipe part os.system",
    ),
    "text for numbers": (
        "run.json of today",
        value("recipe", "spec", "input_size", to="abc"),
        r"recipe.spec.input_size: 'abc' found, tuple\[int, int\] expected",
    ),
    "a huge input": (
        "run.json of today",
        value("recipe", "spec", "input_size", to=[200_000, 200_000]),
        "recipe.spec: input_size must be at least 4,4 and at most 2048,2048",
    ),
    "a history without val": (
        "history.json",
        swapped('"val"', '"other"'),
        r"history.json \[0\]: it has no",
    ),
    "a history of words": (
        "history.json",
        value(0, "val", to="x"),
        r"history.json \[0\].val: 'x' found",
    ),
    "scores as a list": ("scores.json", lambda _: "[]", "scores.json: a list found, an object"),
    "scores of words": (
        "scores.json",
        value("nme", to="x"),
        "scores.json nme: 'x' found, a number",
    ),
    "quantiles that fall": (
        "calibration",
        value("ratios", 5, to=9),
        "ratios: .*numbers that do not fall",
    ),
    "a broken fingerprint": (
        "training record",
        value("fingerprints", to="AAAA"),
        "no fingerprints of 32",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_means_nothing_is_refused_with_its_place(case, tmp_path):
    name, change, message = REFUSED[case]
    path = READERS[name].make(tmp_path)
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(NasionError, match=message):
        READERS[name].read(path)


AS_A_PERSON = {
    "UTF-16": lambda text: text.encode("utf-16"),
    "a byte order mark": lambda text: text.encode("utf-8-sig"),
    "CR": lambda text: text.replace("\n", "\r").encode(),
    "CR LF": lambda text: text.replace("\n", "\r\n").encode(),
    "CR CR LF": lambda text: text.replace("\n", "\r\r\n").encode(),
    "blank lines": lambda text: text.replace("\n", "\n\n").encode(),
}


@pytest.mark.parametrize("name", ["points csv", "boxes csv", "predicted csv", "kaggle lookup"])
@pytest.mark.parametrize("case", AS_A_PERSON)
def test_any_line_ends_and_encodings_of_excel_are_read_the_same(case, name, tmp_path):
    path = READERS[name].make(tmp_path)
    sound = READERS[name].read(path)
    path.write_bytes(AS_A_PERSON[case](path.read_text(encoding="utf-8")))
    for found, wanted in zip(READERS[name].read(path), sound, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_the_line_of_a_row_is_that_of_the_file_whatever_its_ends(tmp_path):
    text = 'a,b\r\n\r\n"c\nd",e\r\nf\r\n'
    rows = list(csv_rows(text, tmp_path))
    assert rows == [(1, ["a", "b"]), (3, ["c\nd", "e"]), (5, ["f"])]


def test_blank_lines_of_jsonl_are_skipped_and_null_is_a_point_not_predicted(tmp_path):
    path = READERS["predicted jsonl"].make(tmp_path)
    lines = path.read_text().splitlines()
    image = json.loads(lines[0])
    image["faces"][0]["points"][5] = [None, None]
    path.write_text("\n\n" + json.dumps(image) + "\n\n" + lines[1] + "\n")
    _, faces = prediction_formats.read(path, ibug68.SCHEME)
    assert len(faces) == 3
    assert np.flatnonzero(np.isnan(faces[0].points[:, 0])).tolist() == [5]


@pytest.mark.parametrize(
    ("text", "number"), [("1.5", 1.5), (" -3 ", -3), ("1e3", 1000), ("+.5", 0.5)]
)
def test_numbers_as_people_write_them_are_read(text, number):
    assert parse_coordinate(text) == number


def test_whole_numbers_have_plain_digits_within_their_range():
    assert parse_whole("007") == 7 and parse_whole("5", high=5) == 5
    for text in ("", "-1", "6", "1.0", "٣", "²", "9" * 5000):
        with pytest.raises(ValueError, match="a whole number from 0 to 5 expected"):
            parse_whole(text, high=5)


def test_a_json_value_that_is_missing_names_its_path_and_what_is_there():
    document = parse_document('{"a": [{"b": 1}]}', "p.json")
    with pytest.raises(DataError, match=r"p.json a\[0\]: it has no 'c' but b;"):
        document["a"].elements()[0]["c"]
    with pytest.raises(DataError, match=r"p.json a\[0\].b: 1 found, text expected"):
        document["a"].elements()[0]["b"].text()


@pytest.fixture
def run(tmp_path):
    import shutil

    return Path(shutil.copytree(FIXTURES / "run-1", tmp_path / "run"))


@pytest.mark.parametrize("damage", ["cut", "NaN", "missing", "larger"])
def test_weights_that_are_cut_or_nan_or_do_not_fit_are_refused(run, damage):
    pytest.importorskip("torch")
    path = run / run_folder.WEIGHTS
    tensors, facts = checkpoint.load_tensors(path, "np")
    name = next(name for name, value in tensors.items() if value.ndim > 1)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    else:
        if damage == "missing":
            del tensors[name]
        elif damage == "NaN":
            tensors[name].reshape(-1)[0] = np.nan
        else:
            tensors[name] = np.concatenate([tensors[name]] * 2)
        checkpoint.save_tensors(path, tensors, facts)
    problem = {"cut": "damaged or truncated", "NaN": f"{name} holds NaN"}.get(damage, "do not fit")
    with pytest.raises(RunError, match=problem):
        load_model(run)


def test_a_flipped_bit_anywhere_in_weights_or_checkpoint_is_noticed(tmp_path):
    """Any of the bits of a small file: refused, or of no meaning to what is loaded."""
    path = tmp_path / "model.safetensors"
    arrays = {
        "layer.weight": np.arange(6, dtype=np.float32).reshape(2, 3) / 7,
        "steps": np.array(7),
    }
    checkpoint.save_tensors(path, arrays, {"epoch": 2})
    whole, refused = path.read_bytes(), 0
    for position in range(len(whole)):
        for bit in range(8):
            flipped = bytearray(whole)
            flipped[position] ^= 1 << bit
            path.write_bytes(flipped)
            try:
                found, facts = checkpoint.load_tensors(path, "np")
            except RunError as error:
                assert str(path) in str(error)
                refused += 1
                continue
            # As in the name of the checksum itself, or in padding.
            assert facts["epoch"] == 2 and found.keys() == arrays.keys()
            assert all(np.array_equal(found[name], arrays[name]) for name in arrays)
    assert refused > 0.9 * 8 * len(whole)


def test_weights_of_older_versions_have_no_checksum_and_load(run):
    pytest.importorskip("torch")
    from safetensors import safe_open

    with safe_open(run / run_folder.WEIGHTS, "np") as file:
        assert "checksum" not in file.metadata()["facts"]
    load_model(run)


def test_bfloat16_weights_have_a_checksum_too(tmp_path):
    torch = pytest.importorskip("torch")
    path = tmp_path / "a.safetensors"
    checkpoint.save_tensors(path, {"a": torch.arange(5, dtype=torch.bfloat16)}, {})
    assert torch.equal(checkpoint.load_tensors(path)[0]["a"], torch.arange(5).bfloat16())
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(RunError, match="its checksum is not that of its contents"):
        checkpoint.load_tensors(path)


def test_a_network_that_outputs_nan_is_refused_not_sure_of_it(run):
    pytest.importorskip("torch")
    model = load_model(run)

    sound = model.network
    # Past the check of types: a function stands for the network.
    object.__setattr__(model, "network", lambda images: sound(images) * np.nan)
    with pytest.raises(RunError, match="outputs NaN or infinity: its weights are damaged"):
        model.predict(toy.draw(2, model.spec.scheme, size=96))


def test_a_flipped_bit_in_the_cache_is_made_again(tmp_path):
    made = []

    def make():
        made.append(1)
        return {"a": np.arange(100.0)}, {"words": [1, 2]}

    for file in ("a.npy", "entry.json"):
        cache.cached("key", make)
        path = cache.folder() / "key" / file
        data = bytearray(path.read_bytes())
        data[-3] ^= 4
        path.write_bytes(data)
        before = len(made)
        arrays, value = cache.cached("key", make)
        assert len(made) == before + 1
        assert arrays["a"].tolist() == list(range(100)) and value == {"words": [1, 2]}


@pytest.fixture
def labelled_photographs(tmp_path):
    """Six faces; images 1 to 4 are cut, text, empty and gone."""
    faces = toy.draw(6, size=64, colour=True, seed=5)
    for i, pixels in enumerate(faces.images):
        Image.fromarray(pixels).save(tmp_path / f"{i}.jpg")
    cut = (tmp_path / "1.jpg").read_bytes()
    (tmp_path / "1.jpg").write_bytes(cut[: len(cut) // 2])
    (tmp_path / "2.jpg").write_text("dear diary")
    (tmp_path / "3.jpg").write_bytes(b"")
    (tmp_path / "4.jpg").unlink()
    rows = ["face," + ",".join(fkd.COLUMNS)]
    for i, points in enumerate(faces.points):
        rows.append(f"{i}.jpg," + ",".join(f"{v:.2f}" for v in points.reshape(-1)))
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "t.csv"


def test_damaged_images_are_faults_and_can_be_left_out(labelled_photographs):
    faults = label_check.check(labelled_photographs).faults
    found = {fault.place: fault.problem for fault in faults}
    assert list(found) == ["1.jpg", "2.jpg", "3.jpg", "4.jpg"]
    assert "the file is cut off" in found["1.jpg"] and "not a readable image" in found["2.jpg"]
    assert "the file is empty" in found["3.jpg"] and "its image is not at" in found["4.jpg"]
    assert load_faces(None, labelled_photographs).ids == tuple(f"{i}.jpg" for i in range(6))
    kept = load_faces(None, labelled_photographs, reading=LabelReading(skip_faults=True))
    assert kept.ids == ("0.jpg", "5.jpg")


def test_training_on_missing_images_says_how_many_and_how_to_go_on(labelled_photographs):
    run = labelled_photographs.parent / "run"
    for name in ("1.jpg", "2.jpg", "3.jpg"):
        (labelled_photographs.parent / name).unlink()
    with pytest.raises(DataError) as refused:
        nasion.train("finetune", labelled_photographs, run_folder=run)
    said = str(refused.value)
    assert re.match(
        r"The image of face '1.jpg' is not at .*1.jpg, nor are those of 3 more of 6", said
    )
    assert "--skip-faults" in said and "nasion data check lists all faults" in said
    for path in labelled_photographs.parent.glob("*.jpg"):
        path.unlink()
    with pytest.raises(DataError, match=r"nor are those of 5 more .* Put images where") as all_gone:
        nasion.train("finetune", labelled_photographs, run_folder=run)
    assert "--skip-faults" not in str(all_gone.value)


def test_a_table_without_any_image_is_read_all_the_same(labelled_photographs):
    for path in labelled_photographs.parent.glob("*.jpg"):
        path.unlink()
    assert len(load_faces(None, labelled_photographs, reading=LabelReading(skip_faults=True))) == 6
    assert label_check.check(labelled_photographs).faults == []


def test_images_that_are_there_and_all_damaged_are_no_empty_dataset(labelled_photographs):
    for i in range(6):
        (labelled_photographs.parent / f"{i}.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"None of the 6 images can be read; the first: 0\.jpg"):
        load_faces(None, labelled_photographs, reading=LabelReading(skip_faults=True))
