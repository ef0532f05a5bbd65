"""The page of ``nasion serve`` in a real browser: photos dropped, pasted and chosen, the camera,
keys, phone width, nothing from elsewhere.
"""

import base64
import json
import shutil
from contextlib import contextmanager

import numpy as np
import pytest
from fastapi import FastAPI
from hidden_points import predict_hidden
from PIL import Image
from test_serve import Server

from nasion.app import serve
from nasion.app.serve.responses import sample_image
from nasion.landmarks.catalog import ibug68

sync_api = pytest.importorskip("playwright.sync_api")
BROWSER = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.network,
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed"),
]
DROPPED = """(kind, data, name, type) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const moved = new DataTransfer();
  moved.items.add(new File([bytes], name, { type }));
  const event = kind === "paste"
    ? new ClipboardEvent(kind, { clipboardData: moved })
    : new DragEvent(kind, { dataTransfer: moved, bubbles: true });
  document.dispatchEvent(event);
}"""


@pytest.fixture(scope="module")
def server():
    with Server(serve.Limits()) as running:
        yield running


@pytest.fixture(scope="module")
def camera_file(tmp_path_factory):
    """What the browser's fake camera shows: a face that moves; a real one if NASION_DATA has it."""
    import os
    from pathlib import Path

    real = Path(os.environ.get("NASION_DATA", "")) / "samples" / "astronaut.png"
    if real.is_file():
        face = Image.open(real).convert("RGB").crop((60, 0, 380, 240)).resize((640, 480))
    else:
        import io

        face = (
            Image.open(io.BytesIO(sample_image()))
            .crop((0, 0, 320, 320))
            .resize((640, 640))
            .crop((0, 80, 640, 560))
        )
    path = tmp_path_factory.mktemp("camera") / "face.y4m"
    with path.open("wb") as file:
        file.write(b"YUV4MPEG2 W640 H480 F30:1 Ip A1:1 C420jpeg\n")
        for step in range(20):
            y, u, v = (
                face.transform(
                    (640, 480),
                    Image.Transform.AFFINE,
                    (1, 0, step, 0, 1, 0),
                    fillcolor=(90, 90, 90),
                )
                .convert("YCbCr")
                .split()
            )
            file.write(
                b"FRAME\n"
                + y.tobytes()
                + u.resize((320, 240)).tobytes()
                + v.resize((320, 240)).tobytes()
            )
    return path


@pytest.fixture(scope="module")
def browser(camera_file):
    quiet = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
    ]
    camera = [
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={camera_file}",
    ]
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=BROWSER, args=[*quiet, *camera])
        yield running
        running.close()


@contextmanager
def shown_page(browser, server, path="/"):
    """The page, ready; afterwards: no error in the console, and no request to anywhere else."""
    errors, asked = [], []
    shown = browser.new_page(viewport={"width": 1280, "height": 900})
    shown.on("pageerror", lambda error: errors.append(str(error)))
    shown.on(
        "console",
        lambda said: (
            errors.append(said.text) if said.type == "error" and "422" not in said.text else None
        ),
    )
    shown.on("request", lambda request: asked.append(request.url))
    shown.goto(f"http://127.0.0.1:{server.port}{path}")
    shown.locator("body[data-ready=yes]").wait_for()
    yield shown
    shown.close()
    assert errors == []
    address = f"127.0.0.1:{server.port}{path}"
    own = (f"http://{address}", f"ws://{address}", "blob:", "data:")
    assert [url for url in asked if not url.startswith(own)] == []


@pytest.fixture
def page(browser, server):
    with shown_page(browser, server) as shown:
        yield shown


def status(page, words):
    sync_api.expect(page.locator("#status")).to_contain_text(words, timeout=30_000)


def in_module(page, expression):
    """The value of an expression of what page.js exports."""
    return page.evaluate(
        "import(new URL('page/page.js', location.href))"
        f".then(({{ current, redraw }}) => {expression})"
    )


def canvas(page):
    data = page.evaluate("document.getElementById('canvas').toDataURL('image/png').split(',')[1]")
    import io

    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")).astype(int)


