"""The labelling page in a real browser: points and boxes by mouse, touch and keys."""

import numpy as np
import pytest
from hidden_points import predict_hidden
from label_browser import (
    MARKS,
    NOSE,
    LabelPage,
    drag,
    index,
    labelled_data,
    on_screen,
    points,
    saved,
    shown,
    toy_points,
    until,
    zoom_to,
)

from nasion.landmarks.catalog import ibug68

pytestmark = MARKS
pytest_plugins = ("label_page_fixtures",)


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
        width = [
            abs(p[index("jaw_right_1")][0] - p[index("jaw_left_1")][0]) for p in (before, after)
        ]
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
        tab.evaluate(
            "nasionLabel.labelling.doc.takeProposal(null); nasionLabel.tools.setMode('place')"
        )
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
    with shown(browser, images, "wall.png") as tab:
        tab.click("#faces-section summary")
        assert tab.locator("#no-face").is_disabled()


def add_face(tab, first, second):
    tab.click("#add-face")
    for place in (first, second):
        tab.mouse.click(*on_screen(tab, place))


def test_a_face_is_added_again_after_it_was_undone(browser, images):
    with shown(browser, images, "wall.png") as tab:
        tab.click("#faces-section summary")
        add_face(tab, (30, 20), (90, 100))
        until(tab, "nasionLabel.labelling.doc.face === 'wall.png#2'")
        tab.evaluate("nasionLabel.labelling.undo()")
        saved(tab)
    assert not images.state("wall.png#2").is_added
    with shown(browser, images, "wall.png") as tab:
        tab.click("#faces-section summary")
        add_face(tab, (100, 30), (150, 90))
        until(tab, "nasionLabel.labelling.doc.face === 'wall.png#2'")
        assert not tab.locator("#conflict-dialog").is_visible()
        assert images.state("wall.png#2").value("box") == pytest.approx((100, 30, 150, 90), abs=0.5)


def test_a_face_that_is_added_takes_back_that_there_is_none(browser, images):
    with shown(browser, images, "wall.png") as tab:
        tab.click("#faces-section summary")
        tab.click("#no-face")
        saved(tab)
        assert images.state("wall.png").no_face
        until(tab, "nasionLabel.tools.mode === 'box'")
        drag(tab, on_screen(tab, (30, 20)), on_screen(tab, (90, 100)))
        saved(tab)
        state = images.state("wall.png")
        assert state.is_added and not state.no_face
        tab.evaluate("nasionLabel.labelling.undo()")
        saved(tab)
        tab.click("#no-face")
        saved(tab)
        assert images.state("wall.png").no_face
        add_face(tab, (100, 30), (150, 90))
        until(tab, "nasionLabel.labelling.doc.face === 'wall.png#2'")
        assert not images.state("wall.png").no_face and images.state("wall.png#2").is_added


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


EDITING = """async () => {
  const e = await import("/page/editing.js");
  const all = (changes) =>
    Object.fromEntries([...changes].map(([i, v]) => [i, v && v.slice(0, 2)]));
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


@pytest.fixture
def hidden_chin(monkeypatch):
    predict_hidden(monkeypatch, "chin")


def test_a_proposed_point_that_is_hidden_becomes_an_occluded_label(browser, hidden_chin, images):
    with shown(browser, images, "three.jpg") as tab:
        until(tab, "nasionLabel.labelling.doc.hollow.length === 68", seconds=60)
        states = tab.evaluate("nasionLabel.labelling.names.map("
                              "(_, i) => nasionLabel.labelling.doc.stateOf(i))")  # fmt: skip
        chin = index("chin")
        assert states.pop(chin) == "proposed occluded" and set(states) == {"proposed"}
        for name in ("chin", NOSE):
            place = tab.evaluate("nasionLabel.labelling.doc.shown")[index(name)]
            tab.mouse.dblclick(*on_screen(tab, place))
            saved(tab)
        labels = images.state("three.jpg").points
        assert labels["chin"][2] == "occluded" and labels[NOSE][2] == "visible"


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
