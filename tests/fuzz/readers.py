"""Every reader of files with a small sound input of our own making.

``make(folder)`` writes the files and returns the one to change; ``read(path)`` reads it and returns
what was read as arrays and words, to be compared and checked.
"""

import gzip
import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import published_sets
from pandas_file import write_h5
from PIL import Image

from nasion import prediction_formats
from nasion.data import cache
from nasion.data.corrections.change_list import Header, header_line, read_change_list
from nasion.data.corrections.gestures import (
    Change,
    Gesture,
    inverse,
    point_changes,
    to_line,
    with_checksum,
)
from nasion.data.datasets import (
    cfp,
    coco,
    cofw,
    cvat,
    deeplabcut,
    fgnet,
    fkd,
    halpe,
    helen,
    ibug68,
    imglab,
    imm,
    label_studio,
    labelme,
    lapa,
    mat3d,
    merl_rav,
    mtfl5,
    nasion_json,
    points_csv,
    points_long_csv,
    roboflow,
    sleap,
    toy,
    udacity68,
    webmorph,
    wflw,
    yolo_pose,
)
from nasion.data.datasets._points_table import read_boxes
from nasion.discovery import DATASETS
from nasion.errors import DataError
from nasion.evaluation import compare_runs, floor
from nasion.evaluation.reported_metrics import Errors, Scores
from nasion.inference import calibration, checkpoint, fold_runs, run_folder
from nasion.inference.backends import onnx
from nasion.inference.calibration import Calibration
from nasion.inference.fold_runs import Folds
from nasion.inference.training_record import TrainingRecord
from nasion.landmarks import scheme_file
from nasion.landmarks.catalog import imm58
from nasion.landmarks.face import Face, ImageResult
from nasion.landmarks.faces import Faces
from nasion.media.images import image_problem
from nasion.recipes import load_recipe
from nasion.training.state import TrainingState, saved_state

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
Read = list[Any]  # arrays and words


@dataclass(frozen=True)
class Reader:
    """``kind``: how its file is changed. ``names_file``: what its errors must contain."""

    kind: str
    make: Callable[[Path], Path]
    read: Callable[[Path], Read]


def _scheme(folder: Path) -> Path:
    parts = (("jaw", imm58.points[:13]),)
    scheme = replace(imm58, name="own", parts=parts, aliases=((imm58.points[0], "ear"),))
    scheme_file.write_scheme(folder / "scheme.toml", scheme, {"mirror": ["a note"]})
    return folder / "scheme.toml"


def _of_faces(faces: Any) -> Read:
    boxes = getattr(faces, "boxes", None)
    return [np.array(faces.ids), faces.points, np.zeros((0, 4)) if boxes is None else boxes]


def _faces(count: int = 3, scheme: Any = ibug68.SCHEME) -> Faces:
    return toy.draw(count, scheme, size=64, seed=3)


def _csv(folder: Path) -> Path:
    points_csv.write(_faces(scheme=fkd.SCHEME), folder / "t.csv")
    return folder / "t.csv"


def _numbered_csv(folder: Path) -> Path:
    lines = _csv(folder).read_text().splitlines()
    lines[0] = ",".join(["face", *(f"p{k}_{axis}" for k in range(15) for axis in "xy")])
    (folder / "t.csv").write_text("\n".join(lines) + "\n")
    return folder / "t.csv"


def _semicolon_csv(folder: Path) -> Path:
    text = _csv(folder).read_text().replace(",", ";").replace(".", ",")
    (folder / "t.csv").write_text(text)
    return folder / "t.csv"


def _of_labels(faces: Faces) -> Read:
    return [np.array(faces.ids), faces.points]


def _boxes_csv(folder: Path) -> Path:
    rows = "a.jpg,1,2.5,30,40\nb.jpg,-3,0,20,20\na.jpg,40,40,60,60.25\n"
    (folder / "b.csv").write_text("face,box_x0,box_y0,box_x1,box_y1\n" + rows)
    return folder / "b.csv"


