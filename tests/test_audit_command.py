"""``nasion data audit`` from labels to suspects, and what training and evaluation make of them."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from helpers import run_command
from PIL import Image

from nasion.audit import networks
from nasion.audit.copies import copies_that_disagree
from nasion.audit.fault_rates import fit_faults
from nasion.audit.residuals import upright
from nasion.data.datasets import points_csv, toy
from nasion.data.suspects import read_audit
from nasion.landmarks.catalog import ibug68
from nasion.landmarks.faces import Predictions

pytestmark = pytest.mark.slow
WHOLE = ("shifted", "another size", "another face")
WRONG = {"3.png": ("sides exchanged",), "20.png": WHOLE, "33.png": WHOLE}


@pytest.fixture
def labels(tmp_path, monkeypatch):
    """Eighty toy faces with 68 points, three of them with wrong labels; short trainings."""
    monkeypatch.setattr(networks, "_FEWEST", 1500)
    monkeypatch.setattr(networks, "_PER_FACE", 0)
    faces = toy.draw(80, ibug68, size=120, seed=9)
    points = faces.points.copy()
    points[3] = points[3][ibug68.flip]
    points[20] += 12
    points[33] = (points[33] - 60) * 0.7 + 60
    ids = tuple(f"{i}.png" for i in range(80))
    for name, image in zip(ids, faces.images, strict=True):
        Image.fromarray(image).save(tmp_path / name)
    points_csv.write(replace(faces, ids=ids, points=points), tmp_path / "labels.csv")
    return tmp_path / "labels.csv"


def test_wrong_labels_are_found_listed_drawn_and_left_out(labels, monkeypatch, capsys):
    audit = ("data", "audit", labels)
    code, said = run_command(monkeypatch, capsys, *audit)
    assert code == 0 and "Looked for: single points, shifted" in said
    folder = labels.parent / "labels.csv.audit"
    assert sorted(path.name for path in folder.iterdir()) == [
        "audit.json", "suspects.csv", "suspects.png"
    ]  # fmt: skip
    found = read_audit(folder)
    kinds = {suspect.face: suspect.kind for suspect in found.suspects if suspect.chance > 0.5}
    assert all(kinds.get(face) in named for face, named in WRONG.items()) and len(kinds) <= 5
    rows = list(csv.DictReader((folder / "suspects.csv").open()))
    assert {row["face"] for row in rows} == {suspect.face for suspect in found.listed(0.1)}
    assert len([row for row in rows if row["face"] == "20.png"]) == 68

    # Corrected labels are looked at by the networks of before.
    monkeypatch.setattr(networks, "cross_validate", None)
    text = labels.read_text().splitlines()
    text[4] = text[5].replace("4.png", "3.png")  # still wrong, but otherwise
    labels.write_text("\n".join(text))
    code, said = run_command(monkeypatch, capsys, *audit)
    assert code == 0 and "The networks are those of before 1 face got other labels." in said
    assert read_audit(folder) != found

    code, said = run_command(
        monkeypatch, capsys, "evaluate", "face68_light", "--data", labels, "--out", folder / "e"
    )
    assert code == 0 and "without suspect labels" in said and "of all squared errors" in said
    run = labels.parent / "run"
    words = ("train", "--data", labels, "--run", run, "--set", "epochs=0", "--audited")
    code, said = run_command(monkeypatch, capsys, *words)
    assert code == 0 and "Left out as suspect: " in said


def test_an_audit_says_what_it_cannot_look_at(tmp_path, monkeypatch, capsys):
    faces = toy.draw(3, ibug68, size=120, seed=9)
    Image.fromarray(faces.images[0]).save(tmp_path / "0.png")
    points_csv.write(replace(faces[:1], ids=("0.png",)), tmp_path / "one.csv")
    code, said = run_command(monkeypatch, capsys, "data", "audit", tmp_path / "one.csv")
    assert code == 1 and "1 face is of one person or photograph" in said
    words = ("train", "--data", tmp_path / "one.csv", "--audited")
    code, said = run_command(monkeypatch, capsys, *words)
    assert code == 1 and "there is no audit; make one with `nasion data audit DATA`" in said


def test_a_copy_that_its_copies_labels_contradict_is_found():
    """Off by what a network alone could not be sure of, as labels of copies agree better."""
    rng = np.random.default_rng(0)
    copies, count = 12, 80
    faces = toy.draw(count, ibug68, size=120, seed=9)
    twice = np.r_[:count, :copies]
    points = faces.points[twice] + 0.5 * rng.normal(size=(count + copies, 68, 2))
    points[count, 36:40] += 5  # of an eye
    ids = tuple(map(str, range(count + copies)))
    doubled = replace(
        faces,
        images=faces.images[twice],
        points=points.astype(np.float32),
        ids=ids,
        occluded=None,
    )
    found = faces.points + 4 * rng.normal(size=(count, 68, 2))
    predicted = Predictions(
        scheme=ibug68,
        ids=ids,
        points=found[twice].astype(np.float32),
        expected=np.full((count + copies, 68), 5, dtype=np.float32),
    )
    residuals = upright(doubled, predicted)
    model = fit_faults(residuals, ibug68)
    explained = model.explain_all(residuals)
    assert explained[count].chance < 0.1
    suspects = copies_that_disagree(doubled, residuals, model, explained)
    assert [i for i in suspects if suspects[i].chance > 0.3] in ([0], [count])
