"""What people do with points on the page of ``nasion serve``: drawing styles, head pose, clips,
hidden faces; in a real browser.
"""

# ruff: noqa: F401, F811 - fixtures are imported, and arguments have their names

import csv
import io
import json

import numpy as np
import pytest
from drawn_clips import contents, frames, written
from PIL import Image
from test_page import (
    BROWSER,
    browser,
    camera_file,
    canvas,
    in_module,
    page,
    server,
    shown_page,
    status,
    sync_api,
)
from test_serve import Server

from nasion.app import serve
from nasion.app.serve.responses import sample_image
from nasion.inference.landmarker import Landmarker
from nasion.landmarks.catalog import ibug68

pytestmark = [
    pytest.mark.slow,
    pytest.mark.network,
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed"),
]
expect = sync_api.expect
DISPLAY = ("points", "edges", "filled", "boxes", "captions", "axes")


def show_sample(page):
    page.click("#sample")
    status(page, "sample.jpg: 3 faces found.")


def saved(page, button):
    """(name, contents) of what a button downloads."""
    with page.expect_download() as download:
        page.click(button)
    return download.value.suggested_filename, download.value.path().read_bytes()


def clip(count=20, **settings):
    """A drawn face that moves by 2 pixels a frame, 25 frames a second."""
    pytest.importorskip("av")
    return written(frames(count), **settings)


def choose(page, name, data, mime):
    page.set_input_files("#files", {"name": name, "mimeType": mime, "buffer": data})


@pytest.mark.parametrize("switch", DISPLAY)
def test_each_switch_draws_something_and_takes_it_away(page, switch):
    show_sample(page)
    before = canvas(page)
    page.locator(f"#{switch}").click()
    changed = canvas(page)
    page.locator(f"#{switch}").click()
    assert (before != changed).any(axis=2).sum() > 300
    np.testing.assert_array_equal(canvas(page), before)


def test_with_everything_off_the_photo_alone_is_drawn(page):
    show_sample(page)
    for switch in DISPLAY:
        page.uncheck(f"#{switch}")
    alone = canvas(page)
    in_module(page, "(current.faces = [], redraw())")
    np.testing.assert_array_equal(canvas(page), alone)


def test_the_nose_is_filled_between_its_lines(page):
    show_sample(page)
    for switch in DISPLAY:
        page.set_checked(f"#{switch}", switch == "filled")
    drawn, face, width = canvas(page), *in_module(page, "[current.faces[0].points, current.width]")
    names = ["nose_bridge_lower", "nose_base", "nose_base_left_end"]
    x, y = np.mean([face[k] for k in ibug68.index(names)], axis=0) * drawn.shape[1] / width
    red, green, blue = drawn[round(y), round(x)][:3].astype(int)
    assert min(red, green) > blue + 40  # yellow; the face around is light blue


def test_display_settings_are_kept_over_a_reload_until_they_are_reset(page):
    for switch in ("filled", "axes"):
        page.check(f"#{switch}")
    page.uncheck("#points")
    page.select_option("#colour", "part")
    page.select_option("#marks", "1.8")
    page.reload()
    page.locator("body[data-ready=yes]").wait_for()
    kept = [page.is_checked(f"#{switch}") for switch in DISPLAY]
    assert kept == [False, True, True, False, False, True]
    assert [page.input_value(f"#{each}") for each in ("colour", "marks")] == ["part", "1.8"]
    page.click("#reset")
    page.reload()
    page.locator("body[data-ready=yes]").wait_for()
    kept = [page.is_checked(f"#{switch}") for switch in DISPLAY]
    assert kept == [True, True, False, False, False, False]
    assert page.input_value("#colour") == "score"


@pytest.mark.parametrize(
    "stored", ["no json", "[1]", "null", '{"colour": "no such", "points": "yes", "marks": 3}']
)
def test_stored_settings_that_make_no_sense_are_ignored(page, stored):
    page.evaluate("(text) => localStorage.setItem('nasion.page', text)", stored)
    page.reload()
    page.locator("body[data-ready=yes]").wait_for()
    assert page.is_checked("#points") and page.input_value("#colour") == "score"
    assert page.input_value("#marks") == "1"
    show_sample(page)


