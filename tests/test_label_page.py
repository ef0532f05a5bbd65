"""The labelling page in a real browser: drags, touch, keys, what is saved and what a conflict shows."""

import numpy as np
import pytest
from label_browser import (
    BROWSER,
    QUIET,
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
    toy_points,
    unlabelled_data,
    until,
    zoom_to,
)

from nasion.landmarks.catalog import ibug68

sync_api = pytest.importorskip("playwright.sync_api")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.network,
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed"),
]
NOSE = "nose_tip"


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=BROWSER, args=QUIET)
        yield running
        running.close()


@pytest.fixture
def page(tmp_path):
    with LabelPage(labelled_data(tmp_path / "faces")) as running:
        yield running


@pytest.fixture
def images(tmp_path):
    with LabelPage(unlabelled_data(tmp_path / "images")) as running:
        yield running


@pytest.mark.parametrize("ratio", [1, 2, 3])
def test_a_drag_ends_at_its_target_at_every_zoom(browser, page, ratio):
    with shown(browser, page, "0.png", device_scale_factor=ratio) as tab:
        for scale in (0.25, 1, 8):
            x, y, _ = points(tab)[index(NOSE)]
            zoom_to(tab, (x, y), scale)
            moved = 40 / scale
            # The press is one pixel beside the point: the point keeps that distance.
            start, end = on_screen(tab, (x, y)), on_screen(tab, (x + moved, y - moved / 2))
            drag(tab, (start[0] + 1, start[1]), (end[0] + 1, end[1]))
            saved(tab)
            now = page.state("0.png").points[NOSE]
            assert abs(now[0] - x - moved) < 0.5 and abs(now[1] - y + moved / 2) < 0.5
            tab.keyboard.press("Control+z")
            until(tab, "nasionLabel.labelling.doc.can_redo")


def test_zooming_and_panning_leave_stored_numbers_bit_identical(browser, page):
    with shown(browser, page, "0.png") as tab:
        before = points(tab)
        tab.focus("#stage")
        for key in ("+", "+", "Control+ArrowLeft", "z", "-", "0", "f"):
            tab.keyboard.press(key)
        middle = on_screen(tab, before[index(NOSE)][:2])
        tab.mouse.move(*middle)
        for turn in (-300, 120, 480, -700):
            tab.mouse.wheel(0, turn)
        tab.keyboard.down("Space")
        drag(tab, middle, (middle[0] + 200, middle[1] + 90))
        tab.keyboard.up("Space")
        drag(tab, on_screen(tab, (-20, -20)), on_screen(tab, (60, 40)))
        assert points(tab) == before
    assert not page.list_path.exists()


def test_a_press_that_moves_less_than_three_pixels_selects_and_changes_nothing(browser, page):
    with shown(browser, page, "0.png") as tab:
        before = points(tab)
        start = on_screen(tab, before[index(NOSE)][:2])
        drag(tab, start, (start[0] + 2, start[1] + 1))
        assert tab.evaluate("nasionLabel.labelling.current") == index(NOSE)
        assert points(tab) == before
        tab.keyboard.press("Tab")
        assert tab.evaluate("nasionLabel.labelling.current") == index(NOSE) + 1
    assert not page.list_path.exists()


def touch(tab, kind, *places):
    """A touch of fingers at these places, as a touch screen sends it."""
    fingers = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(places)]
    tab.cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})


def touch_drag(tab, *ways, steps=8):
    """Fingers from their first places to their last ones. ``ways``: (start, end) of each."""
    touch(tab, "touchStart", *[start for start, _ in ways])
    for step in range(1, steps + 1):
        part = step / steps
        touch(
            tab,
            "touchMove",
            *[tuple(a + part * (b - a) for a, b in zip(*way, strict=True)) for way in ways],
        )
    touch(tab, "touchEnd")


def phone(browser, page, face):
    return shown(
        browser, page, face, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )


