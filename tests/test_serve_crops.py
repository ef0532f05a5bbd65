"""Aligned crops over HTTP: the same as ``aligned_crop`` makes, within limits."""

import json

import numpy as np
import pytest
from served_images import pixels, refuses, unzipped
from test_serve import Server, encoded

from nasion.app import serve
from nasion.app.serve.responses import sample_image
from nasion.inference.landmarker import Landmarker
from nasion.landmarks.aligned_crops import aligned_crop
from nasion.landmarks.catalog import ibug68

pytestmark = [pytest.mark.slow, pytest.mark.network]
PATH = "/v1/crops"


@pytest.fixture(scope="module")
def server():
    with Server(serve.Limits(body_bytes=3 << 20, pixels=2_000_000)) as running:
        yield running


def test_all_faces_come_as_a_zip_that_says_where_each_is_from(server):
    status, headers, data = server.form(PATH, [("three.jpg", sample_image())])
    files = unzipped(data)
    assert status == 200 and headers["content-type"] == "application/zip"
    assert list(files) == ["three.png", "three#2.png", "three#3.png", "crops.json"]
    listed = json.loads(files["crops.json"])
    assert (listed["template"], listed["size"], listed["padding"]) == ("arcface", 112, "black")
    assert [(each["source"], each["source_face"]) for each in listed["images"]] == [
        ("three.jpg", number) for number in (1, 2, 3)
    ]
    # The map back takes the crop's points to those of /v1/landmarks.
    found = json.loads(server.ask("/v1/landmarks", sample_image())[2])["images"][0]["faces"]
    for crop, face in zip(listed["images"], found, strict=True):
        back = np.array(crop["to_source"])
        points = np.array(crop["faces"][0]["points"]) @ back[:, :2].T + back[:, 2]
        assert np.abs(points - np.array(face["points"])).max() < 0.1


def test_one_face_comes_as_the_image_that_aligned_crop_makes(server):
    query = "face=2&template=ffhq&size=96&margin=0.2&padding=blur"
    status, headers, data = server.ask(f"{PATH}?{query}", sample_image())
    assert status == 200 and headers["content-type"] == "image/png"
    face = Landmarker("face68_light")(sample_image())[1]
    expected = aligned_crop(sample_image(), face, "ffhq", 96, 0.2, "blur").pixels
    np.testing.assert_array_equal(pixels(data), expected)


def test_settings_change_the_crop(server):
    status, headers, data = server.ask(f"{PATH}?face=1&format=jpg&size=40", sample_image())
    assert (status, headers["content-type"]) == (200, "image/jpeg")
    assert pixels(data).shape == (40, 40, 3)
    near, far = (
        pixels(server.ask(f"{PATH}?face=1&margin={margin}", sample_image())[2]) for margin in (0, 1)
    )
    assert near.shape == far.shape and np.abs(near.astype(int) - far).mean() > 10
    box = json.loads(server.ask("/v1/landmarks", sample_image())[2])["images"][0]["faces"][2]["box"]
    query = "&".join(["template=ibug68", "boxes=" + ",".join(map(str, box))])
    files = unzipped(server.ask(f"{PATH}?{query}", sample_image())[2])
    assert len(files) == 2 and json.loads(files["crops.json"])["size"] == 256


def test_an_image_without_faces_or_a_bad_one_is_listed_beside_the_others(server):
    empty = encoded(np.zeros((50, 60), np.uint8))
    sent = [("a.jpg", sample_image()), ("b.png", empty), ("c.jpg", b"no picture")]
    status, _, data = server.form(PATH, sent)
    files = unzipped(data)
    errors = json.loads(files["crops.json"])["errors"]
    assert status == 200 and len(files) == 4
    assert [each["image"] for each in errors] == ["b.png", "c.jpg"]
    assert errors[0]["error"] == "no face was found."
    refuses(server, PATH, empty, 422, "image: no face was found.")


@pytest.mark.parametrize(
    ("query", "body", "status", "words"),
    [
        ("", b"", 422, "No image"),
        ("", b"hello" * 50, 422, "not a readable image"),
        ("", encoded(np.zeros((1500, 1500), np.uint8)), 422, "the limit is 2,000,000"),
        ("", b"\xff" * (3 << 21), 413, "the limit is 3,145,728"),
        ("?template=passport", b"x", 422, "template: "),
        ("?padding=white", b"x", 422, "padding: "),
        ("?format=gif", b"x", 422, "format: "),
        ("?size=1025", b"x", 422, "size: Input should be less than or equal to 1024"),
        ("?size=7", b"x", 422, "size: "),
        ("?size=1_00", b"x", 422, "size: Input should be a number of plain digits"),
        ("?margin=11", b"x", 422, "margin: "),
        ("?margin=nan", b"x", 422, "margin"),
        ("?face=0", b"x", 422, "face: "),
        ("?face=4", sample_image(), 422, "face 4 of 3 is asked for; they are counted from 1."),
        ("?tempalte=ffhq", b"x", 422, "did you mean 'template'"),
        ("?boxes=1,2,3", b"x", 422, "is no box"),
        ("?boxes=10,10,90,90&min_face=20", b"x", 422, "nothing is detected then"),
    ],
    ids=range(17),
)
def test_what_makes_no_sense_is_refused_with_a_reason(server, query, body, status, words):
    refuses(server, PATH + query, body, status, words)


def test_one_face_or_known_boxes_of_several_images_are_refused(server):
    two = [("a.jpg", sample_image()), ("b.jpg", sample_image())]
    for query in ("face=1", "boxes=10,10,90,90"):
        status, _, data = server.form(f"{PATH}?{query}", two)
        assert status == 422 and "2 images were sent; send one" in json.loads(data)["error"]


def test_a_response_of_too_many_bytes_is_refused(monkeypatch):
    monkeypatch.setattr("nasion.app.serve.responses.MAX_FILES_BYTES", 20_000)
    with Server(serve.Limits()) as small:
        refuses(small, f"{PATH}?size=256", sample_image(), 413, "send fewer images")


def test_a_network_without_the_points_of_a_template_refuses_it_and_does_not_offer_it():
    from nasion.app.serve.crop_settings import crop_templates
    from nasion.landmarks.scheme import Scheme

    nothing_shared = Scheme(name="two", points=("tail", "fin"), mirror=())
    assert crop_templates(nothing_shared) == {}
    assert {"arcface": 112, "ffhq": 1024, "ibug68": 256}.items() <= crop_templates(ibug68).items()


def test_the_page_learns_which_templates_there_are(server):
    network = json.loads(server.ask("/v1/network")[2])
    assert network["crop_templates"]["ffhq"] == 1024 and network["limits"]["crop_size"] == 1024
    assert network["parts_to_hide"] == ["face", "eyes"]
    for template in network["crop_templates"]:
        query = f"{PATH}?template={template}&size=32&face=1"
        assert server.ask(query, sample_image())[0] == 200, template
