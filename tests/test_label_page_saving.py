"""The labelling page in a real browser: saving, undo, conflicts, the next faces, learning."""

import numpy as np
import pytest
from label_browser import (
    MARKS,
    NOSE,
    LabelPage,
    drag,
    free_port,
    index,
    label_process,
    labelled_data,
    on_screen,
    points,
    ready,
    saved,
    shown,
    sync_api,
    until,
)

from nasion.landmarks.catalog import ibug68

pytestmark = MARKS
pytest_plugins = ("label_page_fixtures",)


RANDOM_ACTIONS = (
    "o",
    "Delete",
    "r",
    "w",
    ",",
    ".",
    "<",
    ">",
    "ArrowLeft",
    "Shift+ArrowDown",
    "Tab",
)


def test_two_hundred_random_actions_and_a_reload_show_the_same_state(browser, page):
    rng = np.random.default_rng(7)
    with shown(browser, page, "0.png") as tab:
        until(tab, "nasionLabel.labelling.doc.proposal !== null", seconds=60)
        tab.focus("#stage")
        for action in rng.choice(RANDOM_ACTIONS, 200):
            if action != "drag":
                tab.keyboard.press(action)
                continue
            placed = [place for place in points(tab) if place]
            start = on_screen(tab, placed[rng.integers(len(placed))][:2])
            drag(tab, start, (start[0] + int(rng.integers(-40, 40)), start[1] + 15), steps=2)
        saved(tab)
        before = state_of(tab)
        assert before["revision"] > 60
        assert page.state("0.png").revision == before["revision"]
        tab.reload()
        ready(tab)
        assert state_of(tab) == before


def state_of(tab):
    return tab.evaluate(
        """() => {
          const { points, touched, confirmed, revision, can_undo, can_redo } =
            nasionLabel.labelling.doc;
          return { points, touched, confirmed, revision, can_undo, can_redo };
        }"""
    )


def test_undo_all_and_redo_all_after_a_reload_give_the_same(browser, page):
    with shown(browser, page, "0.png") as tab:
        first = points(tab)
        tab.focus("#stage")
        tab.keyboard.press("w")
        for name in (NOSE, "chin"):
            start = on_screen(tab, points(tab)[index(name)][:2])
            drag(tab, start, (start[0] + 30, start[1] - 20))
        tab.keyboard.press("r")
        tab.keyboard.press("Delete")
        saved(tab)
        last = points(tab)
        tab.reload()
        ready(tab)
        assert points(tab) == last
        tab.focus("#stage")
        for key, flag, expected in (
            ("Control+z", "can_undo", first),
            ("Control+Shift+z", "can_redo", last),
        ):
            while tab.evaluate(f"nasionLabel.labelling.doc.{flag}"):
                tab.keyboard.press(key)
                saved(tab)
            assert points(tab) == expected
        assert [each["op"] for each in page.gestures()].count("undo") == 5


def test_a_second_tab_s_stale_gesture_shows_both_versions_and_loses_none(browser, page):
    with shown(browser, page, "0.png", expected=["409"]) as tab:
        other = tab.context.new_page()
        other.goto(page.url + "#face=0.png")
        ready(other)
        x, y, _ = points(tab)[index(NOSE)]
        for each, (dx, dy) in ((tab, (20, 0)), (other, (0, 25))):
            each.bring_to_front()
            drag(each, on_screen(each, (x, y)), on_screen(each, (x + dx, y + dy)))
            if each is tab:
                saved(tab)
        other.locator("#conflict-dialog").wait_for()
        shown_rows = other.locator("#conflict-rows tr")
        assert shown_rows.count() == 1 and "nose tip" in shown_rows.first.inner_text()
        assert f"{x + 20:.1f}" in shown_rows.first.inner_text()
        assert f"{y + 25:.1f}" in shown_rows.first.inner_text()
        # Closed without an answer, the question comes back.
        other.reload()
        other.locator("#conflict-dialog").wait_for()
        assert page.state("0.png").points[NOSE][0] == pytest.approx(x + 20, abs=0.5)
        other.click("#conflict-mine")
        ready(other)
        saved(other)
        now = page.state("0.png")
        assert now.points[NOSE][:2] == pytest.approx((x, y + 25), abs=0.5) and now.revision == 2
        tab.bring_to_front()
        start = on_screen(tab, points(tab)[index("chin")][:2])
        drag(tab, start, (start[0] + 10, start[1] + 10))
        tab.locator("#conflict-dialog").wait_for()
        tab.click("#conflict-theirs")
        until(tab, f"nasionLabel.labelling.doc.points[{index(NOSE)}][1] > {y + 24}")
        assert points(tab)[index(NOSE)][:2] == pytest.approx((x, y + 25), abs=0.5)
        assert "chin" not in page.state("0.png").points


