"""Every dashboard in a real browser, in both languages: drawn, without errors, without a word to the outside."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from browser import CHART, WALL, Watched, pictures_folder, sign_in
from playwright.sync_api import Browser, ViewportSize, expect
from superset_client import RunningCity

from catalog.serve.superset.access import read_access

SLUGS = list(read_access().dashboards)
SCREENS = {"wall": WALL, "laptop": ViewportSize(width=1366, height=768)}


@pytest.fixture(scope="module", params=["zh", "en"])
def signed_in(
    request: pytest.FixtureRequest, browser: Browser, running_city: RunningCity
) -> Iterator[tuple[str, Watched]]:
    """A steward's browser, signed in by the form."""
    language = str(request.param)
    context = browser.new_context(viewport=WALL, locale="zh-CN" if language == "zh" else "en-US")
    watched = Watched(context.new_page(), running_city.address)
    sign_in(watched.page, running_city, "admin", language)
    yield language, watched
    context.close()


@pytest.mark.parametrize("slug", SLUGS)
def test_a_dashboard_is_drawn(slug: str, signed_in: tuple[str, Watched]) -> None:
    language, watched = signed_in
    watched.errors.clear()
    watched.outside.clear()
    charts = watched.open_dashboard(slug)
    # The address is the one of the language, whichever was asked for.
    expect(watched.page).to_have_url(re.compile(f"/dashboard/{slug}{'-en' if language == 'en' else ''}/"))
    assert watched.undrawn(charts) == []
    # What its filters chose for themselves is applied.
    expect(watched.page.locator("[data-test='filter-bar__apply-button']")).to_be_disabled()
    for screen, size in SCREENS.items():
        watched.resize(size)
        assert watched.undrawn(charts, is_whole=False) == []
        assert watched.clipped() == []
        watched.page.screenshot(path=pictures_folder() / f"{slug}-{language}-{screen}.png")
    assert watched.errors == []
    assert watched.outside == []


def test_words_that_are_cut_are_found(browser: Browser) -> None:
    page = browser.new_page()
    page.set_content(
        "<style>th { overflow: hidden; white-space: nowrap; display: block }</style>"
        "<table><tr><th style='width: 40px'>超过三十天的未结案件数</th><th style='width: 400px'>得分</th></tr></table>"
    )
    assert Watched(page, "http://127.0.0.1").clipped() == ["超过三十天的未结案件数"]
    page.close()


def test_the_language_menu_switches_the_dashboard(browser: Browser, running_city: RunningCity) -> None:
    context = browser.new_context(viewport=WALL)
    watched = Watched(context.new_page(), running_city.address)
    sign_in(watched.page, running_city, "admin", "zh")
    watched.open_dashboard("departments")
    assert re.search(r"/dashboard/departments/", watched.page.url)
    watched.page.goto(f"{running_city.address}/lang/en", referer=watched.page.url)
    watched.open_dashboard("departments")
    assert re.search(r"/dashboard/departments-en/", watched.page.url)
    context.close()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_stranger_sees_the_public_dashboard(language: str, browser: Browser, running_city: RunningCity) -> None:
    context = browser.new_context(viewport=WALL)
    watched = Watched(context.new_page(), running_city.address)
    watched.page.goto(f"{running_city.address}/lang/{language}")
    watched.errors.clear()
    charts = watched.open_dashboard("public-index")
    assert watched.undrawn(charts) == []
    assert watched.errors == []
    assert watched.outside == []
    context.close()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_public_dashboard_is_shown_in_another_page(
    language: str, browser: Browser, running_city: RunningCity
) -> None:
    context = browser.new_context(viewport=WALL)
    watched = Watched(context.new_page(), running_city.address)
    watched.page.goto(f"{running_city.address}/gridlake/embedded/?language={language}")
    charts = watched.page.frame_locator("#board").locator(CHART)
    charts.first.wait_for(timeout=90_000)
    expect(watched.page.frame_locator("#board").locator("[data-test='loading-indicator']")).to_have_count(
        0, timeout=90_000
    )
    watched.page.wait_for_load_state("networkidle")
    watched.page.screenshot(path=pictures_folder() / f"embedded-{language}.png")
    assert watched.undrawn(charts) == []
    # Superset's embedded page asks for its flags a moment before it has them, and says so; then it has them.
    assert [error for error in watched.errors if not error.startswith("Failed to query feature flag")] == []
    assert watched.outside == []
    context.close()
