"""CVAT's XML: skeletons, loose points, groups, boxes, tracks, and what is refused."""

import numpy as np
import pytest
from PIL import Image

from nasion.data.datasets import cvat, recognise
from nasion.data.load import load_faces
from nasion.errors import DataError
from nasion.landmarks.catalog import ibug68

META = """<meta><task><labels>
<label><name>gesicht</name><type>skeleton</type><svg>&lt;line x1="1" data-type="edge" \
data-node-from="1" data-node-to="2"&gt;&lt;/line&gt;&lt;circle data-node-id="1" \
data-label-name="Auge links"&gt;&lt;/circle&gt;&lt;circle data-node-id="2" \
data-label-name="Nase"&gt;&lt;/circle&gt;</svg></label>
<label><name>Auge links</name><type>points</type><parent>gesicht</parent></label>
<label><name>Nase</name><type>points</type><parent>gesicht</parent></label>
<label><name>Kinn</name><type>points</type><parent>gesicht</parent></label>
</labels></task></meta>"""


def write(folder, *images, meta=META):
    """An export with these contents of images a.png, b.png, ..."""
    (folder / "images").mkdir()
    parts = []
    for name, inner in zip("abc", images, strict=False):
        Image.new("L", (100, 80)).save(folder / "images" / f"{name}.png")
        parts.append(f'<image id="0" name="{name}.png" width="100" height="80">{inner}</image>')
    text = f'<?xml version="1.0"?>\n<annotations><version>1.1</version>{meta}'
    (folder / "annotations.xml").write_text(text + "\n".join(parts) + "</annotations>")
    return folder / "annotations.xml"


def points(label, x, y, more=""):
    return f'<points label="{label}" outside="0" occluded="0" points="{x},{y}" {more}></points>'


def test_a_skeleton_is_a_face_with_hidden_and_missing_points(tmp_path):
    skeleton = (
        '<skeleton label="gesicht" z_order="0">'
        '<points label="Nase" outside="0" occluded="1" points="20.50,30.50"></points>'
        '<points label="Auge links" outside="0" occluded="0" points="10.50,11.00"></points>'
        '<points label="Kinn" outside="1" occluded="0" points="1,1"></points></skeleton>'
    )
    path = write(tmp_path, skeleton)
    assert recognise(path) == recognise(tmp_path) == "cvat"
    faces = load_faces(None, path)
    assert faces.scheme.points == ("Auge links", "Nase", "Kinn")  # as the task declares them
    assert faces.scheme.edges == (("Auge links", "Nase"),)
    # CVAT counts from the corner of the first pixel, half a pixel before its centre.
    np.testing.assert_allclose(faces.points[0, :2], [[10, 10.5], [20, 30]])
    assert np.isnan(faces.points[0, 2]).all()
    assert faces.occluded is not None and faces.occluded.tolist() == [[False, True, False]]
    assert faces.images[0] == tmp_path / "images" / "a.png"


def test_loose_points_are_of_the_box_that_contains_them(tmp_path):
    boxes = (
        '<box label="f" xtl="0" ytl="0" xbr="40" ybr="40"></box>'
        '<box label="f" xtl="50" ytl="0" xbr="90" ybr="40"></box>'
    )
    loose = points("eye", 10, 10) + points("nose", 60, 20) + points("eye", 70, 10)
    faces = cvat.read(write(tmp_path, boxes + loose))
    assert faces.scheme.points == ("eye", "nose") and len(faces) == 2
    np.testing.assert_allclose(faces.points[1], [[69.5, 9.5], [59.5, 19.5]])
    np.testing.assert_allclose(faces.boxes[0], [-0.5, -0.5, 39.5, 39.5])
    assert faces.ids == ("a.png", "a.png#2") and faces.linked == ("photograph",)


def test_loose_points_of_one_group_are_a_face(tmp_path):
    inner = "".join(
        points(name, x, 9, f'group_id="{group}"')
        for name, x, group in (("eye", 5, 1), ("eye", 50, 2), ("nose", 60, 2), ("nose", 15, 1))
    )
    faces = cvat.read(write(tmp_path, inner))
    np.testing.assert_allclose(faces.points[..., 0], [[4.5, 14.5], [49.5, 59.5]])


def test_one_shape_of_many_points_is_a_face_of_numbered_points(tmp_path):
    text = ";".join(f"{k},{k + 1}" for k in range(68))
    faces = cvat.read(write(tmp_path, f'<points label="face" points="{text}"></points>'))
    assert faces.scheme == ibug68
    np.testing.assert_allclose(faces.points[0, 7], [6.5, 7.5])


def test_numbered_points_in_the_order_in_which_they_were_placed_are_sorted(tmp_path):
    inner = "".join(points(str(k), 10 * k, 5) for k in (3, 1, 2))
    faces = cvat.read(write(tmp_path, inner))
    assert faces.scheme.points == ("1", "2", "3")
    np.testing.assert_allclose(faces.points[0, :, 0], [9.5, 19.5, 29.5])


