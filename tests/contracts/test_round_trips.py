"""What is written in a format reads back the same, for every format that has a writer."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import published_sets
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from nasion.data import convert
from nasion.data.datasets import recognise, toy
from nasion.data.label_reading import LabelReading
from nasion.discovery import DATASETS
from nasion.errors import NasionError
from nasion.landmarks.catalog import fkd15, imm58
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme

PRECISION = 1e-4  # pixels
OWN = Scheme(
    name="own",
    points=("linkes Auge außen", "right eye", "nose tip", "mouth 1", "Kinn"),
    mirror=(("linkes Auge außen", "right eye"),),
    edges=(("linkes Auge außen", "nose tip"), ("nose tip", "right eye")),
)
# Published sets hold their own scheme, complete, and images by their own names: see
# test_published_sets.py.
FORMATS = [name for name in convert.formats() if name not in published_sets.WRITERS]
# Formats that hold one scheme, and images of one face each.
ONE_SCHEME = {"fkd": fkd15, "imm": imm58}
NAMES = ("a.png", "über uns.png", "in folder/b 1.png", "in folder/c.d.png")


def faces_in(folder, name, draw):
    """Drawn faces with their images in ``folder``, within what the format holds."""
    scheme = ONE_SCHEME.get(name, OWN)
    images, owner = [], []
    names = [f"0{i + 1}-1m.png" for i in range(4)] if name == "imm" else NAMES
    for file in draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True)):
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        size = (96, 96) if name == "fkd" else (draw(st.integers(50, 400)), 300)
        Image.fromarray(np.full((size[1], size[0]), len(images), np.uint8)).save(path)
        images.append(path)
        owner += [path] * (1 if name in ONE_SCHEME else draw(st.integers(1, 3)))
    count, width = len(owner), len(scheme)
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    points = rng.uniform(1, 95, (count, width, 2)).astype(np.float32)
    # Two faces are two: their points are apart.
    points += np.arange(count, dtype=np.float32)[:, None, None] * (0 if name in ONE_SCHEME else 20)
    missing = rng.uniform(size=(count, width)) < (0 if name == "imm" else 0.3)
    missing[:, 0] = False
    points[missing] = np.nan
    occluded = (rng.uniform(size=(count, width)) < 0.3) & ~missing
    corners = np.sort(rng.uniform(-5, 300, (count, 2, 2)), axis=1)
    corners[:, 1] += 5
    # In the middle of pixels' edges, as a format of whole pixels holds them.
    boxes = np.rint(corners.reshape(count, 4)).astype(np.float32) - np.float32(0.5)
    return Faces(
        scheme=scheme,
        ids=tuple(map(str, range(count))),
        images=tuple(owner),
        points=points,
        boxes=None if draw(st.booleans()) else boxes,
        occluded=occluded,
    )


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_is_written_is_read_back_the_same(name, data):
    module = DATASETS.load(name)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "labels"
        folder.mkdir()
        faces = faces_in(folder / module.IMAGE_FOLDER, name, data.draw)
        written = module.write_labels(faces, folder)
        assert recognise(written) == name
        back = module.read(written, "all", scheme=faces.scheme)
        compare(faces, back.to(faces.scheme), module)
        if name not in NUMBERED:
            # The file alone tells its points' names.
            alone = module.read(written, "all", scheme=None)
            assert set(alone.scheme.points) <= set(faces.scheme.points)


# Formats that number the points: the scheme must be named.
NUMBERED = ("ibug68", "imglab")


def compare(faces, back, module):
    precision = getattr(module, "PRECISION", PRECISION) + 1e-6
    assert len(back) == len(faces)
    lost = convert._lost(faces, back)
    if module.__name__.endswith("fkd"):
        # The table holds the images: no files to tell faces by, but the same order.
        np.testing.assert_allclose(back.points, faces.points, atol=precision)
        return
    assert not {"faces without a point or box", "labelled points"} & set(lost)
    partner = convert._partners(faces, back)
    assert sorted(partner) == list(range(len(faces)))
    after = back[partner]
    np.testing.assert_allclose(after.points, faces.points, atol=precision)
    keeps = getattr(module, "KEEPS", ())
    if "occluded" in keeps:
        np.testing.assert_array_equal(convert._flags(after), convert._flags(faces))
    if "boxes" in keeps and faces.boxes is not None:
        np.testing.assert_allclose(after.boxes, faces.boxes, atol=2e-3)


@pytest.mark.parametrize("name", convert.formats())
def test_every_format_that_is_written_says_what_it_keeps(name):
    module = DATASETS.load(name)
    assert set(module.KEEPS) <= {"occluded", "boxes", "edges"}
    assert isinstance(module.IMAGE_FOLDER, str)


@pytest.fixture
def labels(tmp_path):
    """A table of three images: two faces in the first, missing points."""
    faces = toy.draw(3, fkd15, size=96, seed=4)
    for i, image in enumerate(faces.images):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    points = faces.points.copy()
    points[0, 3] = np.nan
    rows = [",".join(["image", *(f"{p}_{axis}" for p in fkd15.points for axis in "xy")])]
    for name, xy in zip(("0.png", "0.png", "1.png"), points, strict=True):
        values = ["" if np.isnan(v) else f"{v:.9g}" for v in xy.reshape(-1)]
        rows.append(",".join([name, *values]))
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "labels.csv"


def test_images_are_copied_and_the_result_says_what_to_give_as_data(labels, tmp_path):
    done = convert.convert(labels, tmp_path / "out", "coco")
    assert done.data == tmp_path / "out" / "annotations.json"
    assert (done.faces, done.images, done.lost) == (3, 2, {})
    assert (tmp_path / "out" / "images" / "0.png").read_bytes() == (tmp_path / "0.png").read_bytes()


def test_what_a_format_cannot_hold_is_counted(labels, tmp_path):
    first = convert.convert(labels, tmp_path / "first", "nasion_json").data
    text = first.read_text()
    first.write_text(
        text.replace('"points"', f'"occluded": {"[true" + ", false" * 14}], "points"', 1)
    )
    done = convert.convert(first, tmp_path / "second", "points_csv")
    assert done.lost == {"marks of occluded points": 1}
    rounded = convert.convert(first, tmp_path / "third", "imglab").lost
    assert rounded["marks of occluded points"] == 1 and rounded["fractions of pixels"] > 30


def test_a_folder_with_files_is_not_written_into(labels, tmp_path):
    with pytest.raises(NasionError, match="exists and is not an empty folder"):
        convert.convert(labels, tmp_path, "coco")
    with pytest.raises(NasionError, match="No format 'xlsx' can be written; there are cfp, coco"):
        convert.convert(labels, tmp_path / "out", "xlsx")


@pytest.mark.parametrize("is_there", [False, True])
def test_a_refused_conversion_leaves_nothing_behind(labels, tmp_path, is_there):
    target = tmp_path / "out"
    if is_there:
        target.mkdir()
    with pytest.raises(NasionError, match="58"):
        convert.convert(labels, target, "imm")
    assert target.exists() == is_there and not (is_there and any(target.iterdir()))
    assert convert.convert(labels, target, "coco").faces == 3


def test_every_fault_of_the_source_is_listed(labels, tmp_path):
    lines = labels.read_text().splitlines()
    for i in (1, 2):
        lines[i] = lines[i].replace(lines[i].split(",")[1], "left", 1)
    labels.write_text("\n".join(lines) + "\n")
    with pytest.raises(NasionError, match="2 faults") as error:
        convert.convert(labels, tmp_path / "out", "coco")
    assert "line 2" in str(error.value) and "line 3" in str(error.value)
    assert not (tmp_path / "out").exists()
    done = convert.convert(labels, tmp_path / "out", "coco", reading=LabelReading(skip_faults=True))
    assert done.faces == 1 and len(done.faults) == 2


def test_images_that_a_tag_turns_are_written_upright(labels, tmp_path):
    path = tmp_path / "1.png"
    image = Image.open(path)
    exif = image.getexif()
    exif[0x0112] = 6
    image.rotate(90, expand=True).save(tmp_path / "1.jpg", exif=exif, quality=95)
    labels.write_text(labels.read_text().replace("1.png", "1.jpg"))
    path.unlink()
    done = convert.convert(labels, tmp_path / "out", "coco")
    assert done.turned == 1
    upright = Image.open(tmp_path / "out" / "images" / "1.png")
    assert upright.getexif().get(0x0112) is None
    difference = np.asarray(upright.convert("L"), float) - np.asarray(image, float)
    assert np.abs(difference).mean() < 5


def test_images_that_differ_in_their_suffix_only_get_names_of_their_own(labels, tmp_path):
    Image.open(tmp_path / "1.png").save(tmp_path / "0.jpg")
    labels.write_text(labels.read_text().replace("1.png", "0.jpg"))
    convert.convert(labels, tmp_path / "out", "ibug68")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["0#2.pts", "0.png", "0.pts", "0_jpg.jpg", "0_jpg.pts"]


def test_drawn_faces_become_png_files(tmp_path):
    done = convert.convert(Path("toy:4:1"), tmp_path / "out", "points_csv")
    assert done.images == 4 and set(done.lost) == {"marks of occluded points"}


def test_a_face_with_nothing_labelled_is_counted_where_it_is_lost(tmp_path):
    faces = toy.draw(1, fkd15, size=96, seed=1)
    Image.fromarray(faces.images[0]).save(tmp_path / "a.png")
    empty = replace(faces, images=(tmp_path / "a.png",), points=np.full_like(faces.points, np.nan))
    lost = convert._lost(empty, empty[np.zeros(0, dtype=int)])
    assert lost == {"faces without a point or box": 1}


def test_the_command_writes_says_where_and_what_is_lost(labels, tmp_path):
    from typer.testing import CliRunner

    from nasion.app.cli import app

    words = ["data", "convert", str(labels), str(tmp_path / "out"), "--to", "imglab"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0
    assert "3 faces in 2 images written" in done.output and "labels.xml" in done.output
    assert "Lost, since imglab does not hold it" in done.output
