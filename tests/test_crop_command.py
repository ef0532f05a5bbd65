"""``nasion crop``: what it writes, how its files are named, how it complains."""

import json
import re

import numpy as np
import pytest
from helpers import run_command
from PIL import Image

from nasion.data.datasets import toy
from nasion.data.load import load_faces
from nasion.landmarks import geometry
from nasion.landmarks.catalog import ibug68

pytestmark = pytest.mark.slow
FAST = ("--run", "face68_light", "--workers", "1")


@pytest.fixture(scope="module")
def face():
    return toy.draw(1, ibug68, size=240, colour=True).images[0]


@pytest.fixture
def crop(capsys, monkeypatch, tmp_path):
    """Run the command in an empty folder: (exit code, everything printed, white space folded)."""
    monkeypatch.chdir(tmp_path)

    def call(*words):
        code, printed = run_command(monkeypatch, capsys, "crop", *words, *FAST)
        return code, re.sub(r"\s+", " ", printed)

    return call


def saved(path, *faces):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.concatenate(faces, axis=1)).save(path)
    return path


def listed(folder):
    return json.loads((folder / "crops.json").read_text())


def test_names_do_not_collide_and_the_list_leads_back(crop, face, tmp_path):
    """Two faces in one image, and the same file name in another folder."""
    two = saved(tmp_path / "a" / "me.png", face, face)
    one = saved(tmp_path / "b" / "me.png", face)
    code, said = crop("a", "b", "--template", "ffhq", "--size", "128")
    assert code == 0 and "3 crops and crops.json" in said
    document = listed(tmp_path / "crops")
    assert (document["template"], document["size"], document["padding"]) == ("ffhq", 128, "reflect")
    files = [each["image"] for each in document["images"]]
    assert files == ["me.png", "me#2.png", "me-2.png"]
    sources = [(each["source"], each["source_face"]) for each in document["images"]]
    assert sources == [("a/me.png", 1), ("a/me.png", 2), ("b/me.png", 1)]
    for each, path in zip(document["images"], (two, two, one), strict=True):
        pixels = np.asarray(Image.open(tmp_path / "crops" / each["image"]))
        assert pixels.shape == (128, 128, 3) and each["faces"][0]["score"] > 0.6
        to_source = np.array(each["to_source"])
        back = geometry.compose(np.array(each["to_crop"]), to_source)
        np.testing.assert_allclose(back, geometry.identity(), atol=1e-4)
        # The nose's pixel is that of the source, but for the resampling.
        nose = np.array(each["faces"][0]["points"][30])
        there = geometry.apply(to_source, nose[None])[0]
        x, y = np.rint(there).astype(int)
        source = np.asarray(Image.open(path))[y - 2 : y + 3, x - 2 : x + 3].mean(axis=(0, 1))
        x, y = np.rint(nose).astype(int)
        assert np.abs(pixels[y - 1 : y + 2, x - 1 : x + 2].mean(axis=(0, 1)) - source).max() < 25


def test_crops_are_labelled_faces_again(crop, face, tmp_path):
    saved(tmp_path / "me.png", face)
    assert crop("me.png", "-f", "jpg")[0] == 0
    faces = load_faces(None, tmp_path / "crops" / "crops.json")
    assert len(faces) == 1 and faces.scheme.points == ibug68.points
    assert (tmp_path / "crops" / "me.jpg").is_file()
    middle = np.nanmean(faces.points[0], axis=0)
    assert np.abs(middle - 56).max() < 25


def test_a_clip_s_crops_are_those_of_every_nth_frame(crop, face, tmp_path):
    frames = [Image.fromarray(np.roll(face, 2 * k, axis=1)) for k in range(5)]
    frames[0].save(tmp_path / "clip.gif", save_all=True, append_images=frames[1:], duration=40)
    code, said = crop("clip.gif", "--every", "2")
    assert code == 0 and "clip.gif: 3 crops" in said
    document = listed(tmp_path / "crops")
    assert [each["image"] for each in document["images"]] == [
        "clip@0.png",
        "clip@2.png",
        "clip@4.png",
    ]
    assert {each["faces"][0]["track"] for each in document["images"]} == {1}
    assert [each["source_seconds"] for each in document["images"]] == [0, 0.08, 0.16]


def test_an_unreadable_image_is_said_and_the_others_are_cropped(crop, face, tmp_path):
    saved(tmp_path / "me.png", face)
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    code, said = crop("me.png", "bad.jpg")
    assert code == 1 and "not read: bad.jpg" in said and "1 crop and" in said


def test_an_input_is_never_overwritten(crop, face, tmp_path):
    path = saved(tmp_path / "me.png", face)
    before = path.read_bytes()
    code, said = crop("me.png", "--out", ".")
    assert code == 1 and "me.png is an input and would be overwritten" in said
    assert path.read_bytes() == before and not (tmp_path / "crops.json").exists()
    assert not list(tmp_path.glob(".nasion-*"))


def test_a_known_box_needs_no_detector(crop, face, tmp_path):
    saved(tmp_path / "me.png", face, face)
    code, _ = crop("me.png", "--box", "240,0,480,240")
    images = listed(tmp_path / "crops")["images"]
    assert code == 0 and len(images) == 1 and images[0]["source_box"][0] > 239


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--template", "arc"), "No template 'arc'; there are arcface, ffhq"),
        (("--size", "4"), "8 to 8192 pixels; found 4"),
        (("--padding", "white"), "No padding 'white'"),
        (("--format", "gif"), "--format gif: one of png, jpg expected"),
        (("--no-detect", "--min-face", "40"), "--min-face has no effect with --no-detect"),
        (("--no-detect", "--max-faces", "2"), "--max-faces has no effect with --no-detect"),
        (("--seconds", "0"), "--seconds is above 0"),
    ],
)
def test_settings_that_mean_nothing_are_refused(crop, face, tmp_path, words, message):
    saved(tmp_path / "me.png", face)
    code, said = crop("me.png", *words)
    assert code == 1 and message in said and not (tmp_path / "crops").exists()


def test_ctrl_c_keeps_the_crops_that_were_written(crop, face, tmp_path, monkeypatch):
    from nasion.app import crop_pipeline

    whole = crop_pipeline.crop_images

    def stopped(*arguments):
        yield from whole(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(crop_pipeline, "crop_images", stopped)
    saved(tmp_path / "me.png", face)
    code, said = crop("me.png")
    assert code == 130 and "Stopped; what was written until now is kept." in said
    assert [each["image"] for each in listed(tmp_path / "crops")["images"]] == ["me.png"]
    assert sorted(path.name for path in (tmp_path / "crops").iterdir()) == ["crops.json", "me.png"]


def test_candidates_below_the_minimum_score_are_said_where_nothing_is_cropped(crop, face, tmp_path):
    saved(tmp_path / "a" / "me.png", face)
    code, said = crop("a", "--min-score", "1")
    assert code == 0
    assert re.search(r"a/me.png: 0 crops \(1 candidate scored 0\.\d\d, below --min-score 1\)", said)
