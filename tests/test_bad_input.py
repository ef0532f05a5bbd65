"""``nasion predict`` on bad images and networks: each is named with its reason."""

import io
import json

import pytest
from PIL import Image

from nasion.app.cli import main
from nasion.data.datasets import toy
from nasion.inference import pretrained
from nasion.landmarks.catalog import ibug68


def saved(image, kind, **options):
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


@pytest.fixture(scope="module")
def face():
    return Image.fromarray(toy.draw(1, ibug68, size=320, colour=True).images[0])


@pytest.fixture
def predict(monkeypatch, capsys, tmp_path):
    """Runs the command; (exit code, output, what it complained of)."""

    def run(*words):
        monkeypatch.setattr(
            "sys.argv",
            [
                "nasion",
                "predict",
                "--run",
                "face68_light",
                "--out",
                str(tmp_path / "out"),
                *map(str, words),
            ],
        )
        with pytest.raises(SystemExit) as stopped:
            main()
        said = capsys.readouterr()
        return stopped.value.code, said.out, said.err.replace("\n", " ")

    return run


BAD = {
    "truncated.jpg": (
        lambda face: saved(face, "JPEG")[:4000],
        "not a readable image (the file is cut off)",
    ),
    "empty.png": (lambda face: b"", "the file is empty"),
    "text.jpg": (lambda face: b"dear diary", "not a readable image; JPEG, PNG, WebP"),
    "huge.png": (
        lambda face: (
            b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
            + (40000).to_bytes(4, "big") * 2
            + b"\x08\x02\x00\x00\x00\x00\x00\x00\x00"
            + bytes(40)
        ),
        "not a readable image",
    ),
}


def test_a_folder_of_bad_and_odd_images_is_done_all_the_same(predict, tmp_path, face):
    folder = tmp_path / "mixed"
    folder.mkdir()
    for name, (made, _) in BAD.items():
        (folder / name).write_bytes(made(face))
    face.save(folder / "face.png")
    Image.new("L", (1, 1)).save(folder / "dot.png")
    Image.new("RGB", (200, 150), "green").save(folder / "nobody.png")
    (folder / "moving.gif").write_bytes(
        saved(face.convert("P"), "GIF", save_all=True, append_images=[Image.new("P", face.size)])
    )
    code, out, err = predict(folder)
    assert code == 1 and "4 could not be read" in out
    for name, (_, why) in BAD.items():
        assert f"not read: {folder / name}: {why}" in err, name
    answer = json.loads((tmp_path / "out" / "predictions.json").read_text())
    counts = {image["image"].rpartition("/")[2]: len(image["faces"]) for image in answer["images"]}
    assert counts == {
        "dot.png": 0,
        "face.png": 1,
        "moving.gif@0": 1,
        "moving.gif@1": 1,
        "nobody.png": 0,
    }
    assert {path.name for path in (tmp_path / "out").glob("*.jpg")} == {
        f"{name}-points.jpg" for name in ("dot", "face", "nobody")
    }
    # An animated image is a clip.
    assert (tmp_path / "out" / "moving-points.mp4").is_file()
    assert not list((tmp_path / "out").glob(".*"))


def test_a_folder_without_images_and_a_name_that_is_not_there_are_reported(predict, tmp_path):
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "letter.doc").write_text("dear")
    code, _, err = predict(tmp_path / "papers")
    assert code == 1 and "no images in this folder or below it" in err
    code, _, err = predict(tmp_path / "gone.jpg")
    assert code == 1 and "gone.jpg: no such file" in err
    (tmp_path / "list.txt").write_text("gone.jpg\n")
    code, _, err = predict(tmp_path / "list.txt")
    assert code == 1 and "gone.jpg: no such file" in err


def test_networks_that_are_not_ours_or_of_another_version_are_refused(predict, tmp_path, face):
    onnx = pytest.importorskip("onnx")
    face.save(tmp_path / "face.png")
    (tmp_path / "text.onnx").write_text("no network")
    model = onnx.load(pretrained.file("face68_light"))
    for name, facts in (
        ("foreign", {"producer": "another tool"}),
        ("newer", {"nasion_format": "99", "producer": "nasion 9.0"}),
    ):
        del model.metadata_props[:]
        onnx.helper.set_model_props(model, facts)
        onnx.save(model, tmp_path / f"{name}.onnx")
    wanted = {
        "text.onnx": "not a network that ONNX Runtime can read",
        "foreign.onnx": "was written by another tool, not in a format that nasion",
        "newer.onnx": "was written by nasion 9.0, not in a format that nasion",
        "gone.onnx": "gone.onnx: no such file",
    }
    for name, words in wanted.items():
        code, _, err = predict(tmp_path / "face.png", "--run", tmp_path / name)
        assert code == 1 and words in err, (name, err)


def test_settings_that_make_no_sense_are_refused_before_anything_is_done(predict, tmp_path, face):
    face.save(tmp_path / "face.png")
    for words, why in (
        (["--labels", "all"], "one of none, numbers, names"),
        (["--min-score", "7"], "0 to 1; found 7"),
        (["--min-face", "2"], "8 or more; found 2"),
        (["--detector", "haar"], "No detector 'haar'"),
        (["-f", "docx"], "No format 'docx'"),
        (["--beta", "-1"], "beta is 0 or more"),
        (["--engine", "spark"], "plain or ray; found 'spark'"),
    ):
        code, _, err = predict(tmp_path / "face.png", *words)
        assert code == 1 and why in err, (words, err)
    assert not (tmp_path / "out").exists()
