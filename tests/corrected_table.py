"""A small table of labels and the gestures that change it, for tests of change lists."""

from dataclasses import replace

import numpy as np
from PIL import Image

import nasion
from nasion.data.corrections.change_list import list_path, new_header
from nasion.data.corrections.gestures import Change, Gesture, point_changes
from nasion.data.corrections.sources import source_hashes
from nasion.data.corrections.writer import open_change_list
from nasion.data.datasets import points_csv
from nasion.landmarks.faces import Predictions
from nasion.landmarks.scheme import Scheme

OWN = Scheme(
    name="labels",
    points=("rechtes Auge", "linkes Auge", "nose tip", "Kinn"),
    mirror=(("rechtes Auge", "linkes Auge"),),
)
NAMES = ("a.png", "über uns/b 1.png", "c.png", "c.png#2")


def points_of(i):
    return np.array([[20, 30], [60, 30], [40, 50], [40, 80]], np.float32) + i


def write_table(tmp_path):
    """Write a table of four faces of three images, one point missing; returns its file."""
    folder = tmp_path / "meine Daten"
    for name in NAMES[:3]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(len(name)).integers(0, 255, (100, 100), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
    points = np.stack([points_of(i) for i in range(4)])
    points[3] += 8
    points[0, 3] = np.nan
    points_csv.write(Predictions(scheme=OWN, ids=NAMES, points=points), folder / "labels.csv")
    return folder / "labels.csv"


def load(path, *lists, **more):
    return nasion.load_faces(None, path, reading=nasion.LabelReading(corrections=lists), **more)


def record(data, who, *gestures, scheme=OWN):
    """Write gestures, each with the revision that its turn has; returns the list."""
    path = list_path(data, who)
    with open_change_list(path, new_header(who, scheme, source_hashes(data))) as opened:
        for each in gestures:
            revision = opened.state.of(each.face, each.repeat).revision + 1
            opened.append(replace(each, revision=revision))
    return path


def moved(face, name, before, after):
    def value(at):
        return at if at is None or len(at) == 3 else (*map(float, at), "visible")

    return Gesture(face, "move", point_changes({name: (value(before), value(after))}), 1)


def flag(face, field, before, after, op):
    return Gesture(face, op, {(field, ""): Change(before, after)}, 1)