def test_a_killed_server_is_said_and_what_it_missed_is_sent_after_a_restart(browser, tmp_path):
    data = labelled_data(tmp_path / "faces", 2)
    page = LabelPage(data)
    page.port = free_port()
    expected = ["ERR_CONNECTION", "ERR_EMPTY_RESPONSE", "Failed to load resource"]
    with (
        label_process(data, page.port) as process,
        shown(browser, page, "0.png", expected=expected) as tab,
    ):
        process.kill()
        process.wait()
        places = points(tab)
        for name in (NOSE, "chin"):
            start = on_screen(tab, places[index(name)][:2])
            drag(tab, start, (start[0] + 30, start[1]))
        line = tab.locator("#saved")
        sync_api.expect(line).to_contain_text("2 unsaved, retrying")
        assert not page.list_path.exists()
        with label_process(data, page.port):
            # A page that is closed and opened again has them still.
            tab.reload()
            sync_api.expect(line).to_contain_text("Saved", timeout=60_000)
            ready(tab)
            assert set(page.state("0.png").points) == {NOSE, "chin"}
            assert points(tab)[index(NOSE)][0] > places[index(NOSE)][0] + 3


def test_the_next_images_are_decoded_before_they_are_asked_for(browser, page):
    with shown(browser, page, "0.png") as tab:
        tab.evaluate("nasionLabel.faces.open(0)")
        until(
            tab,
            "nasionLabel.labelling.queue.every((it) =>"
            " nasionLabel.images.has(`/api/image?image=${it.image}`))",
        )
        took = tab.evaluate("""async () => {
          const start = performance.now();
          await nasionLabel.faces.go(1);
          while (nasionLabel.drawing.shown.name !== nasionLabel.labelling.doc.image.name) {
            await new Promise(requestAnimationFrame);
          }
          return performance.now() - start;
        }""")
        assert took < 1000
        assert tab.evaluate("nasionLabel.images.bytes") == 4 * 320 * 320 * 4


def test_keys_pressed_at_once_go_as_many_faces_on(browser, page):
    with shown(browser, page, "0.png") as tab:
        tab.evaluate("nasionLabel.faces.open(0)")
        tab.focus("#stage")
        for key in "jjjk":
            tab.keyboard.press(key)
        until(tab, "nasionLabel.labelling.index === 2")
        until(tab, "nasionLabel.drawing.shown.name === nasionLabel.labelling.doc.image.name")
        assert tab.inner_text("#position") == "Face 3 of 4"


def test_progress_and_history_say_who_did_what(browser, page):
    with shown(browser, page, "0.png") as tab:
        start = on_screen(tab, points(tab)[index(NOSE)][:2])
        drag(tab, start, (start[0] + 20, start[1]))
        tab.click("#done")
        until(tab, "nasionLabel.labelling.doc.face !== '0.png'")
        saved(tab)
        tab.click("#progress")
        sync_api.expect(tab.locator("#progress-text")).to_contain_text("1 face done")
        row = tab.locator("#progress-people tr").first.inner_text().split("\t")
        assert row[:3] == ["anna", "1", "1"]
        tab.click("#progress-dialog [data-close]")
        tab.evaluate("nasionLabel.faces.open(nasionLabel.labelling.find('0.png'))")
        until(tab, "nasionLabel.labelling.doc.face === '0.png'")
        tab.click("#history-section summary")
        lines = tab.locator("#history li").all_inner_texts()
        assert len(lines) == 2 and lines[0].startswith("done changed")
        assert lines[1].startswith("moved, 1 point") and "anna" in lines[1]


def test_a_face_shown_once_more_hides_its_labels(browser, page):
    with shown(browser, page, "0.png") as tab:
        tab.evaluate("""() => {
          const { labelling } = nasionLabel;
          const shown = labelling.queue.find((entry) => entry.face === "0.png");
          const entry = { ...shown, repeat: 1, reason: "", state: "todo" };
          labelling.queue = [entry, ...labelling.queue];
          return nasionLabel.faces.open(0);
        }""")
        assert tab.locator("#blind").is_visible()
        assert not any(points(tab)) and tab.evaluate("nasionLabel.tools.mode") == "place"
        face = tab.evaluate("nasionLabel.labelling.doc.face")
        tab.mouse.click(*on_screen(tab, (150, 150)))
        saved(tab)
        first = ibug68.points[0]
        assert page.state(face, repeat=1).points[first][:2] == pytest.approx((150, 150), abs=0.5)
        assert not page.state(face).points


LEARNING = {"state": "running", "done": 0.4, "seconds_left": 75, "faces": 6, "message": None}


def test_learning_shows_its_progress_and_renews_what_nobody_touched(browser, page):
    with shown(browser, page, "0.png", expected=["400"]) as tab:
        until(tab, "nasionLabel.labelling.doc.proposal !== null", seconds=60)
        tab.click("#learn")
        sync_api.expect(tab.locator("#learn-state")).to_contain_text("5")
        state = LEARNING | {"models_version": 0}
        tab.route("**/api/learn", lambda route: route.fulfill(json=state))
        tab.click("#learn")
        sync_api.expect(tab.locator("#learn-state")).to_contain_text(
            "6 faces: 40 %, about 75 s left"
        )
        assert tab.evaluate("document.getElementById('learn-progress').value") == 0.4
        state |= {"state": "done", "done": 1, "models_version": 99}
        sync_api.expect(tab.locator("#announce")).to_contain_text("proposed anew", timeout=10_000)
        assert tab.locator("#learn-progress").is_hidden()
