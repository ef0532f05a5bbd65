"""imglab files: round trips, boxes and parts as dlib defines them, hostile and huge files."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import nasion
from nasion.data.datasets import imglab, toy
from nasion.data.splits import honest_split
from nasion.errors import DataError
from nasion.landmarks import geometry
from nasion.landmarks.catalog import ibug68, imm58


def file_of(
    tmp_path,
    body,
    head=(
        "<?xml version='1.0' encoding='ISO-8859-1'?>\n<?xml-stylesheet type='text/xsl' "
        "href='x.xsl'?>\n"
    ),
):
    path = tmp_path / "faces.xml"
    path.write_text(
        f"{head}<dataset>\n<name>n</name>\n<images>\n{body}\n</images>\n</dataset>\n",
        encoding="latin-1",
    )
    return path


def parts(count, start=0, form="{:d}"):
    return "".join(f"<part name='{form.format(k)}' x='{k}' y='{-k}'/>" for k in range(start, count))


def test_a_written_file_reads_back(tmp_path):
    faces = toy.draw(3, ibug68, seed=1, size=64)
    whole = np.rint(faces.points)
    hidden = np.zeros((3, 68), bool)
    hidden[1, 5] = True
    faces = replace(
        toy.hide_labels(replace(faces, points=whole.astype(np.float32)), hidden),
        boxes=(geometry.points_box(whole) + [-0.5, -0.5, 0.5, 0.5]).astype("f4"),
    )
    imglab.write(replace(faces, ids=("a/1.png", "a/1_mirror.png", "b/&2.png")), tmp_path / "f.xml")
    found = imglab.read(tmp_path / "f.xml")
    np.testing.assert_array_equal(found.points, faces.points)
    np.testing.assert_array_equal(found.boxes, faces.boxes)
    assert (
        found.ids == ("a/1.png", "a/1_mirror.png", "b/&2.png")
        and found.images[2] == tmp_path / "b/&2.png"
    )
    assert found.groups == {"subset": ("a", "a", "b"), "photograph": ("a/1", "a/1", "b/&2")}


def test_a_box_covers_whole_pixels_may_leave_the_image_and_several_are_numbered(tmp_path):
    box = "<box top='{}' left='{}' width='10' height='20'/>"
    path = file_of(
        tmp_path,
        (
            f"<image file='x.jpg' width='9' "
            f"height='9'>{box.format(0, 0)}{box.format(-5, -3)}</image><image file='y.jpg'/>"
        ),
    )
    found = imglab.read(path)
    np.testing.assert_array_equal(found.boxes, [[-0.5, -0.5, 9.5, 19.5], [-3.5, -5.5, 6.5, 14.5]])
    assert (
        found.ids == ("x.jpg#0", "x.jpg#1")
        and np.isnan(found.points).all()
        and found.scheme is ibug68
    )


@pytest.mark.parametrize("form", ["{:d}", "{:02d}"])
def test_part_names_are_numbers_whatever_their_order_or_noughts(tmp_path, form):
    names = [form.format(k) for k in range(68)]
    body = "".join(
        f"<part name='{name}' x='{int(name)}' y='7'/>" for name in sorted(names, reverse=True)
    )
    path = file_of(
        tmp_path,
        (
            f"<image file='x.jpg'><box top='0' left='0' width='10' "
            f"height='20'><label>m</label>{body}</box></image>"
        ),
    )
    found = imglab.read(path, scheme=imm58)
    assert found.scheme is ibug68  # 58 points cannot be meant
    np.testing.assert_array_equal(found.points[0, :, 0], np.arange(68))


def test_a_missing_part_is_not_labelled(tmp_path):
    path = file_of(
        tmp_path,
        (
            f"<image file='x.jpg'><box top='0' left='0' width='10' "
            f"height='20'>{parts(68, start=2)}</box></image>"
        ),
    )
    assert imglab.read(path).labelled[0].tolist() == [False] * 2 + [True] * 66


def named_parts(*names):
    return "".join(f"<part name='{name}' x='{i}' y='1'/>" for i, name in enumerate(names))


BOX = "<image file='x.jpg'>\n<box top='0' left='0' width='10' height='20'>{}</box></image>"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            BOX.format("<part name='3' x='1' y='1'/><part name='03' x='1' y='1'/>"),
            "faces.xml line 7: part '3' occurs twice in one box",
        ),
        (
            BOX.format("<part name='3' x='one' y='1'/>"),
            "faces.xml line 7: part '3' has x 'one', y '1'; numbers expected",
        ),
        (BOX.format("<part name='3' y='1'/>"), "part '3' has x None"),
        (
            BOX.replace("width='10'", "width='0'").format(""),
            "faces.xml line 7: a box with left '0', top '0', width '0', height '20'",
        ),
        (BOX.replace("top='0'", "").format(""), "top None"),
        (
            "<image><box top='0' left='0' width='1' height='1'/></image>",
            "an <image> without file='...'",
        ),
        (
            BOX.format(named_parts(*ibug68.points[:60], "nose")),
            "part 'nose' is not a point of scheme ibug68",
        ),
        ("<image file='x.jpg'>", "not well-formed XML"),
        ("", "it has no box"),
    ],
)
def test_a_broken_file_is_refused_by_its_line(tmp_path, body, message):
    with pytest.raises(DataError) as error:
        imglab.read(file_of(tmp_path, body))
    assert message in str(error.value)


def test_parts_that_no_scheme_names_are_points_of_their_own(tmp_path):
    body = BOX.format("<part name='snout' x='4' y='5'/><part name='left ear' x='1' y='2'/>")
    faces = imglab.read(file_of(tmp_path, body))
    assert faces.scheme.points == ("left ear", "snout")  # sorted, as dlib does
    assert faces.points[0].tolist() == [[1, 2], [4, 5]]


def test_parts_of_no_scheme_are_a_scheme_of_their_own(tmp_path):
    named = imglab.read(file_of(tmp_path, BOX.format(named_parts("eye_l", "eye_r", "nose"))))
    assert named.scheme.points == ("eye_l", "eye_r", "nose")
    assert named.scheme.mirror == (("eye_l", "eye_r"),)
    assert named.points[0, :, 0].tolist() == [0, 1, 2]
    mixed = BOX.format(parts(5) + named_parts("nose"))
    with pytest.raises(DataError, match="part 'nose' among parts that are numbered"):
        imglab.read(file_of(tmp_path, mixed))
    numbered = imglab.read(file_of(tmp_path, BOX.format(parts(70))))
    assert numbered.scheme.points == tuple(map(str, range(70)))
    with pytest.raises(DataError, match="numbered up to 69, which fits no scheme"):
        imglab.read(file_of(tmp_path, BOX.format(parts(70))), scheme=ibug68)
    with pytest.raises(DataError, match="'eye_l' is not a point of scheme ibug68"):
        imglab.read(file_of(tmp_path, BOX.format(named_parts("eye_l"))), scheme=ibug68)


def test_a_faulty_box_is_left_out_on_demand(tmp_path):
    body = BOX.format("<part name='3' x='1' y='1'/><part name='3' x='1' y='1'/>") + BOX.format("")
    faults = []
    found = imglab.read(file_of(tmp_path, body), faults=faults)
    assert len(found) == 1 and found.ids == ("x.jpg#1",) and len(faults) == 1


BOMB = "<!DOCTYPE d [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>]>\n"
OUTSIDE = "<!DOCTYPE d [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>\n"


@pytest.mark.parametrize("head", [BOMB, OUTSIDE, "<!DOCTYPE d SYSTEM 'http://localhost/x.dtd'>\n"])
def test_entities_and_outside_addresses_are_refused(tmp_path, head):
    body = BOX.format("")
    assert len(imglab.read(file_of(tmp_path, body))) == 1
    with pytest.raises(DataError, match="entities are refused"):
        imglab.read(file_of(tmp_path, body, head))


def test_a_parts_number_beyond_any_scheme_is_refused_by_its_line(tmp_path):
    with pytest.raises(DataError, match=r"line \d+: part '9{30}' is not a point's number"):
        imglab.read(file_of(tmp_path, BOX.format(f"<part name='{'9' * 30}' x='1' y='1'/>")))


@pytest.mark.slow
def test_memory_grows_by_the_faces_only(tmp_path):
    """20,000 boxes take what their arrays and ids take.

    A tree of the file would take ten times as much.
    """
    count = 20_000
    box = (
        "<box top='1' left='-2' width='30' height='40'><part name='0' x='1' y='3'/><part "
        "name='67' x='2' y='3'/></box>"
    )
    path = file_of(
        tmp_path,
        "\n".join(f"<image file='a/{i}.jpg'>{box * 10}</image>" for i in range(count // 10)),
    )
    tracemalloc.start()
    faces = imglab.read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(faces) == count
    assert peak < 4 * faces.points.nbytes + 1000 * count // 10, f"{peak / 1e6:.0f} MB"


def test_real_files_of_dlib_with_several_boxes_an_image(real_data):
    folder = real_data / "samples" / "dlib_faces"
    faces = nasion.load_faces(None, folder / "training_with_face_landmarks.xml")
    assert len(faces) == 18 and faces.complete.all() and len(set(faces.images)) < 18
    assert np.isnan(nasion.load_faces(None, folder / "testing.xml").points).all()


def test_boxes_marked_ignore_are_left_out_and_said(tmp_path, caplog):
    box = "<box top='0' left='{}' width='10' height='20' ignore='{}'/>"
    body = f"<image file='a.png'>{box.format(1, 0)}{box.format(2, 1)}{box.format(3, 0)}</image>"
    with caplog.at_level("INFO", "nasion"):
        found = imglab.read(file_of(tmp_path, body))
    assert found.ids == ("a.png#0", "a.png#2") and found.boxes[:, 0].tolist() == [0.5, 2.5]
    assert "faces.xml: boxes with ignore='1' are left out: 1." in caplog.text
    assert len(imglab.read_boxes(tmp_path / "faces.xml")[0]) == 2


@pytest.mark.parametrize("name", ["../a.png", "/etc/a.png", "b/../../a.png", "..\\a.png"])
def test_an_image_outside_the_data_is_refused_with_the_remedy(tmp_path, name):
    box = "<box top='0' left='1' width='10' height='20'/>"
    body = f"<image file='b.png'>{box}</image>\n<image file='{name}'>{box}</image>"
    path = file_of(tmp_path, body)
    with pytest.raises(DataError, match=r"faces.xml line 7: the image .* is outside .*; move the"):
        imglab.read(path)
    assert imglab.read(path, faults=[]).ids == ("b.png",)
    # Names of boxes to predict in are not opened.
    assert len(imglab.read_boxes(path)[0]) == 2


def test_windows_paths_are_read_on_every_system(tmp_path):
    body = "<image file='x\\b.png'><box top='0' left='1' width='10' height='20'/></image>"
    found = imglab.read(file_of(tmp_path, body))
    assert found.ids == ("x/b.png",) and found.images == (tmp_path / "x" / "b.png",)


def test_files_of_one_name_in_folders_of_persons_are_photographs_of_their_own(tmp_path):
    drawn = toy.draw(20, ibug68, seed=4, size=48)
    ids = tuple(f"person{i:02d}/{n}.png" for i in range(10) for n in ("left", "right"))
    boxes = geometry.points_box(drawn.points).astype(np.float32)
    imglab.write(replace(drawn, ids=ids, boxes=boxes), tmp_path / "faces.xml")
    for name, pixels in zip(ids, drawn.images, strict=True):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / name)
    faces = nasion.load_faces(None, tmp_path / "faces.xml")
    assert len(set(faces.groups["photograph"])) == 20
    train, val = honest_split(faces)
    assert len(val) == 4 and len(train) == 16
