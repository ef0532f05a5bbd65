"""``data check``: wrong labels in sets of any size, and what was not looked for."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nasion.data import label_places
from nasion.data.datasets import points_csv, toy
from nasion.data.label_check import check
from nasion.data.label_reading import LabelReading
from nasion.data.label_shapes import misfit, reference_face
from nasion.data.labelled_twice import labelled_twice
from nasion.data.swapped_pairs import swapped_pairs
from nasion.landmarks import geometry
from nasion.landmarks.catalog import fkd15
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme

COUNT = 12  # far fewer than a shape can be learnt from


@pytest.fixture(scope="module")
def faces():
    """Colour photographs of 120 x 90 pixels with a face on the left."""
    drawn = toy.draw(COUNT, fkd15, seed=4, size=80, colour=True)
    images = np.zeros((COUNT, 90, 120, 3), dtype=np.uint8)
    images[:, 5:85, 5:85] = drawn.images
    return replace(drawn, images=images, points=drawn.points + np.float32(5), occluded=None)


def written(folder, faces, boxes=None, exif=None):
    """A table of these faces; ``exif``: the orientation tag of all files."""
    names = tuple(f"{i}.png" for i in range(len(faces)))
    for name, image in zip(names, faces.images, strict=True):
        picture = Image.fromarray(image)
        tag = picture.getexif()
        if exif:
            tag[0x0112] = exif
        picture.save(folder / name, exif=tag)
    points_csv.write(replace(faces, ids=names), folder / "labels.csv")
    if boxes is not None:
        lines = (folder / "labels.csv").read_text().splitlines()
        rows = [lines[0].replace("face", "face,box_x0,box_y0,box_x1,box_y1", 1)]
        for line, box in zip(lines[1:], boxes, strict=True):
            rows.append(line.replace(",", "," + ",".join(map(str, box)) + ",", 1))
        (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return folder / "labels.csv"


def suspects(path, scheme=fkd15, exif=None):
    """What is wrong, by the face's number."""
    result = check(path, LabelReading(scheme=scheme, exif=exif))
    assert result.faults == []
    return {fault.place.removesuffix(".png"): fault.problem for fault in result.suspects}


def moved(faces, face, point, to):
    points = faces.points.copy()
    points[face, fkd15.points.index(point)] = to
    return replace(faces, points=points)


def test_sound_labels_of_few_faces_are_not_suspect_and_what_was_not_seen_is_said(tmp_path, faces):
    result = check(written(tmp_path, faces), LabelReading(scheme=fkd15))
    assert result.faults == [] and result.suspects == []
    assert "gross faults of single faces" in result.looked_for
    assert result.not_looked_for == {
        "boxes far from their faces": "there are none",
        "points that do not form a face": "it takes 100 faces to learn how faces vary; here are 12",
    }


def test_a_point_far_outside_its_image_is_found(tmp_path, faces):
    found = suspects(written(tmp_path, moved(faces, 3, "nose_tip", (1000, 40))))
    assert list(found) == ["3"]
    # Further faults of the same point may follow; each has its own line.
    all_found = [
        s.problem for s in check(tmp_path / "labels.csv", LabelReading(scheme=fkd15)).suspects
    ]
    assert all_found[0] == (
        "its point nose_tip is at 1000 40, far outside its image of 120 x 90 pixels."
    )
    # A face that the edge cuts off has points outside, too, but not far.
    cut = replace(faces, points=faces.points - np.float32([20, 0]))
    assert (cut.points < -1).any()
    (tmp_path / "cut").mkdir()
    assert suspects(written(tmp_path / "cut", cut)) == {}


def test_a_face_with_no_point_in_its_image_is_found(tmp_path, faces):
    points = faces.points.copy()
    points[5] += (130, 0)
    found = suspects(written(tmp_path, replace(faces, points=points)))
    assert list(found) == ["5"]
    assert found["5"].startswith("none of its points lies in its image of 120 x 90 pixels")


@pytest.mark.parametrize("value", [(-1, -1), (0, 0)])
def test_a_single_sentinel_is_found(tmp_path, faces, value):
    path = written(tmp_path, moved(faces, 7, "left_eye_center", value))
    reading = LabelReading(scheme=fkd15, missing="none")
    found = [(s.place, s.problem) for s in check(path, reading).suspects]
    assert (
        "7.png",
        (
            f"left_eye_center at {value[0]} {value[1]}, which tools write for a point that is not "
            "labelled; leave its cells empty."
        ),
    ) in found
    assert {place for place, _ in found} == {"7.png"}


