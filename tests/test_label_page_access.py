"""The labelling page in a real browser: names, contrast, sizes, narrow screens, keys."""

import pytest
from label_browser import MARKS, points, saved, shown, sync_api, until

pytestmark = MARKS
pytest_plugins = ("label_page_fixtures",)


def test_everything_can_be_reached_has_a_name_and_is_large_enough(browser, page):
    with shown(browser, page, "0.png") as tab:
        tab.evaluate("document.querySelectorAll('details').forEach((it) => { it.open = true; })")
        tab.get_by_role("button", name="Shape").click()
        unnamed = tab.evaluate("""
            [...document.querySelectorAll("button, select, input, textarea, canvas[role], dialog, "
              + "progress, [role=listbox], [role=option], [role=toolbar], [role=application]")]
              .filter((it) => !it.textContent.trim() && !it.getAttribute("aria-label"))
              .filter((it) => !it.labels?.length && !it.getAttribute("aria-labelledby"))
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
  const mixed = (ink, paper, share) =>
    ink.slice(0, 3).map((v, i) => share * v + (1 - share) * paper[i]);
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