def yellowish(page):
    """How many pixels of the canvas have the colour of a sure point."""
    pixels = canvas(page)
    return int(((pixels[..., 0] > 220) & (pixels[..., 1] > 200) & (pixels[..., 2] < 90)).sum())


def test_the_sample_shows_its_faces_and_gives_them_as_json_and_image(page):
    page.click("#sample")
    status(page, "sample.jpg: 3 faces found.")
    assert page.locator("#faces li").count() == 3 and yellowish(page) > 500
    with page.expect_download() as saved:
        page.click("#save-json")
    answer = json.loads(saved.value.path().read_text())
    assert (
        saved.value.suggested_filename == "sample-points.json"
        and len(answer["images"][0]["faces"]) == 3
    )
    with page.expect_download() as saved:
        page.click("#save-image")
    assert Image.open(saved.value.path()).size == (960, 320)


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_photo_can_be_dropped_and_pasted(page, kind):
    page.evaluate(
        f"([data]) => ({DROPPED})('{kind}', data, 'mine.jpg', 'image/jpeg')",
        [base64.b64encode(sample_image()).decode()],
    )
    status(page, "mine.jpg: 3 faces found.")


def test_bad_files_are_reported_of_and_the_good_ones_shown(page, tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    (tmp_path / "good.jpg").write_bytes(sample_image())
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(tmp_path / "none.png")
    page.set_input_files(
        "#files", [str(tmp_path / name) for name in ("bad.jpg", "good.jpg", "none.png")]
    )
    status(page, "good.jpg: 3 faces found.")
    assert (
        "bad.jpg: not a readable image" in page.inner_text("#error")
        and page.inner_text("#error").count("bad.jpg") == 1
    )
    page.locator("#thumbnails button").nth(1).click()
    status(page, "none.png: 0 faces found.")
    assert page.inner_text("#faces") == "none found"


def test_hidden_points_are_drawn_hollow_or_left_out(browser, monkeypatch):
    corners = [36, 39]  # of the right eye
    predict_hidden(monkeypatch, *(ibug68.points[k] for k in corners))
    with Server(serve.Limits()) as own, shown_page(browser, own) as page:
        assert not page.is_visible("#hide-occluded")
        page.click("#sample")
        status(page, "sample.jpg: 3 faces found.")
        places = in_module(page, "current.faces[0].points")
        hollow = canvas(page)
        assert "hidden" in page.inner_text("#legend")
        page.check("#hide-occluded")
        left_out = canvas(page)
        assert page.locator("#rows tr").count() == 3 * 66
        assert "hidden" not in page.inner_text("#legend")
        in_module(page, "(current.faces.forEach((face) => { face.visible = null; }), redraw())")
        full = canvas(page)
    scale = hollow.shape[1] / 960

    def change(before, after, k):
        x, y = ((np.array(places[k]) + 0.5) * scale).astype(int)
        return np.abs(before[y, x] - after[y, x]).max()

    assert change(hollow, left_out, 45) == 0
    # The image is seen within a ring, and not within a disc.
    assert min(change(full, left_out, k) for k in corners) > 60
    assert max(change(hollow, left_out, k) for k in corners) < 40
    assert (hollow != left_out).any(axis=2).sum() > 50


def test_an_image_that_browsers_do_not_show_is_shown_as_the_server_draws_it(page, tmp_path):
    import io

    Image.open(io.BytesIO(sample_image())).save(tmp_path / "scan.tif")
    page.set_input_files("#files", str(tmp_path / "scan.tif"))
    status(page, "scan.tif: 3 faces found.")
    assert yellowish(page) > 500


def test_keys_and_pointer_name_the_points(page):
    page.click("#sample")
    status(page, "3 faces")
    page.focus("#canvas")
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)
    status(page, "Face 1, jaw right 1, at")
    page.keyboard.press("ArrowLeft")
    status(page, "Face 3, ")
    first = in_module(page, "current.faces[0].points[30]")
    box = page.locator("#canvas").bounding_box()
    page.mouse.move(
        box["x"] + (first[0] + 0.5) * box["width"] / 960,
        box["y"] + (first[1] + 0.5) * box["height"] / 320,
    )
    assert page.inner_text("#tip").startswith("30 nose_tip, ")
    page.select_option("#colour", "part")
    assert "mouth" in page.inner_text("#legend")
    page.select_option("#labels", "numbers")


