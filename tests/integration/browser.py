"""Chromium on a page of Superset: what it said, what it asked for, and whether every chart was drawn."""

from __future__ import annotations

import io
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Playwright, ViewportSize, sync_playwright
from superset_client import RunningCity

# WebGL is drawn by the processor: maps must work on a machine without a graphics card.
_FLAGS = [
    "--no-sandbox",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    # Only maps: pages put together by such a card that is none cost a quarter more.
    "--disable-gpu-compositing",
]
_WAIT_MS = 90_000
_PAINT_SECONDS = 20
WALL = ViewportSize(width=1920, height=1080)
# A chart's place on a dashboard; notes have none of these.
CHART = "[class*='dashboard-chart-id-']"
# Where in its place it draws; the rest is the title.
_BODY = ".slice_container, .chart-container"
# Superset gives places their new width a moment after the window has got its own, and charts theirs later still.
# Rows of a table may be wider than their place: they are scrolled.
_FITS = """selector => {
  const right = element => element.getBoundingClientRect().right;
  return [...document.querySelectorAll(selector)].every(chart => right(chart) <= window.innerWidth
    && [...chart.querySelectorAll('canvas, .slice_container, .slice_container div[style*="px"]:not(table *)')]
      .every(part => right(part) <= right(chart) + 1));
}"""
# Words that are cut at their place's edge: of titles, figures, column heads, filters and tabs.
_CLIPPED = """() => [...document.querySelectorAll(
    '.header-title, .header-title *, .header-line, .subtitle-line, th, th *, .filter-item-wrapper label, .ant-tabs-tab'
  )]
  .filter(e => e.innerText && e.innerText.trim() && e.clientWidth > 0
    && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX !== 'visible')
  .map(e => e.innerText.trim())"""
# What Superset shows in place of a chart.
_EMPTY = (
    "暂无数据",
    "No results were returned for this query",
    "此查询没有返回任何结果",
    "No data",
    "没有数据",
    "无数据",
    "Unexpected error",
)
# Fewer colours than this is a blank rectangle with a border.
_MIN_COLOURS = 12


@dataclass
class Watched:
    """A page and what happened on it."""

    page: Page
    home: str
    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._note_error)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self._note(request.url))

    def _note_error(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")

    def _note(self, address: str) -> None:
        parts = urlsplit(address)
        if parts.scheme not in ("data", "blob") and parts.netloc != urlsplit(self.home).netloc:
            self.outside.append(address)

    def open_dashboard(self, slug: str) -> Locator:
        """Open a dashboard and wait until none of its charts is loading; gives the charts."""
        self.page.set_viewport_size(WALL)
        self.page.goto(f"{self.home}/superset/dashboard/{slug}/")
        return self.wait_for_charts()

    def wait_for_charts(self) -> Locator:
        """Make the screen as high as the page, because Superset loads a chart when it comes into view, and wait."""
        charts = self.page.locator(CHART)
        charts.first.wait_for(timeout=_WAIT_MS)
        self.page.set_viewport_size({**WALL, "height": self.page.evaluate("document.body.scrollHeight")})
        for number in range(charts.count()):
            charts.nth(number).locator(_BODY).first.wait_for(timeout=_WAIT_MS)
        self.page.wait_for_function(
            '() => document.querySelectorAll(\'.dashboard-component-chart-holder [data-test="loading-indicator"],'
            " .slice_container .loading').length === 0",
            timeout=_WAIT_MS,
        )
        self.page.wait_for_load_state("networkidle")
        return charts

    def resize(self, screen: ViewportSize) -> None:
        """Show the page on another screen and wait until its charts fit into their places there."""
        self.page.set_viewport_size(screen)
        self.page.evaluate("window.scrollTo(0, 0)")
        self.page.wait_for_function(_FITS, arg=CHART, timeout=_WAIT_MS)
        self.page.wait_for_load_state("networkidle")

    def clipped(self) -> list[str]:
        """Titles, figures, column heads and labels of filters that are cut at the edge of their place."""
        return list(self.page.evaluate(_CLIPPED))

    def undrawn(self, charts: Locator, *, is_whole: bool = True) -> list[str]:
        """Titles of the charts that show nothing, with what they show instead.

        With `is_whole` the screen must show all of them; else those that it does not show whole are not judged.
        """
        end = time.monotonic() + _PAINT_SECONDS
        # A chart that has its data may still be painting.
        while found := self._undrawn(charts, is_whole):
            if time.monotonic() > end:
                break
            self.page.wait_for_timeout(200)
        return found

    def _undrawn(self, charts: Locator, is_whole: bool) -> list[str]:
        picture = Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")
        found = []
        for number in range(charts.count()):
            chart = charts.nth(number)
            title = chart.locator(".header-title, [data-test='editable-title']").first.text_content() or str(number)
            text = chart.inner_text()
            place = chart.locator(_BODY).first.bounding_box()
            assert place is not None, title
            box = [round(each) for each in (place["x"], place["y"])]
            box += [box[0] + round(place["width"]), box[1] + round(place["height"])]
            is_seen = box[2] <= picture.width and box[3] <= picture.height
            if any(words in text for words in _EMPTY) or chart.locator(".ant-alert-error, .ant-empty").count():
                found.append(f"{title}: {text[:200]}")
            elif not is_seen and is_whole:
                found.append(f"{title}: beyond the screen, {place}")
            elif is_seen and colours(picture.crop(tuple(box))) < _MIN_COLOURS:
                found.append(f"{title}: blank")
        return found


def colours(picture: Image.Image) -> int:
    """Number of different colours in a picture."""
    return len(picture.getcolors(maxcolors=picture.width * picture.height) or [])


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium."""
    with sync_playwright() as playwright:
        browser = _launch(playwright)
        try:
            yield browser
        finally:
            browser.close()


def _launch(playwright: Playwright) -> Browser:
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert executable, "there is no Chromium: run `make tools`"
    return playwright.chromium.launch(executable_path=executable, args=_FLAGS, headless=True)


def sign_in(page: Page, city: RunningCity, name: str, language: str) -> None:
    """Sign in by the form, as a person does, in the language."""
    page.goto(f"{city.address}/lang/{language}")
    page.goto(f"{city.address}/login/")
    page.locator("#username, input[name=username]").first.fill(name)
    page.locator("#password, input[name=password]").first.fill(city.password(name))
    page.locator("button[type=submit], input[type=submit]").first.click()
    page.wait_for_url(lambda address: "/login" not in address, timeout=_WAIT_MS)


def pictures_folder() -> Path:
    """Where the pictures of the last test run are kept."""
    folder = Path(__file__).resolve().parents[1] / "output" / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