def test_tracks_are_faces_of_their_frames(tmp_path):
    skeleton = "".join(
        f'<skeleton frame="{frame}" keyframe="1"><points label="Nase" outside="{outside}" '
        f'occluded="0" keyframe="1" points="{frame + 10},5"></points></skeleton>'
        for frame, outside in ((0, 0), (3, 0), (4, 1))
    )
    path = write(tmp_path)
    text = path.read_text().replace("</annotations>", f'<track id="0" label="gesicht">{skeleton}')
    path.write_text(text + "</track></annotations>")
    Image.new("L", (30, 30)).save(tmp_path / "images" / "frame_000003.jpg")
    faces = cvat.read(path)
    # In frame 4 the track has ended: CVAT writes its skeleton once more, with all points outside.
    assert faces.ids == ("frame_000000.png", "frame_000003.jpg")
    np.testing.assert_allclose(faces.points[:, 1, 0], [9.5, 12.5])


def test_faults_name_the_image_the_value_and_the_rule(tmp_path):
    path = write(tmp_path, points("eye", "left", 3), points("eye", 1, 2))
    with pytest.raises(DataError, match=r"annotations.xml a.png <points> 1: 'left', a number"):
        cvat.read(path)
    found = []
    assert len(cvat.read(path, faults=found)) == 1 and len(found) == 1


@pytest.mark.parametrize(
    ("inner", "problem"),
    [
        (points("eye", 1, 2) + points("eye", 3, 4), "'eye' occurs twice in one face.*group each"),
        ('<points label="eye" points="1,2,3"></points>', "x,y or x,y;x,y ... expected"),
        ('<box label="f" xtl="1" ytl="1" xbr="1" ybr="9"></box>', "an area above 0 expected"),
        ('<polygon label="eye" points="1,2;3,4"></polygon>', "it has no labelled point"),
        ("<points", "not well-formed XML"),
    ],
)
def test_what_means_nothing_is_refused_with_the_rule(tmp_path, inner, problem):
    with pytest.raises(DataError, match=problem):
        cvat.read(write(tmp_path, inner))


def test_entities_are_refused(tmp_path):
    path = write(tmp_path, points("eye", 1, 2))
    text = path.read_text().replace("<annotations>", '<!DOCTYPE a [<!ENTITY b "c">]><annotations>')
    path.write_text(text)
    with pytest.raises(DataError, match="entities are refused"):
        cvat.read(path)


def test_frames_of_a_video_have_no_suffix_in_the_file(tmp_path):
    path = write(tmp_path, points("eye", 3, 4), points("eye", 5, 6))
    for old, new in (("a.png", "frame_000007"), ("b.png", "frame_000008")):
        path.write_text(path.read_text().replace(old, new))
        (tmp_path / "images" / old).rename(tmp_path / "images" / f"{new}.PNG")
    faces = cvat.read(path)
    assert [image.name for image in faces.images] == ["frame_000007.PNG", "frame_000008.PNG"]
    assert all(image.is_file() for image in faces.images)


def test_images_of_a_project_lie_in_folders_by_subset(tmp_path):
    path = write(tmp_path, points("eye", 3, 4), points("eye", 5, 6))
    text = path.read_text().replace('name="a.png"', 'name="a.png" subset="train" task_id="1"')
    path.write_text(text.replace('name="b.png"', 'name="a.png" subset="val" task_id="2"'))
    for name, subset in (("a.png", "train"), ("b.png", "val")):
        (tmp_path / "images" / subset).mkdir()
        (tmp_path / "images" / name).rename(tmp_path / "images" / subset / "a.png")
    faces = cvat.read(path)
    assert faces.ids == ("train/a.png", "val/a.png")
    assert faces.images[1] == tmp_path / "images" / "val" / "a.png"


def test_tracks_of_several_videos_are_refused(tmp_path):
    path = write(tmp_path, points("eye", 3, 4))
    shape = '<points frame="0" keyframe="1" outside="0" occluded="0" points="1,2"></points>'
    tracks = "".join(f'<track label="eye" task_id="{n}">{shape}</track>' for n in (5, 6))
    path.write_text(path.read_text().replace("</annotations>", f"{tracks}</annotations>"))
    with pytest.raises(DataError, match=r"tracks of the videos of 2 tasks.*export each task by"):
        cvat.read(path)


def test_a_turned_box_is_the_upright_one_around_it(tmp_path):
    box = '<box label="f" xtl="10" ytl="20" xbr="50" ybr="40" rotation="90.00"></box>'
    faces = cvat.read(write(tmp_path, box + points("eye", 30, 30)))
    np.testing.assert_allclose(faces.boxes[0], [19.5, 9.5, 39.5, 49.5], atol=1e-5)