def test_boxes_that_are_absurd_are_found(tmp_path, faces):
    boxes = geometry.points_box(faces.points.astype(float)).round(1)
    assert suspects(written(tmp_path, faces, boxes)) == {}
    boxes[1] = (-500000, -500000, 500000, 500000)
    boxes[2] = (300, 10, 400, 90)
    boxes[3] = (100, 60, 118, 88)
    found = suspects(written(tmp_path, faces, boxes))
    assert list(found) == ["1", "2", "3"]
    assert found["1"] == (
        "its box -500000 -500000 500000 500000 is far larger than its image of 120 x 90 pixels."
    )
    assert "lies outside its image" in found["2"]
    assert found["3"] == "its box 100 60 118 88 holds 0 of its 15 points."


def test_swapped_sides_and_a_misplaced_point_are_found_in_few_faces(tmp_path, faces):
    points = faces.points.copy()
    points[2] = points[2, fkd15.flip]
    k = fkd15.points.index("mouth_center_bottom_lip")
    points[9, k] = points[9, k] - (0, 60)
    found = suspects(written(tmp_path, replace(faces, points=points)))
    assert found["2"] == "left and right seem to be swapped in its labels."
    assert found["9"].startswith("its point mouth_center_bottom_lip is far from where the others")
    assert list(found) == ["2", "9"]


@pytest.mark.parametrize(
    "pair",
    [
        ("left_eye_inner_corner", "right_eye_inner_corner"),
        ("mouth_left_corner", "mouth_right_corner"),
        ("left_eye_outer_corner", "right_eye_outer_corner"),
    ],
)
@pytest.mark.parametrize("names", [True, False])
def test_a_single_swapped_pair_is_found_by_its_direction(tmp_path, faces, pair, names):
    """Also without names that the catalog knows, in a tilted face, and said once."""
    points = faces.points.copy()
    a, b = fkd15.index(pair)
    points[4, [a, b]] = points[4, [b, a]]
    middle = points[7].mean(axis=0)
    points[7] = (points[7] - middle) @ np.float32([[0.7, 0.7], [-0.7, 0.7]]) + middle
    points[7, [a, b]] = points[7, [b, a]]
    scheme = fkd15
    if not names:
        called = {name: f"q{i}" for i, name in enumerate(fkd15.points)}
        mirror = tuple((called[x], called[y]) for x, y in fkd15.mirror)
        scheme = Scheme(name="own", points=tuple(called.values()), mirror=mirror)
    result = check(
        written(tmp_path, replace(faces, scheme=scheme, points=points)), LabelReading(scheme=scheme)
    )
    assert [s.place for s in result.suspects] == ["4.png", "7.png"]
    shown = " and ".join(scheme.points[k] for k in (a, b))
    assert result.suspects[0].problem == (
        f"left and right seem to be swapped at {shown}, which lie the other way round than the "
        "face's other pairs; exchange their labels."
    )


def test_of_two_pairs_that_differ_neither_is_said_to_be_swapped(faces):
    """Nor is a pair that the scheme itself names the wrong way round."""
    points = faces.points.copy()
    a, b = fkd15.index(("mouth_left_corner", "mouth_right_corner"))
    points[4, [a, b]] = points[4, [b, a]]
    pairs = (("left_eye_center", "right_eye_center"), ("mouth_left_corner", "mouth_right_corner"))
    assert swapped_pairs(replace(faces, scheme=replace(fkd15, mirror=pairs), points=points)) == {}
    assert set(swapped_pairs(replace(faces, points=points))) == {4}
    points[:, [a, b]] = faces.points[:, [b, a]]
    assert swapped_pairs(replace(faces, points=points)) == {}


def test_the_misfit_is_a_fraction_of_the_faces_size_by_hand():
    """A square of 100 with one of its nine points off by 30: 0.3, wherever and however turned."""
    x, y = np.meshgrid([0.0, 50, 100], [0.0, 50, 100])
    reference = np.stack([x.ravel(), y.ravel()], axis=1)
    angle = np.deg2rad(40)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    points = 2 * reference @ turn + (7, -3)
    np.testing.assert_allclose(misfit(points, reference), 0, atol=1e-9)
    points[4] += (60, 0)  # 30 in the square's own units
    found = misfit(points, reference)
    assert found[4] == pytest.approx(0.3) and np.delete(found, 4).max() < 1e-9
    assert np.isnan(misfit(np.full((9, 2), np.nan), reference)).all()


