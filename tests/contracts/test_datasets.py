"""Every data set reads, by its name and by its path; every reader is told apart by its files."""

import inspect
from pathlib import Path

import numpy as np
import pytest

from nasion import datasets
from nasion.datasets import points_csv, toy
from nasion.errors import NasionError
from nasion.faces import Faces
from nasion.load import load_faces, load_sides
from nasion.schemes import fkd15
from nasion.survey import faults, survey


@pytest.fixture
def example(tmp_path, kaggle_folder):
    """For each data set, by its name: a path that it reads, and the scheme that must be named."""
    faces = toy.draw(110, seed=1)
    points_csv.write(faces, tmp_path / "points.csv")
    text = (tmp_path / "points.csv").read_text().replace("face,", "face,box_x0,box_y0,box_x1,box_y1,", 1).splitlines()
    rows = [text[0], *(line.replace(",", ",0,0,95,95,", 1) for line in text[1:])]
    (tmp_path / "points.csv").write_text("\n".join(rows) + "\n")
    return {"fkd": (kaggle_folder, None), "toy": (Path("toy:60"), None), "points_csv": (tmp_path / "points.csv", fkd15)}


@pytest.mark.parametrize("name", datasets.names())
def test_every_data_set_reads_and_is_recognised(name, example):
    path, scheme = example[name]
    module = datasets.named(name)
    assert datasets.recognised(path) == name
    assert module.SPLITS[0] == "all" and (module.SCHEME is None) == (scheme is not None)
    assert {"root", "split", "scheme", "faults"} <= set(inspect.signature(module.read).parameters)
    faces = load_faces(None, path, scheme=scheme)
    assert isinstance(faces, Faces) and len(faces) > 50 and faces.labelled.any()
    again = load_faces(name, path, scheme=scheme)  # from the cache, where there is one
    assert again.ids == faces.ids and again.groups == faces.groups
    np.testing.assert_array_equal(again.points, faces.points)
    if isinstance(faces.images, np.ndarray):
        np.testing.assert_array_equal(again.images, faces.images)


@pytest.mark.parametrize("name", datasets.names())
def test_every_data_set_is_surveyed_and_checked(name, example):
    path, scheme = example[name]
    found = survey(load_faces(name, path, scheme=scheme))
    assert sum(count for count, _ in found.patterns) + found.other_patterns == len(found.faces)
    assert faults(name, path, scheme)[0] == []


@pytest.mark.parametrize("name", datasets.names())
def test_every_data_set_refuses_an_unknown_split_with_those_there_are(name, example):
    path, scheme = example[name]
    with pytest.raises(NasionError, match=r"No split 'dev' in .*all"):
        load_faces(name, path, "dev", scheme=scheme)
    with pytest.raises(NasionError, match="No split 'dev'"):
        datasets.named(name).read(path, "dev", scheme=scheme)


@pytest.mark.parametrize("name", ["fkd", "toy"])
def test_every_data_set_with_pictures_splits_honestly(name, example):
    train, val = load_sides(name, example[name][0])
    assert not set(train.ids) & set(val.ids) and len(val) > 0


def test_what_is_no_data_set_is_refused_with_the_way_to_name_it(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    for path in (tmp_path, tmp_path / "a.csv", tmp_path / "nowhere", tmp_path / "toys"):
        with pytest.raises(NasionError, match=r"--dataset \(fkd, points_csv, toy\)"):
            load_faces(None, path)
    with pytest.raises(NasionError, match="No data set 'kaggle'; there is fkd"):
        load_faces("kaggle", tmp_path)