def test_labels_lie_neither_on_one_another_nor_on_points(page):
    show_sample(page)
    page.evaluate("""() => {
      window.texts = [];
      window.marks = [];
      const arc = CanvasRenderingContext2D.prototype.arc;
      CanvasRenderingContext2D.prototype.arc = function (x, y, radius, ...angles) {
        window.marks.push([x, y]);
        arc.call(this, x, y, radius, ...angles);
      };
      const draw = CanvasRenderingContext2D.prototype.fillText;
      CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
        const { width } = this.measureText(text), size = parseFloat(this.font);
        window.texts.push([x, y - size / 2, x + width, y + size / 2]);
        draw.call(this, text, x, y);
      };
    }""")
    page.select_option("#labels", "names")
    boxes, marks = (np.array(page.evaluate(f"window.{each}")) for each in ("texts", "marks"))
    assert len(boxes) > 80 and len(marks) == 3 * 68
    inside = (marks[:, None] > boxes[:, :2]) & (marks[:, None] < boxes[:, 2:])
    assert not inside.all(axis=2).any()
    for k, (x0, y0, x1, y1) in enumerate(boxes):
        rest = np.delete(boxes, k, axis=0)
        apart = (rest[:, 0] >= x1) | (rest[:, 2] <= x0) | (rest[:, 1] >= y1) | (rest[:, 3] <= y0)
        assert apart.all()


def test_head_pose_eyes_and_mouth_are_in_the_rows_of_faces_if_wanted(page):
    show_sample(page)
    rows = page.locator("#faces li")
    for words in ("yaw ", "°, roll ", " ± ", "open: left eye 0.", "left minus right: eyes "):
        expect(rows.first).to_contain_text(words)
    face = in_module(page, "current.faces[0]")
    assert (
        f"yaw {face['pose']['yaw']:.0f} ± ".replace("-", "\u2212").replace("\u22120 ", "0 ")
        in rows.first.inner_text()
    )
    page.uncheck("#measures")
    expect(rows.first).not_to_contain_text("yaw")
    page.check("#axes")
    assert "forward" not in page.inner_text("#legend")
    page.check("#measures")
    expect(page.locator("#legend")).to_contain_text("forward")


def test_axes_point_where_the_head_does(page):
    from nasion.landmarks.head_pose import HeadPoses

    for yaw, pitch, roll in ((0, 0, 0), (40, 0, 0), (0, 25, 0), (0, 0, 30), (-35, 15, -20)):
        pose = json.dumps({"yaw": yaw, "pitch": pitch, "roll": roll})
        axes = np.array(
            page.evaluate(
                "import(new URL('page/measures.js', location.href))"
                f".then(({{ headAxes }}) => headAxes({pose}))"
            )
        )
        y, p, r = np.radians([yaw, -pitch, roll])
        turn = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
        nod = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
        tilt = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
        rotation = turn @ nod @ tilt
        one = np.zeros(1)
        found = HeadPoses(rotation[None], one, np.zeros((1, 2)), one, np.zeros((1, 3)))
        np.testing.assert_allclose(
            [found.yaw[0], found.pitch[0], found.roll[0]], [yaw, pitch, roll]
        )
        np.testing.assert_allclose(axes, rotation[:2].T, atol=1e-9)


def test_a_clip_is_shown_frame_by_frame_with_its_faces_and_saved(page):
    choose(page, "me.mp4", clip(), "video/mp4")
    status(page, "me.mp4: 1 face found in 20 frames.")
    assert page.is_visible("#player") and page.is_visible("#plot")
    expect(page.locator("#faces li")).to_contain_text("face 1, score 0.")
    first, shown = in_module(page, "current.faces[0].points[30]"), canvas(page)
    page.locator("#seek").fill("15")
    expect(page.locator("#time")).to_have_text("0.60 s, frame 15")
    assert in_module(page, "current.faces[0].points[30]")[0] > first[0] + 20
    # The frame itself has moved too, once the browser has found it.
    for _ in range(50):
        if (moved := (canvas(page) != shown).any(axis=2).mean()) > 0.2:
            break
        page.wait_for_timeout(100)
    assert moved > 0.2
    page.focus("#seek")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#time")).to_have_text("0.56 s, frame 14")
    name, data = saved(page, "#save-json")
    images = json.loads(data)["images"]
    assert name == "me-points.json" and [each["image"] for each in images] == [
        f"me.mp4@{k}" for k in range(20)
    ]
    assert images[3]["seconds"] == 0.12 and "pose" in images[3]["faces"][0]
    name, data = saved(page, "#save-csv")
    rows = list(csv.DictReader(io.StringIO(data.decode())))
    assert (name, len(rows)) == ("me-points.csv", 20) and "pose_yaw" in rows[0]
    assert saved(page, "#save-image")[0] == "me@14-points.png"