def test_a_scheme_of_other_names_is_compared_with_its_own_median_face(tmp_path, faces):
    names = {name: f"q{i}" for i, name in enumerate(fkd15.points)}
    mirror = tuple((names[a], names[b]) for a, b in fkd15.mirror)
    own = Scheme(name="own", points=tuple(names.values()), mirror=mirror)
    mine = replace(faces, scheme=own)
    assert reference_face(mine) is not None and reference_face(mine[:9]) is None
    points = mine.points.copy()
    points[4, 2] += (0, 55)
    found = suspects(written(tmp_path, replace(mine, points=points)), own)
    assert list(found) == ["4"] and "its point q2 is far from where" in found["4"]
    few = check(written(tmp_path, mine[:9]), LabelReading(scheme=own))
    assert few.not_looked_for["gross faults of single faces"] == (
        "the scheme's names are not the catalog's, and fewer than 10 faces have half of the points"
    )


# The EXIF tag, and how many quarter turns counterclockwise store an upright image so.
@pytest.mark.parametrize(("orientation", "turns"), [(6, 1), (3, 2), (8, 3)])
@pytest.mark.parametrize("square", [False, True])
def test_labels_of_an_image_as_stored_are_found_and_those_as_shown_are_not(
    tmp_path, faces, orientation, turns, square
):
    upright = replace(faces, images=faces.images[:, :, :90]) if square else faces
    height, width = upright.images.shape[1:3]
    stored = replace(upright, images=np.rot90(upright.images, turns, axes=(1, 2)).copy())
    path = written(tmp_path, replace(stored, points=upright.points), exif=orientation)
    with Image.open(tmp_path / "0.png") as file:
        assert file.getexif()[0x0112] == orientation
    assert suspects(path) == {}  # labels of the image as it is shown
    x, y = upright.points[..., 0], upright.points[..., 1]
    for _ in range(turns):
        x, y, width, height = y, width - 1 - x, height, width
    path = written(tmp_path, replace(stored, points=np.stack([x, y], -1)), exif=orientation)
    assert suspects(path) == {}  # read as of the image as it is stored, and said
    found = suspects(path, exif="apply")
    assert len(found) == COUNT
    assert all(
        f"(orientation {orientation}), but its labels fit" in each for each in found.values()
    )


def test_a_table_without_any_image_is_said_and_its_points_are_checked(tmp_path, faces):
    path = written(tmp_path, moved(faces, 2, "nose_tip", (400, 40)))
    for image in tmp_path.glob("*.png"):
        image.unlink()
    result = check(path, LabelReading(scheme=fkd15))
    assert result.faults == []
    assert "nor is any other of the 12 faces'" in str(result.suspects[0])
    assert "evaluated, not trained on" in str(result.suspects[0])
    assert [s.place for s in result.suspects[1:]] == ["2.png"]
    assert result.not_looked_for["points far outside their images"] == "no image is there"


@pytest.mark.parametrize(("scale", "problem"), [(0.5, "left upper quarter"), (2.2, "1.8 times")])
def test_labels_of_images_of_another_size_are_noticed_without_stated_sizes(
    tmp_path, faces, scale, problem
):
    """A table does not say how large the images were that were labelled."""
    path = written(tmp_path, replace(faces, points=faces.points * np.float32(scale)))
    found = suspects(path)
    assert [place for place in found if place == "12 faces"] and problem in found["12 faces"]
    # Once for all, not point by point.
    assert not any("outside its image" in each for each in found.values())
    # Half as many faces are no set that is wrong.
    some = np.where(np.arange(COUNT)[:, None, None] % 3 == 0, np.float32(scale), np.float32(1))
    assert "12 faces" not in suspects(written(tmp_path, replace(faces, points=faces.points * some)))