def test_fingers_drag_a_point_under_a_lens_and_pinch_the_view(browser, page):
    with phone(browser, page, "0.png") as tab:
        tab.cdp = tab.context.new_cdp_session(tab)
        x, y, _ = points(tab)[index(NOSE)]
        zoom_to(tab, (x, y), 3)
        start, end = on_screen(tab, (x, y)), on_screen(tab, (x + 12, y - 9))
        touch(tab, "touchStart", start)
        touch(tab, "touchMove", (start[0] + 15, start[1]))
        assert tab.locator("#lens").is_visible()
        touch(tab, "touchEnd")
        tab.wait_for_timeout(50)
        saved(tab)
        tab.click("#undo")
        until(tab, "nasionLabel.labelling.doc.can_redo")
        touch_drag(tab, (start, end))
        saved(tab)
        now = page.state("0.png").points[NOSE]
        assert abs(now[0] - x - 12) < 0.5 and abs(now[1] - y + 9) < 0.5
        assert tab.locator("#lens").is_hidden()
        before, scale = points(tab), tab.evaluate("nasionLabel.view.scale")
        a, b = on_screen(tab, (x - 30, y)), on_screen(tab, (x + 30, y))
        touch_drag(tab, (a, (a[0] - 30, a[1])), (b, (b[0] + 30, b[1])))
        assert tab.evaluate("nasionLabel.view.scale") > 1.2 * scale
        assert points(tab) == before and len(page.gestures()) == 3


def test_a_finger_held_on_a_point_opens_its_menu(browser, page):
    with phone(browser, page, "0.png") as tab:
        tab.cdp = tab.context.new_cdp_session(tab)
        place = points(tab)[index(NOSE)]
        touch(tab, "touchStart", on_screen(tab, place[:2]))
        tab.locator("#point-menu").wait_for()
        touch(tab, "touchEnd")
        sizes = [each.bounding_box() for each in tab.locator("#point-menu button").all()]
        assert min(size["height"] for size in sizes) >= 44
        tab.get_by_role("menuitem", name="Occluded").click()
        saved(tab)
        assert page.state("0.png").points[NOSE] == (*place[:2], "occluded")


def test_two_fingers_move_turn_and_scale_the_shape(browser, page):
    with phone(browser, page, "0.png") as tab:
        tab.cdp = tab.context.new_cdp_session(tab)
        before = points(tab)
        tab.keyboard.press("b")
        x, y, _ = before[index(NOSE)]
        a, b = on_screen(tab, (x - 30, y)), on_screen(tab, (x + 30, y))
        touch_drag(tab, (a, (a[0] - 20, a[1])), (b, (b[0] + 20, b[1])))
        saved(tab)
        after = points(tab)
        width = [abs(p[index("jaw_right_1")][0] - p[index("jaw_left_1")][0]) for p in (before, after)]
        ratio = (b[0] - a[0] + 40) / (b[0] - a[0])
        assert width[1] / width[0] == pytest.approx(ratio, rel=0.02)
        assert [each["op"] for each in page.gestures()] == ["transform"]


def test_a_face_is_labelled_by_keyboard_alone(browser, images):
    with shown(browser, images, "three.jpg") as tab:
        until(tab, "nasionLabel.labelling.doc.hollow.length === 68", seconds=60)
        assert tab.evaluate("nasionLabel.labelling.doc.labelled") == 0
        tab.keyboard.press("Tab")
        while tab.evaluate("document.activeElement.id") != "stage":
            tab.keyboard.press("Tab")
        tab.keyboard.press("Tab")
        tab.keyboard.press("Enter")  # accepts the first point, and goes on to the second
        tab.keyboard.press("ArrowRight")
        tab.keyboard.press("Shift+ArrowDown")
        tab.keyboard.press("Tab")
        tab.keyboard.press("o")
        tab.keyboard.press("Tab")
        tab.keyboard.press("Delete")
        saved(tab)
        second = tab.evaluate("nasionLabel.labelling.doc.base[1]")
        tab.keyboard.press("Shift+A")
        tab.keyboard.press("Shift+Enter")
        until(tab, "nasionLabel.labelling.doc.face !== 'three.jpg'")
        saved(tab)
        state = images.state("three.jpg")
        found = state.points
        names = list(tab.evaluate("nasionLabel.labelling.names"))
        assert state.done and state.image == "three.jpg" and len(found) == 68
        assert found[names[1]][:2] == pytest.approx((second[0] + 1, second[1] + 10), abs=0.02)
        assert found[names[2]][2] == "occluded" and found[names[3]] is None
        assert all(found[name] is not None for name in names[4:])
        ways = [(each["op"], each["origin"]) for each in images.gestures()]
        assert ways == [
            ("add", "proposal"),
            ("place", "hand"),
            ("mark", "hand"),
            ("mark", "hand"),
            ("accept", "proposal"),
            ("done", "hand"),
        ]


