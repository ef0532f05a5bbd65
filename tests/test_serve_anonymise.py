"""Faces hidden over HTTP, as ``nasion anonymise`` hides them, within limits."""

import io
import json
import sys

import numpy as np
import pytest
from drawn_clips import contents, frames, written
from leaving_client import SlowDetector, nothing_is_left, send_and_leave, slow_server
from PIL import Image
from served_images import pixels, refuses, unzipped
from test_serve import Server, encoded, wait_until

from nasion.app import serve
from nasion.app.serve.responses import sample_image
from nasion.inference.landmarker import Landmarker

pytestmark = [pytest.mark.slow, pytest.mark.network]
PATH = "/v1/anonymise"


@pytest.fixture(scope="module")
def server():
    with Server(serve.Limits(body_bytes=3 << 20, pixels=2_000_000)) as running:
        yield running


@pytest.fixture(scope="module")
def faces():
    return Landmarker("face68_light")(sample_image())


def as_png():
    return encoded(pixels(sample_image()))


def difference(data, other):
    return pixels(data).astype(int) - pixels(other)


def test_every_face_is_changed_and_the_rest_is_not(server, faces):
    status, headers, data = server.ask(PATH, as_png())
    assert (status, headers["content-type"]) == (200, "image/png")
    assert headers["nasion-faces-hidden"] == "3"
    assert headers["nasion-face-still-found"] == "false"
    change = np.abs(difference(data, as_png())).max(axis=2)
    for face in faces:
        x, y = face["nose_tip"].round().astype(int)
        assert (change[y - 20 : y + 20, x - 20 : x + 20] > 8).mean() > 0.3
    assert (change == 0).mean() > 0.1
    assert Landmarker("face68_light")(pixels(data)) == []


def test_eyes_alone_and_black(server, faces):
    query = "?part=eyes&method=fill&grow=0&format=png"
    status, headers, data = server.ask(PATH + query, sample_image())
    hidden = pixels(data)
    assert status == 200 and headers["content-type"] == "image/png"
    assert "nasion-face-still-found" not in headers
    for face in faces:
        for name in ("right_eye_outer_corner", "left_eye_inner_corner"):
            x, y = face[name].round().astype(int)
            assert hidden[y, x].max() == 0
        x, y = face["mouth_right_corner"].round().astype(int)
        assert (hidden[y, x] == pixels(sample_image())[y, x]).all()


def test_strength_and_method_change_how_and_grow_how_much_is_hidden(server):
    def changed(query):
        data = server.ask(f"{PATH}?verify=false&{query}", as_png())[2]
        return difference(data, as_png())

    plain, strong, blurred = map(changed, ("", "strength=3", "method=blur"))
    assert (plain != strong).any() and (plain != blurred).any()
    assert (changed("grow=0.5") != 0).sum() > 1.2 * (changed("grow=0") != 0).sum()


def test_what_files_tell_of_camera_and_place_is_removed(server):
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 0.0)
    data = io.BytesIO()
    Image.open(io.BytesIO(sample_image())).save(data, "JPEG", exif=exif, comment=b"at home")
    status, headers, body = server.ask(PATH, data.getvalue())
    image = Image.open(io.BytesIO(body))
    assert status == 200 and headers["content-type"] == "image/jpeg"
    assert not image.getexif() and b"Maker" not in body and b"at home" not in body


def test_several_images_come_as_a_zip_with_a_list(server):
    empty = encoded(np.zeros((50, 60), np.uint8))
    sent = [("a.jpg", sample_image()), ("b.png", empty), ("c.jpg", b"no picture")]
    status, headers, data = server.form(PATH, sent)
    assert (status, headers["content-type"]) == (200, "application/zip")
    files = unzipped(data)
    assert list(files) == ["a-anonymised.jpg", "b-anonymised.png", "anonymised.json"]
    listed = json.loads(files["anonymised.json"])
    assert [(each["image"], each["faces"], each["still_found"]) for each in listed["images"]] == [
        ("a.jpg", 3, False),
        ("b.png", 0, False),
    ]
    assert [each["image"] for each in listed["errors"]] == ["c.jpg"]