def test_coordinates_relative_to_the_image_are_called_so(tmp_path, faces):
    """Not labels of images of half the size, whose points lie in the left upper quarter, too."""
    height, width = faces.images.shape[1:3]
    relative = faces.points / np.array([width, height], np.float32)
    path = written(tmp_path, replace(faces, points=relative))
    found = suspects(path)
    assert "all coordinates are between 0 and 1 (0." in found["12 faces"]
    assert "multiply x by the image's width and y by its height" in found["12 faces"]
    assert "quarter" not in str(found)
    # A missing image does not hide it.
    for image in tmp_path.glob("*.png"):
        image.unlink()
    assert any("between 0 and 1" in each.problem for each in check(path).suspects)
    # A single point in the corner of one image is a place.
    assert label_places.relative_places(replace(faces[:1], points=faces.points[:1] * 0)) == ""


def test_copies_of_a_file_with_other_labels_are_found(tmp_path, faces):
    images = faces.images.copy()
    images[8] = images[1]
    images[9] = images[2]
    points = faces.points.copy()
    points[8] = points[1] + 15
    points[9] = points[2] + 1
    found = suspects(written(tmp_path, replace(faces, images=images, points=points)))
    assert found == {
        "8": "the same image as 1.png, but their labels are 21.2 pixels apart on average."
    }


@pytest.mark.parametrize("shift", [4, 30])
def test_a_face_that_is_labelled_twice_in_one_image_is_found(tmp_path, faces, shift):
    """Two rows of one image; a second face beside the first is another."""
    path = written(tmp_path, faces)
    lines = path.read_text().splitlines()
    name, *values = lines[4].split(",")
    moved_row = [f"{float(v) + shift * (k % 2 == 0):g}" for k, v in enumerate(values)]
    beside = [f"{float(v) + 70 * (k % 2 == 0):g}" for k, v in enumerate(lines[8].split(",")[1:])]
    rows = [*lines, ",".join([name, *moved_row]), ",".join([lines[8].split(",")[0], *beside])]
    path.write_text("\n".join(rows) + "\n")
    result = check(path, LabelReading(scheme=fkd15))
    twice = [s for s in result.suspects if "labelled twice" in s.problem]
    assert [(s.place, s.problem) for s in twice] == [
        (
            f"{name}#2",
            f"it seems to be the same face of the same image as {name}, labelled twice "
            f"({shift:.1f} pixels apart on average); keep one of them.",
        )
    ]


def test_faces_of_two_annotators_are_not_labelled_twice(faces):
    images = tuple(Path(f"{i // 2}.png") for i in range(COUNT))
    points = np.repeat(faces.points[::2], 2, axis=0)
    points[1::2] += 2
    twice = replace(faces, images=images, points=points)
    assert [i for i, _ in labelled_twice(twice)] == list(range(1, COUNT, 2))
    sources = ("anna", "bert") * (COUNT // 2)
    assert list(labelled_twice(replace(twice, groups={"source": sources}))) == []


def test_many_faces_without_boxes_are_compared_with_each_other(tmp_path):
    drawn = toy.draw(120, fkd15, seed=6, size=48)
    points = drawn.points.copy()
    points[30] = points[30, fkd15.flip]
    result = check(written(tmp_path, replace(drawn, points=points)), LabelReading(scheme=fkd15))
    assert result.suspects[0].place == "30.png" and len(result.suspects) <= 2
    assert "points that do not form a face" in result.looked_for


def test_mirror_pairs_that_do_not_mirror_are_suspect(tmp_path, faces):
    wrong = replace(fkd15, name="mine", mirror=())
    result = check(written(tmp_path, faces), LabelReading(scheme=wrong))
    assert any("scheme mine" in str(s) and "no mirror pairs" in str(s) for s in result.suspects)


def test_labels_of_real_faces_are_not_suspect_in_small_sets(real_data, tmp_path):
    """Faces of 300-W in parts of 40, also with turned heads and cut by the image's edge."""
    from nasion.data.datasets import imglab
    from nasion.data.load import load_faces

    faces = load_faces("ibug68", real_data / "ibug68", "training")[::16]
    assert isinstance(faces, Faces) and len(faces) > 100
    wrong = 0
    for start in range(0, len(faces), 40):
        part = faces[start : start + 40]
        folder = tmp_path / str(start)
        folder.mkdir()
        names = tuple(f"{i}{path.suffix}" for i, path in enumerate(part.images))
        for name, path in zip(names, part.images, strict=True):
            shutil.copy(path, folder / name)
        imglab.write(replace(part, ids=names), folder / "labels.xml")
        wrong += len(check(folder / "labels.xml", LabelReading(dataset="imglab")).suspects)
    assert wrong <= 1