def test_points_without_a_proposal_are_placed_by_keys_and_clicks(browser, tmp_path):
    data = labelled_data(tmp_path / "some", 2, [(0, ("chin", "nose_tip"))])
    with LabelPage(data) as page, shown(browser, page, "0.png") as tab:
        # Without proposals, as in a blind repeat or a scheme that no network knows.
        tab.evaluate("nasionLabel.labelling.doc.takeProposal(null); nasionLabel.tools.setMode('place')")
        tab.locator("#stage").focus()
        first = tab.evaluate("nasionLabel.points.nextUnplaced(-1)")
        tab.keyboard.press("Enter")  # shows the crosshair at the first of them
        start = tab.evaluate("nasionLabel.tools.crosshair")
        for key in ("ArrowRight", "ArrowRight", "Shift+ArrowUp"):
            tab.keyboard.press(key)
        tab.keyboard.press("Enter")
        saved(tab)
        name = tab.evaluate("nasionLabel.labelling.names")[first]
        placed = page.state("0.png").points[name]
        assert placed[:2] == pytest.approx((start[0] + 2, start[1] - 10), abs=0.02)
        second = tab.evaluate("nasionLabel.labelling.current")
        tab.mouse.click(*on_screen(tab, (100, 100)))
        saved(tab)
        found = points(tab)[second]
        assert found[:2] == pytest.approx((100, 100), abs=0.5) and second != first


RANDOM_ACTIONS = ("o", "Delete", "r", "w", ",", ".", "<", ">", "ArrowLeft", "Shift+ArrowDown", "Tab")
RANDOM_ACTIONS += ("Control+z", "Control+Shift+z", "a", "3", "v", "c", "drag")


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
        """(({ points, touched, confirmed, revision, can_undo, can_redo }) =>
          ({ points, touched, confirmed, revision, can_undo, can_redo }))(nasionLabel.labelling.doc)"""
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
    with label_process(data, page.port) as process:
        with shown(browser, page, "0.png", expected=expected) as tab:
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
                sync_api.expect(line).to_contain_text("Saved", timeout=20_000)
                ready(tab)
                assert set(page.state("0.png").points) == {NOSE, "chin"}
                assert points(tab)[index(NOSE)][0] > places[index(NOSE)][0] + 3


def test_boxes_are_drawn_by_a_drag_and_by_two_clicks(browser, images):
    with shown(browser, images, "wall.png") as tab:
        until(tab, "nasionLabel.tools.mode === 'box'")
        drag(tab, on_screen(tab, (30, 20)), on_screen(tab, (90, 100)))
        saved(tab)
        box = images.state("wall.png").value("box")
        assert box == pytest.approx((30, 20, 90, 100), abs=0.5)
        # A corner is dragged; then a second face is added by two clicks.
        tab.click("#edit-box")
        drag(tab, on_screen(tab, (90, 100)), on_screen(tab, (95, 110)))
        saved(tab)
        assert images.state("wall.png").value("box") == pytest.approx((30, 20, 95, 110), abs=0.5)
        tab.click("#faces-section summary")
        tab.click("#add-face")
        for place in ((100, 30), (150, 90)):
            tab.mouse.click(*on_screen(tab, place))
        until(tab, "nasionLabel.labelling.doc.face === 'wall.png#2'")
        assert images.state("wall.png#2").value("box") == pytest.approx((100, 30, 150, 90), abs=0.5)
        assert tab.locator("#faces li").count() == 2
        tab.click("#remove")
        saved(tab)
        assert images.state("wall.png#2").removed
        assert "Restore" in tab.inner_text("#remove")
    with shown(browser, images, "three.jpg") as tab:
        tab.click("#faces-section summary")
        tab.click("#no-face")
        saved(tab)
        assert images.state("three.jpg").no_face and tab.locator("#left-out").is_visible()


