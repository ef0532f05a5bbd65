"""Drawing styles: what is drawn, on what, in which kind of file, and which choices are refused."""

import io
from dataclasses import replace

import numpy as np
import pytest
from helpers import run_command
from PIL import Image

from nasion.data.datasets import toy
from nasion.errors import SettingError
from nasion.landmarks.catalog import fkd15, ibug68
from nasion.landmarks.face import Face, ImageResult
from nasion.landmarks.head_pose import rotation_of
from nasion.landmarks.mean_face import mean_face
from nasion.landmarks.measures import measure
from nasion.landmarks.scheme import Scheme
from nasion.media.drawn_marks import is_drawn
from nasion.prediction_formats import DrawStyle
from nasion.prediction_formats._draw_style import MARKS, MarkedFace
from nasion.prediction_formats._face_boxes import caption_lines, caption_place, draw_face_boxes
from nasion.prediction_formats._head_axes import axis_ends
from nasion.prediction_formats.image import draw, files

GREY = 90


def face_at(x, y, scale=200.0, yaw=0.0, scheme=ibug68, track=None):
    places = mean_face(scheme) @ rotation_of(yaw, 0.0, 0.0).T
    points = (scale * places[:, :2] + [x, y]).astype(np.float32)
    box = np.array([*np.nanmin(points, 0), *np.nanmax(points, 0)])
    return Face(scheme, points, box, 0.9, np.ones(len(scheme), np.float32), track=track)


def result_of(*faces, size=(800, 800), measured=True):
    image = np.full((size[1], size[0], 3), GREY, np.uint8)
    found = measure(faces) if measured else None
    return ImageResult("a", "a", size, faces, image, measured=found)


def changed(*marks, result=None):
    """Where these marks change the picture."""
    result = result or result_of(face_at(400, 300, yaw=30))
    drawn = draw(result, DrawStyle(marks), enlarge=False)
    return (drawn != GREY).any(axis=2)


@pytest.mark.parametrize("mark", [mark for mark in MARKS if mark != "tracks"])
def test_each_mark_alone_is_drawn(mark):
    assert changed(mark).sum() > 50


def test_marks_are_drawn_together_and_order_in_the_list_does_not_matter():
    both = changed("boxes", "points")
    assert (both == (changed("points") | changed("boxes"))).all()
    assert (both == changed("points", "boxes")).all()


def test_a_face_far_larger_than_its_image_is_drawn_without_letters_or_lines_of_its_size():
    # A known box may have any size. Before, letters took gigabytes and box lines half a minute.
    result = result_of(face_at(400, 300, scale=3e6), size=(300, 200))
    for mark in ("scores", "names", "numbers", "boxes", "points"):
        assert draw(result, DrawStyle((mark,)), enlarge=False).shape == (200, 300, 3)


def test_track_numbers_need_a_track():
    tracked = result_of(face_at(400, 300, track=7))
    assert not changed("tracks").any() and changed("tracks", result=tracked).any()
    assert caption_lines(MarkedFace(tracked.faces[0], frozenset({"tracks"}))) == ["7"]


def test_usual_marks_are_those_of_before_and_what_was_measured():
    face, tracked = face_at(400, 300), face_at(400, 300, track=1)
    for style, result, wanted in (
        (DrawStyle(), result_of(face, measured=False), {"points", "lines"}),
        (DrawStyle(), result_of(face), {"points", "lines", "axes", "measures"}),
        (DrawStyle(boxes=True), result_of(face, measured=False),
         {"points", "lines", "boxes", "scores", "tracks"}),
        (DrawStyle(), result_of(tracked, measured=False),
         {"points", "lines", "boxes", "scores", "tracks"}),
        (DrawStyle(boxes=False, labels="names"), result_of(tracked, measured=False),
         {"points", "lines", "names"}),
        (DrawStyle(("fill",)), result_of(tracked), {"fill"}),
    ):  # fmt: skip
        assert style.marked_faces(result)[0].marks == wanted


def test_filled_parts_are_where_the_parts_are():
    result = result_of(face_at(400, 300))
    drawn = draw(result, DrawStyle(("fill",)), enlarge=False).astype(int)
    face = result.faces[0]

    def at(*names):
        x, y = face.points[ibug68.index(names)].mean(0).round().astype(int)
        return drawn[y, x] - GREY

    eye = at("left_eye_inner_corner", "left_eye_outer_corner")
    assert eye[1] > 0 > eye[0]  # green
    nose = at("nose_tip", "nose_bridge_lower")
    assert nose[0] > 40 and nose[1] > 40 > nose[2]  # yellow
    cheek = at("nose_tip", "jaw_left_2")
    assert cheek[2] > 10 and (np.abs(cheek) < 40).all()  # faintly blue
    assert (drawn[100, 100] == GREY).all()


