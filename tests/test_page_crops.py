"""Aligned crops of photos and clips on the page of ``nasion serve``, in a real browser."""

# ruff: noqa: F401, F811 - fixtures are imported, and arguments have their names

import io
import json

import numpy as np
import pytest
from drawn_clips import SIDE, frames, written
from PIL import Image
from served_images import unzipped
from test_page import BROWSER, browser, camera_file, page, server, status, sync_api
from test_page_tools import choose, clip, saved, show_sample

pytestmark = [
    pytest.mark.slow,
    pytest.mark.network,
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed"),
]
expect = sync_api.expect


def unzipped_list(data):
    """(names of the files, crops.json) of a zip of crops."""
    files = unzipped(data)
    return list(files), json.loads(files["crops.json"])


def test_crops_are_previewed_and_saved_one_and_all(page):
    show_sample(page)
    page.click("#crops summary")
    expect(page.locator("#crop-note")).to_have_text("112 x 112 pixels")
    page.select_option("#crop-template", "ffhq")
    page.fill("#crop-size", "200")
    page.fill("#crop-margin", "0.1")
    page.select_option("#crop-padding", "edge")
    page.select_option("#crop-face", "2")
    expect(page.locator("#crop-note")).to_have_text("200 x 200 pixels")
    expect(page.locator("#crop-preview")).to_have_attribute("alt", "Aligned crop of face 2")
    name, data = saved(page, "#save-crop")
    assert name == "sample-ffhq-2.png" and Image.open(io.BytesIO(data)).size == (200, 200)
    name, data = saved(page, "#save-crops")
    listed = unzipped_list(data)[1]
    assert name == "sample-ffhq-crops.zip" and len(listed["images"]) == 3
    assert (listed["template"], listed["margin"], listed["padding"]) == ("ffhq", 0.1, "edge")
    page.fill("#crop-size", "4000")
    expect(page.locator("#crop-note")).to_contain_text("size: Input should be less than")


def test_the_crops_of_a_clip_are_saved_all_or_of_every_nth_frame(page):
    page.click("#crops summary")
    expect(page.locator("#crop-note")).to_contain_text("Choose a photo or clip first")
    choose(page, "me.mp4", clip(5), "video/mp4")
    status(page, "in 5 frames")
    note = page.locator("#crop-note")
    expect(note).to_have_text("5 crops, 112 x 112 pixels.")
    for photo_only in ("#crop-face", "#crop-preview", "#save-crop", "#save-crops"):
        assert not page.is_visible(photo_only)
    name, data = saved(page, "#save-clip-crops")
    names, listed = unzipped_list(data)
    assert name == "me-arcface-crops.zip"
    assert names == [*(f"me@{k}.png" for k in range(5)), "crops.json"]
    page.select_option("#crop-template", "ffhq")
    page.fill("#crop-size", "200")
    page.fill("#crop-margin", "0.1")
    page.select_option("#crop-padding", "edge")
    page.fill("#crop-every", "2")
    expect(note).to_have_text("3 crops, 200 x 200 pixels.")
    name, data = saved(page, "#save-clip-crops")
    names, fewer = unzipped_list(data)
    assert name == "me-ffhq-crops.zip" and names == [
        *(f"me@{k}.png" for k in (0, 2, 4)),
        "crops.json",
    ]
    assert (fewer["template"], fewer["size"], fewer["padding"]) == ("ffhq", 200, "edge")
    assert fewer["margin"] == 0.1 and listed["margin"] == 0
    page.fill("#crop-every", "")
    page.uncheck("#smooth")
    status(page, "in 5 frames")
    rough = unzipped_list(saved(page, "#save-clip-crops")[1])[1]
    assert rough["images"][4]["source_box"] != fewer["images"][2]["source_box"]
    page.fill("#crop-size", "4000")
    page.click("#save-clip-crops")
    expect(note).to_contain_text("size: Input should be less than")
    page.fill("#crop-size", "100")
    expect(note).to_have_text("5 crops, 100 x 100 pixels.")
    show_sample(page)
    expect(note).to_have_text("100 x 100 pixels")
    assert page.is_visible("#save-crops") and not page.is_visible("#save-clip-crops")
    assert not page.is_visible("#crop-every")


def test_cropping_a_clip_can_be_cancelled_and_another_image_ends_it(page):
    choose(page, "me.mp4", clip(3), "video/mp4")
    status(page, "in 3 frames")
    page.click("#crops summary")
    page.route("**/v1/crops*", lambda route: None)
    button, note = page.locator("#save-clip-crops"), page.locator("#crop-note")
    button.click()
    expect(button).to_have_text("Cancel")
    expect(note).to_have_text("Cropping the clip ...")
    button.click()
    expect(button).to_have_text("Download all (zip)")
    expect(note).to_have_text("3 crops, 112 x 112 pixels.")
    button.click()
    expect(button).to_have_text("Cancel")
    blank = io.BytesIO()
    Image.new("RGB", (60, 50), "grey").save(blank, "PNG")
    choose(page, "empty.png", blank.getvalue(), "image/png")
    status(page, "empty.png: 0 faces found.")
    page.wait_for_timeout(300)
    expect(note).to_have_text("No face was found in this photo.")


def test_damage_of_a_cropped_clip_is_said_and_of_one_without_faces_nothing_is_cropped(page):
    data = clip(20, kind="mpegts")
    choose(page, "cut.ts", data[: len(data) * 2 // 3], "video/mp2t")
    status(page, "cut.ts: 1 face found")
    page.click("#crops summary")
    name, _ = saved(page, "#save-clip-crops")
    assert name == "cut-arcface-crops.zip"
    expect(page.locator("#crop-note")).to_contain_text(" crops, 112 x 112 pixels. Of the clip: ")
    empty = np.full((SIDE, SIDE + 60, 3), 90, np.uint8)
    choose(page, "late.mp4", written([empty, *frames(2)]), "video/mp4")
    status(page, "late.mp4: 1 face found in 3 frames.")
    expect(page.locator("#crop-note")).to_have_text("2 crops, 112 x 112 pixels.")
    page.fill("#crop-every", "3")
    expect(page.locator("#crop-note")).to_have_text("No face was found in these frames.")
    assert page.is_disabled("#save-clip-crops")
    choose(page, "empty.mp4", written([empty] * 3), "video/mp4")
    status(page, "empty.mp4: 0 faces found in 3 frames.")
    expect(page.locator("#crop-note")).to_have_text("No face was found in this clip.")
    assert page.is_disabled("#save-clip-crops")
