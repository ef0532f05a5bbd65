"""Fixtures of the labelling page's tests: a browser, and servers of drawn faces."""

import pytest
from label_browser import BROWSER, QUIET, LabelPage, labelled_data, sync_api, unlabelled_data


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