def test_a_playing_clip_shows_the_points_of_each_frame(page):
    choose(page, "me.mp4", clip(25), "video/mp4")
    status(page, "in 25 frames")
    page.click("#play")
    expect(page.locator("#time")).to_have_text("0.96 s, frame 24", timeout=20_000)
    expect(page.locator("#play")).to_have_text("Play")
    page.click("#play")
    expect(page.locator("#play")).to_have_text("Pause")
    page.click("#play")
    expect(page.locator("#play")).to_have_text("Play")
    show_sample(page)
    assert not page.is_visible("#player") and not page.is_visible("#timeline")


def test_the_plot_shows_each_measure_and_leads_to_a_time(page):
    choose(page, "me.mp4", clip(), "video/mp4")
    status(page, "in 20 frames")
    lines = set()
    for what in ("eyes", "mouth", "yaw", "pitch", "roll"):
        page.select_option("#plot-what", what)
        lines.add(page.get_attribute("#plot .line", "d"))
    assert len(lines) == 5 and all(line.count("L") == 19 for line in lines)
    width = page.locator("#plot").bounding_box()["width"]
    page.locator("#plot").click(position={"x": 44 + 0.25 * (width - 52), "y": 40})
    expect(page.locator("#time")).to_contain_text(", frame 5")
    expect(page.locator("#blinks")).to_have_text("face 1: no blink")
    page.uncheck("#measures")
    status(page, "in 20 frames")
    expect(page.locator("#timeline")).to_be_hidden()


def test_blinks_are_listed_and_marked_with_their_times(page):
    def with_blink(route):
        answer = route.fetch()
        blink = {
            "video": "me.mp4",
            "track": 1,
            "start": 0.2,
            "end": 0.4,
            "lowest": 0.3,
            "openness": 0.1,
        }
        route.fulfill(response=answer, json={**answer.json(), "blinks": [blink]})

    page.route("**/v1/clips*", with_blink)
    choose(page, "me.mp4", clip(), "video/mp4")
    status(page, "in 20 frames")
    expect(page.locator("#blinks")).to_have_text("face 1: 1 blink (0.30 s)")
    assert page.locator("#plot .blink").count() == 1
    assert json.loads(saved(page, "#save-json")[1])["blinks"][0]["video"] == "me.mp4"


def test_a_clip_that_browsers_cannot_play_shows_its_points_without_images(page):
    choose(page, "old.avi", clip(10, codec="mpeg2video", kind="avi"), "video/x-msvideo")
    status(page, "old.avi: 1 face found in 10 frames.")
    assert page.is_visible("#unplayable") and page.is_disabled("#play")
    before = canvas(page)
    page.locator("#seek").fill("9")
    assert (canvas(page) != before).any()


def test_photos_and_clips_can_be_chosen_together(page):
    files = [("a.jpg", "image/jpeg", sample_image()), ("b.mp4", "video/mp4", clip(5))]
    page.set_input_files(
        "#files", [{"name": n, "mimeType": kind, "buffer": data} for n, kind, data in files]
    )
    status(page, "a.jpg: 3 faces found.")
    page.locator("#thumbnails button").nth(1).click()
    status(page, "b.mp4: 1 face found in 5 frames.")
    assert len(json.loads(saved(page, "#save-json")[1])["images"]) == 6


def test_bad_and_too_long_clips_are_reported(browser):
    with Server(serve.Limits(clip_seconds=0.5)) as own, shown_page(browser, own) as page:
        choose(page, "no.mp4", b"no video" * 100, "video/mp4")
        expect(page.locator("#error")).to_contain_text("no.mp4: not a readable video")
        page.evaluate("window.addEventListener('error', (event) => event.preventDefault())")