def test_shape_mode_moves_turns_and_scales_by_handles_and_buttons(browser, page):
    with shown(browser, page, "0.png") as tab:
        before = np.array([place[:2] for place in points(tab)])
        tab.get_by_role("button", name="Shape").click()
        handles = tab.evaluate("nasionLabel.tools.frame.handles")
        corner = next(each["at"] for each in handles if each["kind"] == "scale")
        centre = tab.evaluate("nasionLabel.tools.frame.centre")
        inward = [c + 0.8 * (a - c) for a, c in zip(corner, centre, strict=True)]
        drag(tab, on_screen(tab, corner), on_screen(tab, inward))
        saved(tab)
        scaled = np.array([place[:2] for place in points(tab)])
        np.testing.assert_allclose(scaled - centre, 0.8 * (before - centre), atol=0.6)
        for name in ("Move right", "Move right", "Turn left", "Larger"):
            tab.get_by_role("button", name=name, exact=True).click()
        saved(tab)
        after = np.array([place[:2] for place in points(tab)])
        np.testing.assert_allclose((after - scaled).mean(axis=0), (2, 0), atol=0.6)
        # All of it is one gesture, since the clicks followed each other at once.
        assert [each["op"] for each in page.gestures()] == ["transform", "transform"]


def test_a_fill_never_overwrites_what_was_placed_by_hand(browser, tmp_path):
    eye = tuple(name for name in ibug68.points if name.startswith("left_eye"))
    data = labelled_data(tmp_path / "half", 3, [(0, eye)])
    with LabelPage(data) as page, shown(browser, page, "0.png") as tab:
        tab.evaluate("nasionLabel.labelling.doc.takeProposal(null)")
        tab.evaluate("nasionLabel.tools.setMode('edit')")
        tab.evaluate(f"nasionLabel.points.select({index(eye[0])})")
        tab.evaluate("nasionLabel.points.moveSelected([200, 120])")
        tab.click("text=Fill ▾")
        tab.click("text=From the other half")
        saved(tab)
        found = page.state("0.png").points
        assert found[eye[0]][:2] == (200, 120) and set(found) == set(eye)
        filled = page.gestures()[-1]
        assert filled["op"] == "fill" and filled["origin"] == "mirror"
        # Mirrored about the face, they lie where the drawing has them, within a tenth of its size.
        truth = toy_points(0)
        for name in eye[1:]:
            assert np.hypot(*(np.array(found[name][:2]) - truth[index(name)])) < 32


def test_what_is_pressed_only_counts_where_it_should(browser, page):
    with shown(browser, page, "0.png") as tab:
        before = points(tab)
        tab.click("#note")
        tab.keyboard.type("wow, do R")
        tab.keyboard.press("Tab")
        saved(tab)
        assert points(tab) == before and page.state("0.png").note == "wow, do R"
        tab.focus("#stage")
        tab.keyboard.press("?")
        tab.locator("#letter-keys").uncheck()
        tab.click("#keys-dialog [data-close]")
        tab.focus("#stage")
        tab.keyboard.press("w")
        assert points(tab) == before
        tab.get_by_role("button", name="Keys").click()
        tab.locator("#letter-keys").check()
        change = tab.locator("button[data-command=swap]").last
        change.click()
        tab.keyboard.press("u")
        assert "U: Swap left and right" in tab.inner_text("#keys-told")
        tab.click("#keys-dialog [data-close]")
        tab.focus("#stage")
        tab.keyboard.press("w")
        assert points(tab) == before
        tab.keyboard.press("u")
        saved(tab)
        assert points(tab) != before and page.gestures()[-1]["op"] == "swap"


def test_after_the_last_point_tab_leaves_the_image_and_escape_lets_it_at_any(browser, page):
    with shown(browser, page, "0.png") as tab:
        tab.focus("#stage")
        tab.evaluate("nasionLabel.points.select(66)")
        tab.keyboard.press("Tab")
        assert tab.evaluate("document.activeElement.id") == "stage"
        tab.keyboard.press("Tab")
        assert tab.evaluate("document.activeElement.id") != "stage"
        tab.focus("#stage")
        tab.keyboard.press("Tab")
        tab.keyboard.press("Escape")
        tab.keyboard.press("Tab")
        assert tab.evaluate("document.activeElement.id") != "stage"


