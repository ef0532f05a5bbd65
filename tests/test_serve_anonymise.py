"""Faces hidden over HTTP, as ``nasion anonymise`` hides them, within limits."""

import io
import json

import numpy as np
import pytest
from PIL import Image
from served_images import pixels, unzipped
from test_serve import Server, encoded

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
        ("?min_face=8", encoded(np.zeros((1400, 1400), np.uint8)), 200, ""),
        ("?metod=blur", b"x", 422, "did you mean 'method'"),
        ("?boxes=1,2,3,4", b"x", 422, "No query parameter 'boxes'"),
    ],
    ids=range(17),
)
def test_what_makes_no_sense_is_refused_with_a_reason(server, query, body, status, words):
    found, _, data = server.ask(PATH + query, body)
    assert found == status, data[:300]
    if status != 200:
        assert words in json.loads(data)["error"]


def test_as_many_faces_as_the_limit_are_refused_since_more_might_be_left(server):
    with Server(serve.Limits(faces=3)) as small:
        status, _, data = small.ask(PATH, sample_image())
    assert status == 422 and "3 faces or more, the limit" in json.loads(data)["error"]


def test_a_scheme_without_eyes_offers_the_whole_face_alone():
    from nasion.app.serve.anonymise import parts_that_can_be_hidden
    from nasion.landmarks.scheme import Scheme

    assert parts_that_can_be_hidden(Scheme(name="two", points=("tail", "fin"), mirror=())) == [
        "face"
    ]