def test_files_are_what_their_bytes_say_whatever_their_names(page):
    choose(page, "renamed.mp4", sample_image(), "video/mp4")
    status(page, "renamed.mp4: 3 faces found.")
    choose(page, "renamed.jpg", clip(), "image/jpeg")
    page.locator("#player").wait_for()
    choose(page, "no.png", b"no picture", "image/png")
    status(page, "No file could be read. What was found before is still shown.")


def test_a_file_of_more_bytes_than_the_limit_is_not_sent(browser):
    with Server(serve.Limits(body_bytes=1 << 20)) as own, shown_page(browser, own) as page:
        sent = []
        page.on("request", lambda request: sent.append(request.url))
        choose(page, "big.jpg", bytes(2 << 20), "image/jpeg")
        words = "big.jpg: 2,097,152 bytes; the server takes at most 1 MiB."
        expect(page.locator("#error")).to_have_text(words)
        status(page, "No file could be read.")
        assert sent == []


def test_work_can_be_cancelled(page):
    page.route("**/v1/landmarks*", lambda route: None)
    page.click("#sample")
    page.locator("#working").wait_for()
    page.click("#cancel")
    status(page, "Cancelled.")
    assert not page.is_visible("#working")
    page.unroute("**/v1/landmarks*")
    show_sample(page)


def test_hidden_faces_are_previewed_and_saved_as_previewed(page):
    show_sample(page)
    plain = canvas(page)
    page.click("#hide summary")
    page.click("#preview-hidden")
    expect(page.locator("#hide-note")).to_contain_text("3 faces hidden, and none is found")
    whole = canvas(page)
    # No points are drawn on the preview.
    assert (whole != plain).any(axis=2).mean() > 0.1
    name, data = saved(page, "#save-hidden")
    shown = Image.open(io.BytesIO(data)).convert("RGB").resize(whole.shape[1::-1])
    assert name == "sample-anonymised.jpg"
    assert np.abs(np.asarray(shown).astype(int) - whole).mean() < 3
    page.select_option("#hide-part", "eyes")
    page.select_option("#hide-method", "fill")
    assert page.is_disabled("#hide-strength")
    expect(page.locator("#hide-note")).to_have_text(
        "3 faces hidden. Look at it before you publish it."
    )
    page.wait_for_timeout(300)
    eyes = canvas(page)
    assert (eyes.max(axis=2) < 8).mean() > (whole.max(axis=2) < 8).mean() + 0.01
    page.click("#preview-hidden")
    np.testing.assert_array_equal(canvas(page), plain)


def test_on_a_phone_the_preview_is_beside_its_settings_too(page):
    page.set_viewport_size({"width": 360, "height": 740})
    show_sample(page)
    page.click("#hide summary")
    page.click("#preview-hidden")
    page.locator("#hidden-copy").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.set_viewport_size({"width": 1280, "height": 900})
    expect(page.locator("#hidden-copy")).to_be_hidden()
    page.set_viewport_size({"width": 360, "height": 740})
    page.click("#preview-hidden")
    expect(page.locator("#hidden-copy")).to_be_hidden()


def test_of_a_photo_without_faces_nothing_is_cropped_and_that_nothing_is_hidden_is_said(page):
    buffer = io.BytesIO()
    Image.new("RGB", (60, 50), "grey").save(buffer, "PNG")
    choose(page, "empty.png", buffer.getvalue(), "image/png")
    status(page, "empty.png: 0 faces found.")
    page.click("#crops summary")
    expect(page.locator("#crop-note")).to_have_text("No face was found in this photo.")
    assert page.is_disabled("#save-crop")
    page.click("#hide summary")
    page.click("#preview-hidden")
    expect(page.locator("#hide-note")).to_contain_text("No face was found, so nothing is hidden.")