EDITING = """async () => {
  const e = await import("/page/editing.js");
  const all = (changes) => Object.fromEntries([...changes].map(([i, v]) => [i, v && v.slice(0, 2)]));
  const p = (x, y, state = "visible") => [x, y, state];
  const ring = { points: [0, 1, 2, 3], closed: true }, line = { points: [0, 1, 2], closed: false };
  const square = [p(0, 0), p(10, 0), p(10, 10), p(0, 10)];
  const row = [p(0, 0), p(10, 0), p(20, 0)];
  const picture = [[0, 0], [10, 0], [5, 5], [5, 9]];
  const face = [p(110, 50), null, p(120, 60), p(120, 68)];
  return {
    ring: all(e.reversed(square, ring)),
    line: all(e.reversed(row, line)),
    expected: all(e.reversed(square, ring, [[11, 0], [1, 0], [0, 9], null])),
    on: all(e.shiftedByOne(square, ring, 1)),
    open: all(e.shiftedByOne(row, line, 1)),
    back: all(e.shiftedByOne(row, line, -1)),
    swap: all(e.swappedSides([p(1, 1), null, p(3, 3)], [[0, 1]])),
    slide: all(e.slidBy(row, line, 1, 4)),
    held: all(e.slidBy(row, line, 1, 400)),
    to: all(e.slidTo(row, line, 1, [13, 5])),
    turn: all(e.transformed(new Map([[0, p(10, 0)]]), { angle: Math.PI / 2, scale: 2 })),
    mirror: all(e.filledByMirror(face, [[0, 1]], picture, [1])),
    shape: all(e.filledFrom(face, picture, [1])),
    box: all(e.filledFrom([null], [p(1, 1)], [0], [10, 10, 30, 30], [0, 0, 2, 2])),
    unchanged: e.reversed([p(0, 0), p(1, 1), p(0, 0)], line).size,
    state: e.movedBy(p(1, 2, "occluded"), 0.333, 0),
  };
}"""


def test_edits_are_what_is_worked_out_by_hand(browser, page):
    with shown(browser, page) as tab:
        assert tab.evaluate(EDITING) == {
            "ring": {"1": [0, 10], "3": [10, 0]},  # the first point stays
            "expected": {"0": [10, 0], "1": [0, 0], "2": [0, 10], "3": [10, 10]},
            "line": {"0": [20, 0], "2": [0, 0]},
            "on": {"0": [10, 0], "1": [10, 10], "2": [0, 10], "3": [0, 0]},
            "open": {"0": [10, 0], "1": [20, 0], "2": [30, 0]},  # the end is continued
            "back": {"0": [-10, 0], "1": [0, 0], "2": [10, 0]},
            "swap": {"0": None, "1": [1, 1]},
            "slide": {"1": [14, 0]},
            "held": {"1": [20, 0]},  # never past its neighbour
            "to": {"1": [13, 0]},
            "turn": {"0": [0, 20]},
            "mirror": {"1": [130, 50]},
            "shape": {"1": pytest.approx([130, 50], abs=1)},
            "box": {"0": [20, 20]},
            "unchanged": 0,
            "state": [1.33, 2, "occluded"],
        }


def test_everything_can_be_reached_has_a_name_and_is_large_enough(browser, page):
    with shown(browser, page, "0.png") as tab:
        tab.evaluate("document.querySelectorAll('details').forEach((it) => { it.open = true; })")
        tab.get_by_role("button", name="Shape").click()
        unnamed = tab.evaluate("""
            [...document.querySelectorAll("button, select, input, textarea, canvas[role], [role=listbox],"
              + "[role=option], [role=toolbar], [role=application], dialog, progress")]
              .filter((it) => !it.textContent.trim() && !it.getAttribute("aria-label"))
              .filter((it) => !(it.labels && it.labels.length) && !it.getAttribute("aria-labelledby"))
              .map((it) => it.outerHTML.slice(0, 90))""")
        assert unnamed == []
        assert too_small(tab, 24) == []
        ids = tab.evaluate("[...document.querySelectorAll('[id]')].map((it) => it.id)")
        assert len(ids) == len(set(ids))
        pointed = tab.evaluate("""
            [...document.querySelectorAll("[aria-controls], [aria-describedby], [aria-labelledby]")]
              .flatMap((it) => ["aria-controls", "aria-describedby", "aria-labelledby"]
                .map((name) => it.getAttribute(name)).filter(Boolean))""")
        assert set(pointed) <= set(ids)
        tab.locator("#stage").focus()
        tab.keyboard.press("Escape")
        tab.keyboard.press("Tab")
        tab.keyboard.press("ArrowRight")
        sync_api.expect(tab.locator("#announce")).to_contain_text("jaw right 1 at")
        assert tab.get_attribute("#announce", "aria-live") == "polite"
        active = tab.get_attribute("#points-list", "aria-activedescendant")
        assert tab.get_attribute(f"#{active}", "aria-selected") == "true"