@pytest.mark.parametrize(
    ("query", "body", "status", "words"),
    [
        ("", b"", 422, "No image"),
        ("", b"hello" * 50, 422, "not a readable image"),
        ("", encoded(np.zeros((1500, 1500), np.uint8)), 422, "the limit is 2,000,000"),
        ("", b"\xff" * (3 << 21), 413, "the limit is 3,145,728"),
        ("?part=nose", b"x", 422, "part: "),
        ("?method=smear", b"x", 422, "method: "),
        ("?strength=5", b"x", 422, "strength: Input should be less than or equal to 4"),
        ("?strength=nan", b"x", 422, "strength"),
        ("?strength=0.1", b"x", 422, "strength: "),
        ("?grow=3", b"x", 422, "grow: "),
        ("?grow=nan", b"x", 422, "grow"),
        ("?method=fill&strength=2", b"x", 422, "has no effect with method=fill"),
        ("?part=eyes&verify=true", b"x", 422, "leave verify out"),
        ("?min_score=7", b"x", 422, "min_score: "),
        ("?metod=blur", b"x", 422, "did you mean 'method'"),
        ("?boxes=1,2,3,4", b"x", 422, "No query parameter 'boxes'"),
    ],
    ids=range(16),
)
def test_what_makes_no_sense_is_refused_with_a_reason(server, query, body, status, words):
    refuses(server, PATH + query, body, status, words)


def test_faces_down_to_a_part_of_the_image_s_side_may_be_looked_for(server):
    assert server.ask(f"{PATH}?min_face=8", encoded(np.zeros((1400, 1400), np.uint8)))[0] == 200


def test_a_clip_loses_its_faces_and_tags_and_keeps_its_sound(server):
    pytest.importorskip("av")
    tags = {"title": "Secret title", "location": "+48.2085+016.3721/"}
    clip = written(frames(20), sound="aac", tags=tags)
    assert b"Secret" in clip and b"48.2085" in clip
    status, headers, data = server.form(PATH, [("me.mp4", clip)])
    assert (status, headers["content-type"]) == (200, "video/mp4")
    assert headers["nasion-faces-hidden"] == "1" and "nasion-problems" not in headers
    assert headers["nasion-face-still-found"] == "false"
    assert headers["nasion-frames-still-found"] == "0"
    assert b"Secret" not in data and b"48.2085" not in data and b"drawn by nasion" not in data
    hidden, plain = contents(data), contents(clip)
    assert (hidden.codec, hidden.sounds) == ("h264", ["aac"])
    np.testing.assert_allclose(hidden.seconds, plain.seconds, atol=1e-3)
    landmarker = Landmarker("face68_light")
    for changed, before in zip(hidden.frames, plain.frames, strict=True):
        assert landmarker(changed) == []
        (face,) = landmarker(before)
        change = np.abs(changed.astype(int) - before).max(axis=2)
        x, y = face["nose_tip"].round().astype(int)
        assert (change[y - 20 : y + 20, x - 20 : x + 20] > 8).mean() > 0.3
        # Beside the face the picture is as it was.
        assert change[:, -10:].mean() < 8


def test_the_eyes_of_a_clip_alone_and_no_sound(server):
    pytest.importorskip("av")
    clip = written(frames(5), sound="aac")
    query = "?part=eyes&method=fill&sound=false"
    status, headers, data = server.ask(PATH + query, clip, "video/mp4")
    hidden = contents(data)
    assert status == 200 and hidden.sounds == []
    assert not {"nasion-face-still-found", "nasion-frames-still-found"} & set(headers)
    for changed, before in zip(hidden.frames, contents(clip).frames, strict=True):
        (face,) = Landmarker("face68_light")(before)
        x, y = face["right_eye_outer_corner"].round().astype(int)
        assert changed[y, x].max() < 30
        x, y = face["mouth_right_corner"].round().astype(int)
        assert np.abs(changed[y, x].astype(int) - before[y, x]).max() < 40