def test_a_clip_is_saved_with_what_is_displayed_drawn_in_and_its_sound(page):
    choose(page, "me.mp4", clip(5, sound="aac"), "video/mp4")
    status(page, "in 5 frames")
    name, data = saved(page, "#save-clip")
    plain = contents(data)
    assert name == "me-points.mp4" and len(plain.frames) == 5 and plain.sounds == ["aac"]
    for switch in ("filled", "axes", "boxes", "captions"):
        page.check(f"#{switch}")
    page.select_option("#labels", "numbers")
    more = contents(saved(page, "#save-clip")[1])
    assert (np.abs(np.subtract(more.frames, plain.frames, dtype=int)) > 60).mean() > 0.02
    for switch in DISPLAY:
        page.uncheck(f"#{switch}")
    page.select_option("#labels", "none")
    page.click("#save-clip")
    expect(page.locator("#clip-note")).to_contain_text("Nothing would be drawn")
    expect(page.locator("#save-clip")).to_have_text("Download clip")
    show_sample(page)
    assert not page.is_visible("#save-clip") and page.inner_text("#clip-note") == ""


def test_the_faces_of_a_clip_are_hidden_shown_and_saved_as_shown(page):
    choose(page, "me.mp4", clip(5, sound="aac"), "video/mp4")
    status(page, "in 5 frames")
    page.click("#hide summary")
    assert not page.is_visible("#preview-hidden") and not page.is_visible("#save-hidden")
    assert page.is_disabled("#save-hidden-clip") and not page.is_visible("#hidden-clip")
    page.click("#hide-clip")
    note, video = page.locator("#hide-note"), page.locator("#hidden-clip")
    expect(note).to_contain_text("1 face hidden, and none is found in the result.", timeout=30_000)
    expect(video).to_be_visible()
    expect(video).to_have_js_property("videoWidth", 300)
    name, data = saved(page, "#save-hidden-clip")
    hidden = contents(data)
    assert name == "me-anonymised.mp4" and len(hidden.frames) == 5 and hidden.sounds == ["aac"]
    for pixels in hidden.frames:
        assert Landmarker("face68_light")(pixels) == []
    # Other settings: what was made before is no longer offered.
    page.select_option("#hide-method", "fill")
    page.uncheck("#hide-sound")
    expect(video).to_be_hidden()
    assert page.is_disabled("#save-hidden-clip") and note.inner_text() == ""
    page.click("#hide-clip")
    expect(video).to_be_visible(timeout=30_000)
    black = contents(saved(page, "#save-hidden-clip")[1])
    assert black.sounds == [] and (black.frames[2].max(axis=2) < 20).mean() > 0.2
    show_sample(page)
    assert page.is_visible("#preview-hidden") and not page.is_visible("#hide-clip")
    assert not page.is_visible("#hidden-clip") and not page.is_visible("#hide-sound-choice")


def test_work_on_a_clip_can_be_cancelled_and_what_is_wrong_is_said(page):
    choose(page, "me.mp4", clip(5), "video/mp4")
    status(page, "in 5 frames")
    page.click("#hide summary")
    page.route("**/v1/anonymise*", lambda route: None)
    button, note = page.locator("#hide-clip"), page.locator("#hide-note")
    button.click()
    expect(button).to_have_text("Cancel")
    button.click()
    expect(button).to_have_text("Hide faces in the clip")
    expect(note).to_have_text("")
    page.unroute("**/v1/anonymise*")
    page.route(
        "**/v1/anonymise*", lambda route: route.fulfill(status=422, json={"error": "Too dark."})
    )
    button.click()
    expect(note).to_have_text("Too dark.")
    assert page.is_disabled("#save-hidden-clip")


def test_the_camera_s_faces_are_measured(page):
    page.click("#camera")
    expect(page.locator("#faces li").first).to_contain_text("yaw ", timeout=30_000)
    page.click("#camera")
    status(page, "The camera is off.")


@pytest.mark.parametrize("width", [360, 800])
def test_with_all_panels_open_nothing_reaches_beyond_the_screen(page, width):
    page.set_viewport_size({"width": width, "height": 740})
    choose(page, "me.mp4", clip(5), "video/mp4")
    status(page, "in 5 frames")
    for panel in ("#crops", "#hide"):
        page.click(f"{panel} summary")
    assert not page.is_visible("#hidden-copy")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for each in ("#canvas", "#plot", "#seek", "#crop-template", "#crop-every", "#hide-strength"):
        box = page.locator(each).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width