def _read_boxes(path: Path) -> Read:
    names, boxes = read_boxes(path) if path.suffix == ".csv" else imglab.read_boxes(path)
    return [np.array(names), boxes]


def _udacity(folder: Path) -> Path:
    rows = [f"A_B_{i}0.jpg," + ",".join(map(str, range(i, 136 + i))) for i in range(3)]
    header = ",".join(["", *map(str, range(136))])
    (folder / "training_frames_keypoints.csv").write_text("\n".join([header, *rows]) + "\n")
    return folder / "training_frames_keypoints.csv"


def _kaggle(folder: Path) -> Path:
    fkd.write(toy.draw(2, seed=3), folder)
    return folder / "training.csv"


def _kaggle_gz(folder: Path) -> Path:
    data = _kaggle(folder).read_bytes()
    (folder / "training.csv").unlink()
    (folder / "training.csv.gz").write_bytes(gzip.compress(data, mtime=0))
    return folder / "training.csv.gz"


def _kaggle_zip(folder: Path) -> Path:
    data = _kaggle(folder).read_bytes()
    (folder / "training.csv").unlink()
    with zipfile.ZipFile(folder / "training.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("training.csv", data)
    return folder / "training.zip"


def _lookup(folder: Path) -> Path:
    rows = "1,1,nose_tip_x,\n2,1,nose_tip_y,\n3,7,left_eye_center_x,\n"
    (folder / fkd.LOOKUP).write_text("RowId,ImageId,FeatureName,Location\n" + rows)
    return folder / fkd.LOOKUP


def _xml(folder: Path) -> Path:
    faces = _faces()
    boxes = np.array([[1, 2, 60, 61]] * 3, dtype=np.float32)
    names = ("a/1.jpg", "a/2.jpg", "b/3.jpg")
    images = tuple(map(Path, names))
    imglab.write(replace(faces, ids=names, images=images, boxes=boxes), folder / "l.xml")
    return folder / "l.xml"


def _pts(folder: Path) -> Path:
    faces = _faces(1)
    Image.fromarray(faces.images[0]).save(folder / "a.png")
    rows = "\n".join(f"{x + 1:.3f} {y + 1:.3f}" for x, y in faces.points[0].tolist())
    (folder / "a.pts").write_text(f"version: 1\nn_points: 68\n{{\n{rows}\n}}\n")
    return folder / "a.pts"


def _published(name: str, labels: str) -> Callable[[Path], Path]:
    """A set of two faces; its first label file."""

    def make(folder: Path) -> Path:
        published_sets.WRITERS[name](folder, 2)
        return sorted(folder.glob(labels))[0]

    return make


def _asf(folder: Path) -> Path:
    faces = _faces(1, imm58)
    imm.write(Faces(scheme=imm58, ids=("01-1m",), images=faces.images, points=faces.points), folder)
    return folder / "01-1m.asf"


def _results() -> list[ImageResult]:
    faces = _faces()
    scores, box = np.linspace(0, 1, 68, dtype=np.float32), np.array([1, 2, 60, 61], np.float32)
    found = [Face(faces.scheme, points, box, 0.5, scores, scores) for points in faces.points]
    return [
        ImageResult("a.jpg", "a", (64, 64), tuple(found[:2])),
        ImageResult("b.jpg", "b", (64, 64), (found[2],)),
    ]


def _predictions(name: str) -> Callable[[Path], Path]:
    return lambda folder: prediction_formats.write(_results(), [name], folder)[0]


def _pts_predictions(folder: Path) -> Path:
    prediction_formats.write(_results(), ["pts"], folder)
    return folder / "a.pts"


def _read_predictions(path: Path) -> Read:
    path = path.parent if path.suffix == ".pts" else path
    scheme, faces = prediction_formats.read(path, ibug68.SCHEME)
    points = np.array([face.points for face in faces]).reshape(-1, len(scheme), 2)
    scores = [face.scores for face in faces if face.scores is not None]
    return [np.array([face.image for face in faces]), points, _Scores(np.array(scores))]


class _Scores(np.ndarray):
    """Marks what must lie within 0 and 1."""

    def __new__(cls, values: np.ndarray) -> "_Scores":
        return np.asarray(values, dtype=float).view(cls)


def _run(file: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        shutil.copytree(FIXTURES / "run-1", folder, dirs_exist_ok=True)
        if file == "scores.json":
            (folder / "evaluation-val").mkdir()
            text = json.dumps({"rmse": 1.5, "nme": 3.25, "mse_relative": 2})
            (folder / "evaluation-val" / file).write_text(text)
            return folder / "evaluation-val" / file
        return folder / file

    return make


def _todays_run(folder: Path) -> Path:
    recipe = load_recipe("imm_nose_khwaja")
    run_folder.create(folder, "imm_nose_khwaja", recipe, {"faces_key": "0", "faces": [3, 1]})
    return folder / run_folder.SETTINGS


def _read_recipe(path: Path) -> Read:
    run_folder.settings_of(path.parent)
    return [repr(run_folder.read_recipe(path.parent))]


def _read_history(path: Path) -> Read:
    rows = run_folder.read_history(path.parent)
    return [repr(rows)]


def _read_scores(path: Path) -> Read:
    return [repr(compare_runs.compare([path.parent.parent]).rows)]


def _folds(folder: Path) -> Path:
    fold_runs.write_folds(folder, Folds((("a", "b"), ("c",)), "key", ("keep=last",)))
    return folder / run_folder.FOLDS


def _calibration(folder: Path) -> Path:
    ratios = tuple(np.linspace(0, 3, len(calibration._QUANTILES)).tolist())
    calibration.write(Calibration(ratios=ratios, mean=1.25, points=300), folder)
    return folder / calibration.FILE


def _record(folder: Path) -> Path:
    prints = np.arange(96, dtype=np.uint8).reshape(3, 32)
    TrainingRecord("toy", prints).write(folder)
    return folder / "trained_on.json"


def _read_record(path: Path) -> Read:
    record = TrainingRecord.read(path.parent)
    return [record.data, record.fingerprints.astype(float)] if record else []


def _tensors(folder: Path) -> Path:
    row = {"epoch": 1, "loss": 2.5, "val": 3.5, "seconds": 0.25}
    facts = asdict(TrainingState(epoch=1, losses=[0.5], best=3.5, best_epoch=0, history=[row]))
    tensors = {"model.a": np.arange(6, dtype=np.float32).reshape(2, 3), "model.b": np.ones(2)}
    checkpoint.save_tensors(folder / run_folder.CHECKPOINT, tensors, facts)
    return folder / run_folder.CHECKPOINT


def _read_checkpoint(path: Path) -> Read:
    tensors, facts = checkpoint.load_tensors(path, "np")
    state = saved_state(facts, path)
    return [repr(state), *map(str, tensors), repr(tensors)]


def _onnx(folder: Path) -> Path:
    return Path(shutil.copy(FIXTURES / "model-1.onnx", folder / "m.onnx"))


def _read_onnx(path: Path) -> Read:
    model = onnx.open_file(path)
    return [repr(model.spec), repr(model.calibration)]


def _cache_entry(folder: Path) -> Path:
    cache.cached("fuzz", lambda: ({"a": np.arange(40.0)}, {"words": ["b", 2]}))
    shutil.copytree(cache.folder() / "fuzz", folder / "fuzz")
    return folder / "fuzz" / "entry.json"


def _cache_array(folder: Path) -> Path:
    return _cache_entry(folder).with_name("a.npy")


def _read_cache(path: Path) -> Read:
    """A damaged entry is made again, so it is read as if it were sound."""
    found = cache._load(path.parent)
    if found is None:
        raise DataError(f"{path}: made again")
    arrays, value = found
    return [repr(value), *map(str, arrays), *map(np.array, arrays.values())]


def _image(kind: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        Image.fromarray(_faces(1).images[0]).save(folder / f"a.{kind}")
        return folder / f"a.{kind}"

    return make


def _deep_image(kind: str) -> Callable[[Path], Path]:
    """16 bits, of which 12 are used."""

    def make(folder: Path) -> Path:
        values = _faces(1).images[0].astype(np.uint16) << 4
        Image.fromarray(values).save(folder / f"deep.{kind}")
        return folder / f"deep.{kind}"

    return make


def _read_image(path: Path) -> Read:
    if problem := image_problem(path):
        raise DataError(problem)
    return []


def _written(name: str, file: str, count: int = 2) -> Callable[[Path], Path]:
    """Labels of two faces of one image, as the format's own writer writes them."""

    def make(folder: Path) -> Path:
        module = DATASETS.load(name)
        faces = _faces(count, fkd.SCHEME)
        image = folder / module.IMAGE_FOLDER / "a.png"
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(faces.images[0]).save(image)
        module.write_labels(replace(faces, images=(image,) * count), folder)
        return folder / file

    return make


def _pandas(folder: Path) -> Path:
    points = _faces(2, fkd.SCHEME).points
    columns = [("me", name, axis) for name in fkd.SCHEME.points for axis in "xy"]
    rows = ["labeled-data/v/a.png", "labeled-data/v/b.png"]
    for row in rows:
        image = folder / row
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (64, 64)).save(image)
    return write_h5(folder / "CollectedData_me.h5", columns, rows, points.reshape(2, -1))


def _change_list(folder: Path) -> Path:
    """Gestures of every field, one undone."""
    points = ("chin", "Kinn außen")
    header = Header("anna", "own", points, {"labels.csv": "0"}, "2026-11-27T12:00:00Z")
    placed = {
        ("image", ""): Change(None, "b.jpg"),
        ("box", ""): Change(None, (0.0, 1.0, 30.0, 40.5)),
        ("points", "Kinn außen"): Change(None, (3.25, 4.0, "occluded")),
    }
    moved = point_changes({"chin": ((1.0, 2.0, "visible"), (5.5, 6.0, "visible"))})
    gestures = [
        Gesture("a.jpg", "move", moved, 1, id="1", time="t", seconds=1.5),
        Gesture("a.jpg", "move", inverse(moved), 2, id="2", time="t"),
        Gesture("a.jpg", "undo", moved, 3, id="3", time="t", of="2"),
        Gesture("b.jpg", "add", placed, 1, id="4", time="t"),
        Gesture("b.jpg", "note", {("note", ""): Change("", "ü")}, 2, id="5", time="t"),
        Gesture("b.jpg", "confirm", {("confirmed", ""): Change(None, points)}, 3, id="6", time="t"),
    ]
    (folder / "anna.jsonl").write_bytes(header_line(header) + b"".join(map(to_line, gestures)))
    return folder / "anna.jsonl"


def _read_change_list(path: Path) -> Read:
    states = read_change_list(path).state.faces.values()
    values = [(key, each) for state in states for key, each in state.values.items()]
    return [repr(values), *(np.array(e.after[:2]) for k, e in values if k[0] == "points")]


def _unsealed(folder: Path) -> Path:
    """The same without checksums, which would notice every change."""
    path = _change_list(folder)
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        value = json.loads(line)
        value.pop("crc")
        lines.append(json.dumps(value))
    path.write_text("\n".join(lines) + "\n")
    return path


def _read_unsealed(path: Path) -> Read:
    """Read with the right checksums: only the values are wrong."""
    sealed = path.with_name("sealed.jsonl")
    lines = []
    for line in path.read_bytes().splitlines():
        try:
            value = json.loads(line)
            lines.append(with_checksum(value) if isinstance(value, dict) and value else line)
        except (ValueError, RecursionError):
            raise DataError(f"{path}: not JSON") from None
    sealed.write_bytes(b"".join(lines))
    return _read_change_list(sealed)


def _floor(folder: Path) -> Path:
    errors = np.arange(12, dtype=np.float64).reshape(3, 2, 2)
    scores = Scores.of(Errors(errors, errors + 1, np.full((3, 2), 64.0), np.full(3, 0.05), 0.08))
    both = {"overall": scores.to_json(), "points": {"chin": scores.to_json()}}
    value = {"format": floor.FORMAT, "version": floor.VERSION, "people": ["anna", "ben"]}
    (folder / "floor.json").write_text(json.dumps(value | {"norms": {"box": both}}))
    return folder / "floor.json"


READERS = {
    "change list": Reader("bytes", _change_list, _read_change_list),
    "change list, sealed again": Reader("json", _unsealed, _read_unsealed),
    "floor": Reader("json", _floor, lambda p: [repr(floor.read_floor(p, "box", ("chin",)))]),
    "points csv": Reader("text", _csv, lambda p: _of_faces(points_csv.read(p))),
    "numbered csv": Reader("text", _numbered_csv, lambda p: _of_faces(points_csv.read(p))),
    "boxes csv": Reader("text", _boxes_csv, _read_boxes),
    "udacity csv": Reader("text", _udacity, lambda p: _of_faces(udacity68.read(p))),
    "kaggle csv": Reader("text", _kaggle, lambda p: _of_faces(fkd.read(p))),
    "kaggle gz": Reader("bytes", _kaggle_gz, lambda p: _of_faces(fkd.read(p))),
    "kaggle zip": Reader("bytes", _kaggle_zip, lambda p: _of_faces(fkd.read(p))),
    "kaggle lookup": Reader("text", _lookup, lambda p: [repr(fkd.read_lookup(p))]),
    "imglab xml": Reader("text", _xml, lambda p: _of_faces(imglab.read(p))),
    "imglab boxes": Reader("text", _xml, _read_boxes),
    "pts": Reader("text", _pts, lambda p: _of_faces(ibug68.read(p.parent))),
    "semicolon csv": Reader("text", _semicolon_csv, lambda p: _of_faces(points_csv.read(p))),
    "coco labels": Reader("json", _predictions("coco"), lambda p: _of_labels(coco.read(p))),
    "json labels": Reader("json", _predictions("json"), lambda p: _of_labels(nasion_json.read(p))),
    "jsonl labels": Reader(
        "json", _predictions("jsonl"), lambda p: _of_labels(nasion_json.read(p))
    ),
    "fgnet pts": Reader(
        "text", _published("fgnet", "*.pts"), lambda p: _of_faces(fgnet.read(p.parent))
    ),
    "cfp txt": Reader(
        "text",
        _published("cfp", "Fiducials/*/*/*.txt"),
        lambda p: _of_labels(cfp.read(p.parents[3])),
    ),
    "mtfl list": Reader("text", _published("mtfl5", "*.txt"), lambda p: _of_labels(mtfl5.read(p))),
    "webmorph tem": Reader(
        "text", _published("webmorph", "canada/*.tem"), lambda p: _of_faces(webmorph.read(p.parent))
    ),
    "wflw list": Reader("text", _published("wflw", "*.txt"), lambda p: _of_faces(wflw.read(p))),
    "merl pts": Reader(
        "text",
        _published("merl_rav", "*/*/*.pts"),
        lambda p: _of_labels(merl_rav.read(p.parents[2])),
    ),
    "lapa txt": Reader(
        "text",
        _published("lapa", "*/landmarks/*.txt"),
        lambda p: _of_faces(lapa.read(p.parents[2])),
    ),
    "helen txt": Reader(
        "text",
        _published("helen", "annotation/*.txt"),
        lambda p: _of_faces(helen.read(p.parents[1])),
    ),
    "halpe json": Reader(
        "json", _published("halpe", "*.json"), lambda p: _of_labels(halpe.read(p))
    ),
    "cofw mat": Reader("bytes", _published("cofw", "*.mat"), lambda p: _of_faces(cofw.read(p))),
    "3ddfa mat": Reader(
        "bytes", _published("mat3d", "*/*.mat"), lambda p: _of_faces(mat3d.read(p.parents[1]))
    ),
    "scheme toml": Reader("text", _scheme, lambda p: [repr(scheme_file.read_scheme(p))]),
    "asf": Reader("text", _asf, lambda p: _of_faces(imm.read(p.parent))),
    "cvat": Reader("text", _written("cvat", "annotations.xml"), lambda p: _of_labels(cvat.read(p))),
    "labelme": Reader("json", _written("labelme", "a.json"), lambda p: _of_labels(labelme.read(p))),
    "label studio": Reader(
        "json", _written("label_studio", "tasks.json"), lambda p: _of_labels(label_studio.read(p))
    ),
    "yolo labels": Reader(
        "text",
        _written("yolo_pose", "labels/a.txt"),
        lambda p: _of_labels(yolo_pose.read(p.parents[1])),
    ),
    "yolo yaml": Reader(
        "text", _written("yolo_pose", "data.yaml"), lambda p: _of_labels(yolo_pose.read(p))
    ),
    "deeplabcut": Reader(
        "text",
        _written("deeplabcut", "labeled-data/faces/CollectedData_nasion.csv"),
        lambda p: _of_labels(deeplabcut.read(p)),
    ),
    "deeplabcut h5": Reader("bytes", _pandas, lambda p: _of_labels(deeplabcut.read(p))),
    "roboflow": Reader(
        "json",
        _written("roboflow", "train/_annotations.coco.json"),
        lambda p: _of_labels(roboflow.read(p.parents[1])),
    ),
    "sleap": Reader("bytes", _written("sleap", "labels.slp"), lambda p: _of_labels(sleap.read(p))),
    "long csv": Reader(
        "text",
        _written("points_long_csv", "labels.csv"),
        lambda p: _of_labels(points_long_csv.read(p)),
    ),
    "predicted csv": Reader("text", _predictions("csv"), _read_predictions),
    "predicted json": Reader("json", _predictions("json"), _read_predictions),
    "predicted jsonl": Reader("json", _predictions("jsonl"), _read_predictions),
    "predicted coco": Reader("json", _predictions("coco"), _read_predictions),
    "predicted pts": Reader("text", _pts_predictions, _read_predictions),
    "run.json": Reader("json", _run("run.json"), _read_recipe),
    "run.json of today": Reader("json", _todays_run, _read_recipe),
    "history.json": Reader("json", _run("history.json"), _read_history),
    "folds.json": Reader("json", _folds, lambda p: [repr(fold_runs.read_folds(p.parent))]),
    "scores.json": Reader("json", _run("scores.json"), _read_scores),
    "calibration": Reader("json", _calibration, lambda p: [repr(calibration.read(p.parent))]),
    "training record": Reader("json", _record, _read_record),
    "checkpoint": Reader("bytes", _tensors, _read_checkpoint),
    "onnx": Reader("bytes", _onnx, _read_onnx),
    "cache entry": Reader("bytes", _cache_entry, _read_cache),
    "cache array": Reader("bytes", _cache_array, _read_cache),
    "jpeg": Reader("bytes", _image("jpg"), _read_image),
    "png": Reader("bytes", _image("png"), _read_image),
    "webp": Reader("bytes", _image("webp"), _read_image),
    "tiff": Reader("bytes", _image("tiff"), _read_image),
    "gif": Reader("bytes", _image("gif"), _read_image),
    "deep png": Reader("bytes", _deep_image("png"), _read_image),
    "deep tiff": Reader("bytes", _deep_image("tiff"), _read_image),
    "deep pgm": Reader("bytes", _deep_image("pgm"), _read_image),
}
