"""What the server answers with, made from results, without a server or a network."""

import json
from dataclasses import replace

import pytest
from starlette.responses import JSONResponse

from nasion.app.serve.responses import Processed, answered, process_each, respond
from nasion.app.serve.uploads import Upload
from nasion.landmarks.catalog import ibug68
from nasion.landmarks.face import ImageResult


@pytest.mark.parametrize(
    ("sent", "names", "stems"),
    [
        (["a.jpg", "a.jpg", "b.jpg"], ["a.jpg", "a-2.jpg", "b.jpg"], ["a", "a-2", "b"]),
        (["a.jpg", "a.jpg", "a-2.jpg"], ["a.jpg", "a-3.jpg", "a-2.jpg"], ["a", "a-3", "a-2"]),
        (["image"] * 3, ["image", "image-2", "image-3"], ["image", "image-2", "image-3"]),
        (["a.jpg", "a.png"], ["a.jpg", "a.png"], ["a", "a-2"]),
    ],
)
def test_uploads_of_one_name_are_numbered_in_texts_as_in_files(sent, names, stems):
    given = []
    uploads = [Upload(name, bytes([number])) for number, name in enumerate(sent)]
    process_each(
        uploads,
        lambda upload, stem, done: given.append((upload.name, stem, upload.data)),
        Processed(),
        lambda: False,
    )
    assert given == [
        (name, stem, bytes([k])) for k, (name, stem) in enumerate(zip(names, stems, strict=True))
    ]


def test_json_written_image_by_image_is_as_at_once():
    done = Processed([ImageResult(f'{k} ü"', "a", (3, 2), ()) for k in range(3)])
    for results in (done.results, []):
        response = respond(replace(done, results=results), "json", ibug68)
        value = json.loads(bytes(response.body))
        assert bytes(response.body) == bytes(JSONResponse(value).body)
        assert len(value["images"]) == len(results) and value["errors"] == []
        assert response.headers["content-type"] == "application/json"


def test_nothing_is_written_for_a_client_that_has_gone():
    result = ImageResult("a", "a", (3, 2), ())
    process = answered(lambda cancelled: Processed([result]), lambda done: pytest.fail("written"))
    assert process(lambda: True)[0].results == [result]


def test_errors_name_the_numbered_upload():
    done = Processed()
    uploads = [Upload("a.jpg", b""), Upload("a.jpg", b"data:image/png;base64,")]
    process_each(uploads, lambda *_: None, done, lambda: False)
    assert [each.name for each in done.unreadable] == ["a-2.jpg"]


def test_an_image_without_faces_is_answered_with_the_network_s_points():
    done = Processed([ImageResult("a.jpg", "a", (40, 30), ())])
    value = json.loads(bytes(respond(done, "json", ibug68).body))
    assert value["scheme"] == "ibug68" and value["point_names"] == list(ibug68.points)
    header = bytes(respond(done, "csv", ibug68).body).decode().splitlines()[0]
    assert f"{ibug68.points[-1]}_y" in header
