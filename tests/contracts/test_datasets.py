"""Every dataset reads, by its name and by its path; every reader is told apart by its files."""

import inspect
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import published_sets
import pytest
from helpers import cut
from PIL import Image

from nasion import prediction_formats
from nasion.data import convert, datasets
from nasion.data.corrections.change_list import new_header
from nasion.data.corrections.gestures import Change, Gesture, point_changes
from nasion.data.corrections.writer import open_change_list
from nasion.data.datasets import ibug68 as ibug_folder
from nasion.data.datasets import imglab, imm, points_csv, toy
from nasion.data.label_check import check
from nasion.data.label_reading import LabelReading
from nasion.data.load import load_faces, load_train_val
from nasion.data.summary import summarize
from nasion.discovery import DATASETS
from nasion.errors import NasionError
from nasion.landmarks import geometry
from nasion.landmarks.catalog import fkd15, ibug68, imm58
from nasion.landmarks.face import Face, ImageResult
from nasion.landmarks.faces import Faces
from nasion.recipes import load_recipe


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """One small dataset of each kind of file, in folders by name."""
    tmp_path = tmp_path_factory.mktemp("originals")
    faces = toy.draw(110, seed=1)
    points_csv.write(faces, tmp_path / "points.csv")
    text = (
        (tmp_path / "points.csv")
        .read_text()
        .replace("face,", "face,box_x0,box_y0,box_x1,box_y1,", 1)
        .splitlines()
    )
    rows = [text[0], *(line.replace(",", ",0,0,95,95,", 1) for line in text[1:])]
    (tmp_path / "points.csv").write_text("\n".join(rows) + "\n")
    imm.write(
        named(
            toy.draw(60, imm58, seed=1, colour=True),
            [f"{i // 6 + 1:02d}-{i % 6 + 1}m" for i in range(60)],
        ),
        tmp_path / "imm",
    )
    folders = ("afw", "helen/trainset", "lfpw/trainset", "helen/testset", "ibug")
    many = named(
        toy.draw(60, ibug68, seed=1, size=48), [f"{folders[i % 5]}/{i}_1.png" for i in range(60)]
    )
    ibug_folder.write(many, tmp_path / "ibug")
    boxed = replace(many, boxes=geometry.points_box(many.points).astype(np.float32))
    imglab.write(boxed, tmp_path / "ibug" / "labels.xml")
    frames(named(many, [f"Person_{i // 4}_{i:02d}.png" for i in range(60)]), tmp_path / "udacity")
    predicted(toy.draw(60, ibug68, seed=1, size=48), tmp_path / "predicted")
    published_sets.write_all(tmp_path)
    for name in WRITTEN:
        written(many, tmp_path / "written" / name, DATASETS.load(name))
    return tmp_path


# Formats of labelling tools, as their own writers write them.
WRITTEN = [
    name
    for name in convert.formats()
    if name not in ("coco", "fkd", "ibug68", "imglab", "imm", "nasion_json", "points_csv")
    and name not in published_sets.WRITERS
]