def test_rings_of_own_schemes_are_filled_and_points_without_names_are_not():
    corners = np.float32([[300, 300], [500, 300], [500, 500], [300, 500]])
    edges = (("a", "b"), ("b", "c"), ("c", "d"), ("d", "a"))
    own = Scheme(name="own", points=("a", "b", "c", "d"), mirror=(), edges=edges)
    for scheme, filled in ((own, True), (replace(own, edges=edges[:1]), False)):
        face = Face(scheme, corners, np.float32([300, 300, 500, 500]), 0.9)
        drawn = changed("fill", result=result_of(face, measured=False))
        assert drawn[400, 400] == filled


def test_a_scheme_of_few_points_fills_what_it_has():
    assert changed("fill", result=result_of(face_at(400, 300, scheme=fkd15))).sum() > 500


def test_axes_point_where_the_head_does():
    """Red to the subject's left, green down, blue to where the nose points."""
    for yaw in (-60, 0, 60):
        (measured,) = measure([face_at(400, 300, yaw=yaw)])
        start, left, down, ahead = axis_ends(measured)
        length = 0.6 * measured.pose.scale
        np.testing.assert_allclose(down - start, [0, length], atol=0.05 * length)
        sine, cosine = np.sin(np.radians(yaw)), np.cos(np.radians(yaw))
        np.testing.assert_allclose(ahead - start, [length * sine, 0], atol=0.05 * length)
        np.testing.assert_allclose(left - start, [length * cosine, 0], atol=0.05 * length)
        drawn = draw(result_of(face_at(400, 300, yaw=yaw)), DrawStyle(("axes",)), enlarge=False)
        ends = [(down, 1), (ahead, 2)]
        # Turned to the left, the nose covers the axis behind it.
        for end, channel in ends if yaw > 0 else [*ends, (left, 0)]:
            x, y = end.round().astype(int)
            assert drawn[y, x].argmax() == channel


def test_a_head_in_pixels_that_are_not_square_is_measured_as_it_is_shown():
    shown = face_at(400, 300, yaw=30)
    # As DV stores it: pixels twice as wide as high.
    stored = replace(shown, points=shown.points / np.float32([2, 1]))
    (expected,), (found,) = measure([shown]), measure([stored], pixel_aspect=2.0)
    assert found.pose.yaw == pytest.approx(expected.pose.yaw, abs=0.01)
    assert found.measures.eyes == pytest.approx(expected.measures.eyes, abs=1e-3)
    assert measure([stored])[0].pose.yaw > 40
    # The axes are drawn where the face is stored.
    np.testing.assert_allclose(axis_ends(found), axis_ends(expected) / [2, 1], atol=0.01)


def test_a_face_without_a_pose_has_neither_axes_nor_angles():
    face = face_at(400, 300)
    hidden = replace(face, visible=np.zeros(68, np.float32))
    assert not changed("axes", "measures", result=result_of(hidden)).any()


def test_captions_tell_angles_and_openness():
    (measured,) = measure([face_at(400, 300, yaw=30)])
    face = face_at(400, 300, yaw=30)
    marks = frozenset({"scores", "measures"})
    first, angles, openness = caption_lines(MarkedFace(face, marks, measured))
    assert first == "0.90" and angles == "yaw 30 pitch 0 roll 0"
    assert openness == f"eyes {measured.measures.eyes:.2f} mouth {measured.measures.mouth:.2f}"


def boxes_apart(a, b):
    return a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


@pytest.mark.parametrize("gap", [60, 45, 30])
def test_captions_of_small_faces_side_by_side_cover_no_caption_and_no_face(gap):
    faces = [face_at(60 + gap * i, 60 + gap * j, scale=18) for i in range(6) for j in range(3)]
    result = result_of(*faces)
    image = Image.fromarray(np.asarray(result.image))
    marked = DrawStyle(("boxes", "measures")).marked_faces(result)
    places = draw_face_boxes(image, marked)
    assert len(places) == len(faces)
    for i, place in enumerate(places):
        assert all(boxes_apart(place, other) for other in places[:i])
        assert min(place) >= 0 and max(place[2:]) <= 800
        assert all(boxes_apart(place, face.box) for face in faces)


def test_a_long_caption_is_beside_its_face_before_it_is_on_it():
    size = (200, 100)
    box = (50, 5, 90, 95)  # no room above and below
    assert caption_place(box, 60, 20, size, [], is_long=True) == (90, 5, 150, 25)
    assert caption_place((10, 5, 190, 95), 60, 20, size, [], is_long=True)[1] in (0, 80)