def test_everything_can_be_reached_with_the_tab_key_and_has_a_name(page):
    page.click("#sample")
    status(page, "3 faces")
    page.locator("body").focus()
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id"))
    assert {
        "choose",
        "sample",
        "camera",
        "canvas",
        "colour",
        "labels",
        "edges",
        "any-rotation",
        "measures",
        "axes",
        "reset",
        "faces",
        "save-csv",
        "smooth",
        "save-json",
        "save-image",
    } <= reached
    unnamed = page.evaluate("""
        [...document.querySelectorAll("button, select, input:not([hidden]), canvas")]
          .filter((it) => !it.textContent.trim() && !it.getAttribute("aria-label"))
          .filter((it) => !(it.labels && it.labels.length))
          .map((it) => it.id)""")
    assert unnamed == []
    assert (
        page.get_attribute("#status", "aria-live") == "polite"
        and page.get_attribute("#canvas", "aria-label") == "sample.jpg: 3 faces"
    )


def test_at_phone_width_nothing_reaches_beyond_the_screen(page):
    page.set_viewport_size({"width": 360, "height": 740})
    page.click("#sample")
    status(page, "3 faces")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.locator("#canvas").bounding_box()["width"] <= 360


def test_the_camera_s_face_is_followed_until_it_is_switched_off(page):
    page.click("#camera")
    status(page, "Camera: 1 face, ")
    sync_api.expect(page.locator("#faces li").first).to_contain_text(
        "face 1, score 0.", timeout=30_000
    )
    assert page.get_attribute("#camera", "aria-pressed") == "true" and yellowish(page) > 100
    page.click("#camera")
    status(page, "The camera is off.")
    assert page.get_attribute("#camera", "aria-pressed") == "false"


def test_the_interface_s_description_is_a_page_that_works(page):
    page.goto(page.url + "docs")
    page.get_by_text("/v1/landmarks").first.wait_for()


def mounted(app):
    """The application within another one."""
    outer = FastAPI()
    outer.mount("/tools/faces", app)
    return outer


def behind_proxy(app):
    """What reaches the application behind a proxy that shows it under /tools/faces, strips this
    prefix and, as nginx does if not told otherwise, sends a Host of its own.
    """

    async def proxied(scope, receive, send):
        if scope["type"] == "lifespan":
            return
        assert scope["path"].startswith("/tools/faces/")
        headers = [(name, value) for name, value in scope["headers"] if name != b"host"]
        path = scope["path"].removeprefix("/tools/faces")
        own = {"path": path, "headers": [*headers, (b"host", b"upstream:9")]}
        await app({**scope, **own}, receive, send)

    return proxied


PREFIXED = {
    "mounted": (mounted, serve.Access()),
    "stripped": (
        behind_proxy,
        serve.Access(root_path="/tools/faces", hosts=("127.0.0.1", "upstream")),
    ),
    "passed on": (None, serve.Access(root_path="tools/faces/")),
}


@pytest.mark.parametrize("way", PREFIXED)
def test_behind_a_path_prefix_everything_works(browser, way):
    wrap, access = PREFIXED[way]
    with (
        Server(serve.Limits(), access=access, wrap=wrap) as prefixed,
        shown_page(browser, prefixed, "/tools/faces/") as shown,
    ):
        rules = shown.evaluate("[...document.styleSheets].map((it) => it.cssRules.length)")
        assert rules[0] > 9
        shown.click("#sample")
        status(shown, "sample.jpg: 3 faces found.")
        shown.click("#camera")
        status(shown, "Camera: 1 face, ")
        shown.click("#camera")
        shown.click("text=HTTP interface")
        shown.get_by_text("/v1/landmarks").first.wait_for()
        described = shown.evaluate("fetch('openapi.json').then((it) => it.json())")
        assert [each["url"] for each in described["servers"]] == ["/tools/faces"]
