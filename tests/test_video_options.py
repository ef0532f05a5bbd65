"""Options of videos where no video is: refused by the name that was typed."""

import re

import pytest
from helpers import run_command
from PIL import Image


@pytest.mark.parametrize(
    ("command", "options", "typed"),
    [
        ("predict", ["--patience", "3"], "--patience has"),
        ("predict", ["--no-smooth"], "--no-smooth has"),
        ("predict", ["--smooth", "--beta", "9"], "--smooth, --beta have"),
        ("crop", ["--every", "5"], "--every has"),
        ("crop", ["--no-smooth", "--seconds", "2"], "--no-smooth, --seconds have"),
        ("anonymise", ["--seconds", "2"], "--seconds has"),
    ],
)
def test_options_of_videos_are_refused_for_images(
    command, options, typed, monkeypatch, capsys, tmp_path
):
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    words = (command, tmp_path / "a.png", "--out", tmp_path / "out", *options)
    code, said = run_command(monkeypatch, capsys, *words)
    assert code == 1 and not (tmp_path / "out").exists()
    assert f"{typed} no effect without a video among the inputs" in re.sub(r"\s+", " ", said)


def test_formats_may_be_given_with_commas(monkeypatch, capsys, tmp_path):
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    words = ("predict", tmp_path / "a.png", "--run", "face68_light", "--out", tmp_path / "out")
    code, _ = run_command(monkeypatch, capsys, *words, "-f", "csv, json", "-f", "coco,csv")
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert code == 0 and written == [
        "predictions.coco.json", "predictions.csv", "predictions.json",
    ]  # fmt: skip
    code, said = run_command(monkeypatch, capsys, *words, "-f", "csv,xml")
    assert code == 1 and "No format 'xml'; there are coco, csv, image" in said
