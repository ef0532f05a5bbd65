"""Shared fixtures. Shapes in annotations are checked at run time, in tests only."""

import os
import shutil
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

install_import_hook("nasion", "typechecker.check")

import numpy as np  # noqa: E402

from nasion.data.datasets import fkd, toy  # noqa: E402


def pytest_collection_modifyitems(items):
    """What reads real data takes its time."""
    for item in items:
        if "real_data" in item.fixturenames:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """A cache for each test, deleted after it: all of them together would take gigabytes."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("NASION_CACHE", str(folder))
    yield
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def real_data():
    """The folder of real datasets that NASION_DATA names."""
    folder = os.environ.get("NASION_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("NASION_DATA names no folder of real data")
    return Path(folder).resolve()


@pytest.fixture(scope="session")
def toy_faces():
    """120 complete toy faces with 15 points."""
    return toy.draw(120, seed=7)


@pytest.fixture(scope="session")
def kaggle_folder(tmp_path_factory, toy_faces):
    """A small dataset in Kaggle's format, two annotators, made of toy faces."""
    folder = tmp_path_factory.mktemp("kaggle")
    four = np.isin(fkd.fkd15.points, fkd.FOUR_POINTS)
    hidden = np.zeros(toy_faces.labelled.shape, dtype=bool)
    hidden[60:] = ~four
    hidden[5, 7] = True
    fkd.write(toy.hide_labels(toy_faces, hidden), folder)
    asked = np.ones((12, 15), dtype=bool)
    asked[7:] = four
    fkd.write_test(toy_faces.images[:12], asked, folder)
    return folder