def too_small(tab, least):
    return tab.evaluate(
        """(least) => [...document.querySelectorAll(
              "button, select, summary, input, [role=option], label.tick")]
            .filter((it) => it.checkVisibility() && !it.closest("label"))
            .map((it) => [it.getBoundingClientRect(), it])
            .filter(([box]) => box.width && (box.height < least || box.width < least))
            .map(([box, it]) => `${it.outerHTML.slice(0, 80)} ${box.width} ${box.height}`)""",
        least,
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_enough_contrast(browser, page, scheme):
    with shown(browser, page, "0.png", color_scheme=scheme) as tab:
        tab.get_by_role("button", name="Place", exact=True).click()
        faint = tab.evaluate(CONTRAST)
        assert faint == []


CONTRAST = """() => {
  const numbers = (text) => {
    const values = text.match(/[\\d.]+/g).map(Number);
    return text.startsWith("color(") ? values.map((v, i) => (i < 3 ? v * 255 : v)) : values;
  };
  const bright = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (it) => {
    for (; it; it = it.parentElement) {
      const colour = numbers(getComputedStyle(it).backgroundColor);
      if (colour.length < 4 || colour[3] > 0.5) return colour;
    }
    return [255, 255, 255];
  };
  const mixed = (ink, paper, share) => ink.slice(0, 3).map((v, i) => share * v + (1 - share) * paper[i]);
  return [...document.querySelectorAll("body *")]
    .filter((it) => it.checkVisibility() && !it.disabled && !it.closest("#stage"))
    .filter((it) => [...it.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
    .map((it) => {
      const style = getComputedStyle(it), paper = behind(it);
      const ink = mixed(numbers(style.color), paper, Number(style.opacity));
      const [a, b] = [bright(ink), bright(paper)];
      return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), it];
    })
    .filter(([ratio]) => ratio < 4.5)
    .map(([ratio, it]) => `${ratio.toFixed(2)} ${it.outerHTML.slice(0, 80)}`);
}"""


@pytest.mark.parametrize("size", [(390, 844), (820, 1180)])
def test_on_phones_and_tablets_panels_are_sheets_and_nothing_reaches_beyond(browser, page, size):
    width, height = size
    touched = {"viewport": {"width": width, "height": height}, "has_touch": True, "is_mobile": True}
    with shown(browser, page, "0.png", **touched) as tab:
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert too_small(tab, 44) == []
        queue = tab.get_by_role("button", name="Queue")
        queue.tap()
        assert queue.get_attribute("aria-expanded") == "true"
        tab.locator("#queue .row").nth(1).tap()
        until(tab, "nasionLabel.labelling.index === 1")
        assert queue.get_attribute("aria-expanded") == "false"
        if width < 700:
            tab.get_by_role("button", name="Points", exact=True).tap()
            tab.locator("#point-30").tap()
            assert tab.evaluate("nasionLabel.labelling.current") == 30
            assert too_small(tab, 44) == []
        stage = tab.locator("#stage").bounding_box()
        assert stage["width"] > 0.6 * width and stage["height"] > 0.5 * height


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


def test_proposals_follow_a_correction_and_stay_no_labels_until_accepted(browser, images):
    with shown(browser, images, "three.jpg") as tab:
        until(tab, "nasionLabel.labelling.doc.hollow.length === 68", seconds=60)
        base = np.array(tab.evaluate("nasionLabel.labelling.doc.base"))
        nose = index(NOSE)
        start, end = on_screen(tab, base[nose]), on_screen(tab, base[nose] + (25, 0))
        drag(tab, start, end)
        saved(tab)
        moved = f"nasionLabel.labelling.doc.shown[{index('nose_base')}][0]"
        until(tab, f"{moved} > {base[index('nose_base')][0] + 5}")
        assert tab.evaluate("nasionLabel.labelling.doc.labelled") == 1
        assert set(images.state("three.jpg").points) == {NOSE}
        # A double click accepts the proposal where it is drawn now.
        place = tab.evaluate("nasionLabel.labelling.doc.shown")[index("chin")]
        tab.mouse.dblclick(*on_screen(tab, place))
        saved(tab)
        found = images.state("three.jpg").points["chin"]
        assert found[:2] == pytest.approx(tuple(place), abs=0.01)
        tab.keyboard.press("Control+z")
        until(tab, "nasionLabel.labelling.doc.labelled === 1")
        assert tab.evaluate(f"nasionLabel.labelling.doc.isHollow({index('chin')})")


def test_what_modifier_keys_and_the_move_here_button_do(browser, page):
    with shown(browser, page, "0.png") as tab:
        places = points(tab)
        x, y, _ = places[index(NOSE)]
        zoom_to(tab, (x, y), 3)
        tab.mouse.click(*on_screen(tab, (x, y)))
        tab.keyboard.down("Control")
        tab.mouse.click(*on_screen(tab, (x + 20, y + 10)))
        tab.keyboard.up("Control")
        saved(tab)
        assert points(tab)[index(NOSE)][:2] == pytest.approx((x + 20, y + 10), abs=0.5)
        tab.get_by_role("button", name="Move here").click()
        tab.mouse.click(*on_screen(tab, (x - 20, y)))
        tab.mouse.move(*on_screen(tab, (x - 30, y + 5)))
        saved(tab)
        assert points(tab)[index(NOSE)][:2] == pytest.approx((x - 20, y), abs=0.5)
        tab.keyboard.press("m")
        saved(tab)
        assert points(tab)[index(NOSE)][:2] == pytest.approx((x - 30, y + 5), abs=0.5)
        jaw = [np.array(places[index(f"jaw_right_{k}")][:2]) for k in (2, 3, 4)]
        zoom_to(tab, jaw[1], 3)
        tab.keyboard.down("Alt")
        drag(tab, on_screen(tab, jaw[1]), on_screen(tab, (jaw[1] + jaw[2]) / 2 + (9, 0)))
        tab.keyboard.up("Alt")
        saved(tab)
        slid = np.array(points(tab)[index("jaw_right_3")][:2])
        # It stays on the line to its neighbour, about half of the way.
        along, half = jaw[2] - jaw[1], np.linalg.norm(slid - (jaw[1] + jaw[2]) / 2)
        assert page.gestures()[-1]["op"] == "slide" and half < 0.4 * np.linalg.norm(along)


def test_keys_pressed_at_once_go_as_many_faces_on(browser, page):
    with shown(browser, page, "0.png") as tab:
        tab.evaluate("nasionLabel.faces.open(0)")
        tab.focus("#stage")
        for key in "jjjk":
            tab.keyboard.press(key)
        until(tab, "nasionLabel.labelling.index === 2")
        until(tab, "nasionLabel.drawing.shown.name === nasionLabel.labelling.doc.image.name")
        assert tab.inner_text("#position") == "Face 3 of 4"


def test_a_drag_paints_the_points_and_leaves_the_image_alone(browser, page):
    with shown(browser, page, "0.png") as tab:
        tab.evaluate("""() => {
          const { drawing } = nasionLabel, paint = drawing.paint.bind(drawing);
          globalThis.painted = { points: 0, image: 0 };
          drawing.paint = (withImage = true) => {
            painted.points += 1;
            if (withImage && nasionLabel.tools.isDragging) painted.image += 1;
            paint(withImage);
          };
        }""")
        start = on_screen(tab, points(tab)[index(NOSE)][:2])
        drag(tab, start, (start[0] + 60, start[1] + 30), steps=30)
        painted = tab.evaluate("painted")
        assert painted["points"] > 3 and painted["image"] == 0


def test_a_face_shown_once_more_hides_its_labels(browser, page):
    with shown(browser, page, "0.png") as tab:
        tab.evaluate("""() => {
          const { labelling } = nasionLabel;
          const entry = { ...labelling.queue[0], repeat: 1, reason: "", state: "todo" };
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
        sync_api.expect(tab.locator("#learn-state")).to_contain_text("6 faces: 40 %, about 75 s left")
        assert tab.evaluate("document.getElementById('learn-progress').value") == 0.4
        state |= {"state": "done", "done": 1, "models_version": 99}
        sync_api.expect(tab.locator("#announce")).to_contain_text("proposed anew", timeout=10_000)
        assert tab.locator("#learn-progress").is_hidden()