def written(faces, folder, module):
    """Labels of all faces in this format, and their images."""
    images = [folder / module.IMAGE_FOLDER / name for name in faces.ids]
    for path, pixels in zip(images, faces.images, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return module.write_labels(replace(faces, images=tuple(images)), folder)


@pytest.fixture
def example(tmp_path, originals, kaggle_folder):
    """For each dataset, by its name: a path that it reads, a copy of the test's own, and the
    scheme that must be named.
    """
    shutil.copytree(originals, tmp_path, dirs_exist_ok=True)
    return {
        "coco": (tmp_path / "predicted" / "predictions.coco.json", ibug68),
        "fkd": (kaggle_folder, None),
        "ibug68": (tmp_path / "ibug", None),
        "imglab": (tmp_path / "ibug" / "labels.xml", None),
        "imm": (tmp_path / "imm", None),
        "nasion_json": (tmp_path / "predicted" / "predictions.jsonl", ibug68),
        "points_csv": (tmp_path / "points.csv", fkd15),
        "toy": (Path("toy:60"), None),
        "udacity68": (tmp_path / "udacity", None),
        **{name: (tmp_path / name, None) for name in published_sets.WRITERS},
        **{name: (tmp_path / "written" / name, ibug68) for name in WRITTEN},
    }


def named(faces, ids):
    return replace(faces, ids=tuple(ids))


def frames(faces, folder):
    """A table with images in a folder beside it, as Udacity serves them."""
    (folder / "training").mkdir(parents=True)
    lines = [",".join(["", *map(str, range(2 * len(faces.scheme)))])]
    for name, image, points in zip(faces.ids, faces.images, faces.points, strict=True):
        Image.fromarray(image).save(folder / "training" / name)
        lines.append(",".join([name, *map(str, points.reshape(-1).tolist())]))
    (folder / "training_frames_keypoints.csv").write_text("\n".join(lines) + "\n")


def predicted(faces, folder):
    """Images, and their faces as predict writes them."""
    results = []
    folder.mkdir()
    for i, (pixels, points) in enumerate(zip(faces.images, faces.points, strict=True)):
        Image.fromarray(pixels).save(folder / f"{i}.png")
        box = geometry.points_box(points).astype(np.float32)
        face = Face(
            scheme=faces.scheme, points=points, box=box, score=0.9, scores=None, expected=None
        )
        results.append(ImageResult(f"{i}.png", str(i), (48, 48), (face,), None))
    prediction_formats.write(results, ["coco", "jsonl"], folder)


@pytest.mark.parametrize("name", DATASETS.names())
def test_every_dataset_reads_and_is_recognised(name, example):
    path, scheme = example[name]
    module = DATASETS.load(name)
    assert datasets.recognise(path) == name
    assert module.SPLITS[0] == "all" and (module.SCHEME is None) == (scheme is not None)
    assert {"root", "split", "scheme", "faults"} <= set(inspect.signature(module.read).parameters)
    faces = load_faces(None, path, scheme=scheme)
    assert isinstance(faces, Faces) and len(faces) > 50 and faces.labelled.any()
    again = load_faces(name, path, scheme=scheme)  # from the cache, where there is one
    assert again.ids == faces.ids and again.groups == faces.groups
    np.testing.assert_array_equal(again.points, faces.points)
    if isinstance(faces.images, np.ndarray):
        np.testing.assert_array_equal(again.images, faces.images)


@pytest.mark.parametrize("name", DATASETS.names())
def test_every_dataset_is_summarised_and_checked(name, example):
    path, scheme = example[name]
    found = summarize(load_faces(name, path, scheme=scheme))
    assert sum(count for count, _ in found.patterns) + found.other_patterns == len(found.faces)
    assert check(path, LabelReading(dataset=name, scheme=scheme)).faults == []


@pytest.mark.parametrize("name", DATASETS.names())
def test_every_dataset_refuses_an_unknown_split_with_those_there_are(name, example):
    path, scheme = example[name]
    with pytest.raises(NasionError, match=r"No split 'dev' in .*all"):
        load_faces(name, path, "dev", scheme=scheme)
    with pytest.raises(NasionError, match="No split 'dev'"):
        DATASETS.load(name).read(path, "dev", scheme=scheme)


@pytest.mark.parametrize("name", [name for name in DATASETS.names() if name != "points_csv"])
def test_every_dataset_with_images_splits_honestly(name, example):
    # The persons of the small IMM all train.
    if name == "imm":
        write_validation_persons(example[name][0])
    train, val = load_train_val(name, example[name][0])
    assert not set(train.ids) & set(val.ids) and len(train) > 0 and len(val) > 0
    for group in train.linked:
        assert not set(train.groups[group]) & set(val.groups[group])


def write_validation_persons(folder):
    imm.write(named(toy.draw(6, imm58, seed=2), [f"33-{view}f" for view in range(1, 7)]), folder)


@pytest.mark.parametrize("name", DATASETS.names())
def test_every_dataset_reads_with_a_list_of_corrections(name, example, tmp_path):
    path, scheme = example[name]
    before = load_faces(name, path, scheme=scheme, whole_images=True)
    face, gone = 3, 5
    moved = int(np.flatnonzero(before.labelled[face])[0])
    point = before.scheme.points[moved]
    x, y = map(float, before.points[face, moved])
    hidden = before.occluded is not None and before.occluded[face, moved]
    was, marks = (x, y, "occluded" if hidden else "visible"), (x + 1.5, y + 0.25, "occluded")
    corrections = tmp_path / "anna.jsonl"
    with open_change_list(corrections, new_header("anna", before.scheme, {})) as opened:
        changes = point_changes({point: (was, marks)})
        opened.append(Gesture(before.ids[face], "move", changes, 1))
        removed = {("removed", ""): Change(False, True)}
        opened.append(Gesture(before.ids[gone], "remove", removed, 1))
    reading = LabelReading(dataset=name, scheme=scheme, corrections=corrections)
    found = load_faces(name, path, scheme=scheme, whole_images=True, reading=reading)
    kept = [i for i in range(len(before)) if i != gone]
    assert found.ids == tuple(before.ids[i] for i in kept)
    expected = before.points[kept]
    expected[face, moved] = marks[:2]
    np.testing.assert_allclose(found.points, expected, atol=1e-4)
    assert found.occluded is not None and found.occluded[face, moved]
    assert check(path, reading).faults == []
    again = load_faces(name, path, scheme=scheme, whole_images=True)
    np.testing.assert_array_equal(again.points, before.points)


def test_an_unrecognised_dataset_is_refused_with_the_option_that_names_it(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    for path in (tmp_path / "nowhere", tmp_path / "toys"):
        with pytest.raises(NasionError, match="there is no such file or folder"):
            load_faces(None, path)
    for path in (tmp_path, tmp_path / "a.csv"):
        names = ", ".join(DATASETS.names())
        with pytest.raises(NasionError, match=rf"--dataset \({names}\)"):
            load_faces(None, path)
    with pytest.raises(NasionError, match="No dataset 'kaggle'; there are cfp, coco"):
        load_faces("kaggle", tmp_path)


def test_a_missing_image_is_a_fault_and_stops_commands_that_need_it(example):
    path = example["imglab"][0]
    (path.parent / "afw" / "0_1.png").unlink()
    found = check(path, LabelReading(dataset="imglab")).faults
    assert len(found) == 1 and "afw/0_1.png: its image is not at" in str(found[0])
    with pytest.raises(NasionError, match=r"The image of face 'afw/0_1.png' is not at .*1 of"):
        cut(load_faces(None, path), load_recipe("ibug_resnet18"))


def test_a_box_far_larger_than_its_image_is_summarised(example):
    path = example["imglab"][0]
    path.write_text(path.read_text().replace("width='", "width='9999", 1))
    assert len(summarize(load_faces(None, path)).faces) == 60