def test_an_overlay_has_the_size_of_the_image_and_shows_nothing_else():
    result = result_of(face_at(100, 80, scale=40), size=(200, 180), measured=False)
    drawn = draw(result, DrawStyle(overlay=True, image_format="png"))
    assert drawn.shape == (180, 200, 4)
    alpha = drawn[..., 3]
    assert 0.005 < (alpha > 0).mean() < 0.3 and (alpha == 255).any() and not alpha[:10].any()
    for x, y in result.faces[0].points.round().astype(int):
        assert alpha[y, x] == 255
    # Laid over the image it looks as drawn into it.
    image = Image.fromarray(np.asarray(result.image)).convert("RGBA")
    image.alpha_composite(Image.fromarray(drawn))
    whole = draw(result, DrawStyle(), enlarge=False).astype(int)
    assert np.abs(np.asarray(image)[..., :3] - whole).max() <= 2


@pytest.mark.parametrize("kind", ["jpg", "png"])
def test_both_kinds_of_files_are_marked_as_drawn(kind, tmp_path):
    result = result_of(face_at(400, 300))
    ((name, data),) = files(result, DrawStyle(image_format=kind)).items()
    assert name == f"a-points.{kind}"
    (tmp_path / name).write_bytes(data)
    assert is_drawn(tmp_path / name)
    assert Image.open(io.BytesIO(data)).format == {"jpg": "JPEG", "png": "PNG"}[kind]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"marks": ("points", "eyes")}, "'eyes' cannot be drawn; any of points, lines"),
        ({"marks": ()}, "'Nothing' cannot be drawn"),
        ({"marks": ("names", "numbers")}, "not both"),
        ({"labels": "all"}, "labels 'all' are unknown; one of none, numbers, names"),
        ({"image_format": "gif"}, "image format 'gif' is unknown; one of jpg, png"),
        ({"overlay": True}, "only PNG files"),
    ],
)
def test_styles_that_are_none_are_refused(settings, words):
    with pytest.raises(SettingError, match=words):
        DrawStyle(**settings)


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "face.png"
    Image.fromarray(toy.draw(1, ibug68, size=200, colour=True).images[0]).save(path)
    return path


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--draw", "points", "--labels", "names"], "--labels has no effect with --draw"),
        (["--draw", "points", "--draw-boxes"], "--draw-boxes has no effect with --draw"),
        (["--draw", "eyes"], "'eyes' cannot be drawn"),
        (["--overlay", "--image-format", "jpg"], "only PNG files can be"),
        (["-f", "json", "--draw", "points"], "--draw has no effect without the format image"),
        (["-f", "json", "--overlay"], "--overlay has no effect without the format image"),
        (["-f", "image", "--draw", "points", "--measures"],
         "--measures has no effect if --draw names neither axes nor measures"),
        (["--engine", "plain", "--image-format", "png"], "--image-format has no effect with"),
    ],
)  # fmt: skip
def test_options_that_contradict_each_other_are_refused(
    words, complaint, photo, monkeypatch, capsys, tmp_path
):
    code, said = run_command(monkeypatch, capsys, "predict", photo, *words, "--out", tmp_path)
    assert code == 1 and complaint in said


def test_drawings_that_a_video_cannot_be_are_refused(monkeypatch, capsys, tmp_path):
    clip = tmp_path / "clip.gif"
    frames = [Image.new("RGB", (60, 40), (step, 0, 0)) for step in (0, 200)]
    frames[0].save(clip, save_all=True, append_images=frames[1:], duration=100)
    for words, complaint in (
        (["--overlay"], "clip.gif is a video, which has no transparency"),
        (["--image-format", "png"], "--image-format has no effect on videos"),
    ):
        code, said = run_command(
            monkeypatch, capsys, "predict", clip, *words, "--out", tmp_path / "out"
        )
        assert code == 1 and complaint in said


def test_the_command_draws_what_it_is_told_to(photo, monkeypatch, capsys, tmp_path):
    words = ("predict", photo, "--run", "face68_light", "-f", "image", "--out", tmp_path)
    options = ("--draw", "points,axes", "--draw", "measures", "--image-format", "png")
    assert run_command(monkeypatch, capsys, *words, *options)[0] == 0
    drawn = Image.open(tmp_path / "face-points.png")
    assert drawn.mode == "RGB" and drawn.width % 200 == 0
    assert run_command(monkeypatch, capsys, *words, "--overlay")[0] == 0
    overlay = Image.open(tmp_path / "face-points.png")
    assert overlay.mode == "RGBA" and overlay.size == (200, 200)


def test_a_drawing_never_replaces_an_input(photo, monkeypatch, capsys, tmp_path):
    for name in ("a.png", "a-points.png"):
        (tmp_path / name).write_bytes(photo.read_bytes())
    inputs = (tmp_path / "a.png", tmp_path / "a-points.png")
    code, said = run_command(
        monkeypatch, capsys, "predict", *inputs, "--image-format", "png", "--out", tmp_path
    )
    assert code == 1 and "is an input and would be overwritten" in said