def test_a_face_of_a_clip_that_is_still_found_is_said_with_the_number_of_frames(
    server, monkeypatch
):
    pytest.importorskip("av")
    monkeypatch.setattr("nasion.app.anonymise_pipeline.hide_faces", lambda pixels, *_: pixels)
    status, headers, _ = server.ask(PATH, written(frames(4)), "video/mp4")
    assert status == 200 and headers["nasion-face-still-found"] == "true"
    assert headers["nasion-frames-still-found"] == "4"


def test_what_makes_no_sense_of_a_clip_is_refused_with_a_reason(server):
    pytest.importorskip("av")
    clip = written(frames(3))
    for query, words in (
        ("?format=jpg", "format: has no effect on a clip"),
        ("?min_face=8&format=png", "format: has no effect on a clip"),
        ("?method=fill&strength=2", "has no effect with method=fill"),
    ):
        refuses(server, PATH + query, clip, 422, words, "video/mp4")
    refuses(server, f"{PATH}?sound=false", sample_image(), 422, "sound: has no effect on images")
    refuses(server, PATH, clip[:-300], 422, "video: not a readable video", "video/mp4")
    # Beside an image, a clip is listed as what was not processed.
    status, _, data = server.form(PATH, [("a.jpg", sample_image()), ("me.mp4", clip)])
    listed = json.loads(unzipped(data)["anonymised.json"])
    assert status == 200 and [each["image"] for each in listed["images"]] == ["a.jpg"]
    reason = "a video; send it alone, without other files."
    assert listed["errors"] == [{"image": "me.mp4", "error": reason}]


def test_limits_of_clips_hold_when_their_faces_are_hidden(monkeypatch):
    pytest.importorskip("av")
    clip = written(frames(20))
    for limits, status, words in (
        ({"clip_seconds": 0.5}, 413, "longer than 0.5 seconds, the limit"),
        ({"clip_frames": 10}, 413, "more than 10 frames, the limit"),
        ({"faces": 1}, 422, "1 faces or more, the limit"),
        ({"pixels": 10_000}, 422, "300 x 240 pixels; the limit is 10,000"),
        ({"body_bytes": 1000}, 413, "the limit is 1,000"),
    ):
        with Server(serve.Limits(**limits)) as small:
            refuses(small, PATH, clip, status, words, "video/mp4")
    monkeypatch.setattr("nasion.app.serve.hidden_clips.MAX_FILES_BYTES", 2000)
    with Server(serve.Limits()) as small:
        refuses(small, PATH, clip, 413, "more than 2,000 bytes", "video/mp4")


@pytest.mark.skipif(sys.platform != "linux", reason="processes are seen in /proc")
@pytest.mark.parametrize("images", [2, 22])
def test_hiding_is_given_up_when_the_client_leaves_while_faces_are_found_or_hidden(images):
    pytest.importorskip("av")
    detector = SlowDetector(0.05)
    with slow_server(detector) as server:
        clip = written(frames(20), sound="aac")
        send_and_leave(server, PATH, clip, lambda: detector.images > images)
        assert wait_until(lambda: nothing_is_left(server), 5)
        assert detector.images < 38


def test_as_many_faces_as_the_limit_are_refused_since_more_might_be_left(server):
    with Server(serve.Limits(faces=3)) as small:
        refuses(small, PATH, sample_image(), 422, "3 faces or more, the limit")


def test_a_scheme_without_eyes_offers_the_whole_face_alone():
    from nasion.app.serve.anonymise import parts_that_can_be_hidden
    from nasion.landmarks.scheme import Scheme

    assert parts_that_can_be_hidden(Scheme(name="two", points=("tail", "fin"), mirror=())) == [
        "face"
    ]
