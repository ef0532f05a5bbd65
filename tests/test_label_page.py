"""The labelling page in a real browser: drags, touch, keys, what is saved and what a conflict shows."""

import pytest
from label_page import (
    BROWSER,
    QUIET,
    LabelPage,
    drag,
    index,
    labelled_data,
    on_screen,
    points,
    saved,
    shown,
    unlabelled_data,
    until,
    zoom_to,
)

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
