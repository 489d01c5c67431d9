"""What people do on a dashboard, in a real browser: choose, click, drill down to the rows, in their own language."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from browser import CHART, WALL, Watched, sign_in
from lakes import BuiltLake, gridlake
from playwright.sync_api import Browser, Locator, Response, expect
from superset_client import RunningCity

_WAIT_MS = 60_000


@pytest.fixture(scope="module")
def steward(browser: Browser, running_city: RunningCity) -> Iterator[Watched]:
    yield from signed_in(browser, running_city, "admin")


@pytest.fixture(scope="module")
def unit(demo_lake: BuiltLake) -> str:
    """The unit with the most cases."""
    return str(one(demo_lake, "SELECT mode(dept_id) FROM lake.mart.mart_case"))


@pytest.fixture(scope="module")
def department(browser: Browser, running_city: RunningCity, unit: str) -> Iterator[Watched]:
    gridlake(running_city.environment, "accounts", "set", "cleaning", "--role", "department", "--unit", unit)
    yield from signed_in(browser, running_city, "cleaning")


def signed_in(browser: Browser, city: RunningCity, name: str) -> Iterator[Watched]:
    context = browser.new_context(viewport=WALL, locale="zh-CN")
    watched = Watched(context.new_page(), city.address)
    sign_in(watched.page, city, name, "zh")
    yield watched
    context.close()


def one(lake: BuiltLake, sql: str) -> object:
    ((value,),) = lake.query(sql)
    return value


def month(lake: BuiltLake) -> str:
    """The month that pages open with."""
    return str(one(lake, "SELECT newest_month FROM lake.mart.mart_state"))


def chart(watched: Watched, title: str) -> Locator:
    titled = watched.page.locator(".header-title, [data-test='editable-title']", has_text=re.compile(f"^{title}$"))
    return watched.page.locator(CHART).filter(has=titled).first


def native_filter(watched: Watched, name: str) -> Locator:
    """Where the values of the filter are chosen."""
    labels = watched.page.locator("[data-test='filter-control-name']")
    labels.first.wait_for(timeout=_WAIT_MS)
    return watched.page.locator("[data-test='form-item-value']").nth(labels.all_inner_texts().index(name))


def choose(watched: Watched, name: str, value: str) -> None:
    """Choose one value of a native filter and apply it."""
    page = watched.page
    native_filter(watched, name).locator("input").click()
    page.keyboard.type(value)
    page.locator(".ant-select-item-option:visible", has_text=value).first.click()
    page.keyboard.press("Escape")
    page.locator("[data-test='filter-bar__apply-button']").click()


def item(watched: Watched, name: str) -> Locator:
    """A line of the menu that a right click opens."""
    return watched.page.locator(f"[data-menu-id$='-{name}']:visible")


def test_a_filter_narrows_the_charts_and_what_other_filters_offer(steward: Watched, demo_lake: BuiltLake) -> None:
    steward.open_dashboard("cases")
    counted = "SELECT sum(case_count) FROM lake.mart.mart_case_stage WHERE stage = 'reported'"
    shown = f"{counted} AND month = '{month(demo_lake)}'"
    expect(chart(steward, "上报")).to_contain_text(f"{one(demo_lake, shown):,}", timeout=_WAIT_MS)
    choose(steward, "区（县）", "云河区")
    streets = one(
        demo_lake,
        "SELECT count(DISTINCT street_name_zh) FROM lake.mart.mart_case_stage WHERE district_name_zh = '云河区'",
    )
    expect(native_filter(steward, "街道（乡镇）")).to_contain_text(f"{streets} 个选项", timeout=_WAIT_MS)
    narrowed = one(demo_lake, f"{shown} AND district_name_zh = '云河区'")
    expect(chart(steward, "上报")).to_contain_text(f"{narrowed:,}", timeout=_WAIT_MS)
    # A stock, not a flow: the month does not reach it, the district does.
    stock = one(demo_lake, "SELECT count(*) FROM lake.mart.mart_case_open WHERE district_name_zh = '云河区'")
    expect(chart(steward, "未结案")).to_contain_text(f"{stock:,}", timeout=_WAIT_MS)
    assert steward.errors == []


def test_a_click_filters_the_other_charts_and_a_second_one_undoes_it(steward: Watched, demo_lake: BuiltLake) -> None:
    steward.open_dashboard("index-to-cases")
    rows = chart(steward, "② 指标").locator("tbody tr")
    shown = (
        "SELECT count(DISTINCT indicator_code) FROM lake.mart.mart_indicator WHERE period_kind = 'month'"
        f" AND area_level = 'city' AND dept_id = '*' AND month = '{month(demo_lake)}'"
    )
    expect(rows).to_have_count(int(str(one(demo_lake, shown))), timeout=_WAIT_MS)
    dimension = chart(steward, "① 分项").locator("tbody td", has_text="按期办理")
    dimension.click()
    expect(rows).to_have_count(int(str(one(demo_lake, f"{shown} AND node_name_zh = '按期办理'"))), timeout=_WAIT_MS)
    dimension.click()
    expect(rows).to_have_count(int(str(one(demo_lake, shown))), timeout=_WAIT_MS)
    assert steward.errors == []


def test_a_right_click_drills_to_the_rows_behind_a_figure(steward: Watched, demo_lake: BuiltLake) -> None:
    steward.open_dashboard("cases")
    chart(steward, "未结案案龄").locator("tbody td", has_text="31–90 天").click(button="right")
    item(steward, "drill-to-detail-by").hover()
    steward.page.get_by_role("menuitem").filter(has_text="31–90").last.click()
    found = one(demo_lake, "SELECT count(*) FROM lake.mart.mart_case_open WHERE age_band_name_zh = '31–90 天'")
    detail = steward.page.get_by_role("dialog")
    expect(detail).to_contain_text(f"{found} 行", timeout=_WAIT_MS)
    headers = detail.get_by_role("columnheader")
    expect(headers.filter(has_text="案龄（天）")).to_have_count(1, timeout=_WAIT_MS)
    assert [text for text in headers.all_inner_texts() if text.isascii()] == [], "a name without a label"
    assert steward.errors == []


def test_a_right_click_drills_by_what_has_a_name(steward: Watched, demo_lake: BuiltLake) -> None:
    steward.open_dashboard("cases")
    chart(steward, "各环节按期率").locator("tbody td", has_text="处置").first.click(button="right")
    item(steward, "drill-by-submenu").hover()
    offered = steward.page.locator(".ant-popover:visible, .ant-dropdown-menu-submenu-popup:visible").last
    expect(offered).to_contain_text("区（县）", timeout=_WAIT_MS)
    assert "应办数" not in offered.inner_text(), "a measure is nothing to drill by"
    offered.get_by_text("区（县）", exact=True).click()
    table = steward.page.get_by_role("dialog").locator("[data-test='drill-by-chart'], .slice_container").first
    expect(table).to_contain_text("云河区", timeout=_WAIT_MS)
    due = one(
        demo_lake,
        "SELECT sum(due_count) FROM lake.mart.mart_case_due WHERE stage = 'handle' AND district_name_zh = '云河区'"
        f" AND month = '{month(demo_lake)}'",
    )
    expect(table).to_contain_text(f"{due:,}", timeout=_WAIT_MS)
    assert steward.errors == []


def test_a_department_finds_its_own_cases_on_its_pages(department: Watched, demo_lake: BuiltLake, unit: str) -> None:
    charts = department.open_dashboard("cases")
    own = one(
        demo_lake,
        f"SELECT sum(case_count) FROM lake.mart.mart_case_stage WHERE stage = 'reported' AND dept_id = '{unit}'"
        f" AND month = '{month(demo_lake)}'",
    )
    expect(chart(department, "上报")).to_contain_text(f"{own:,}", timeout=_WAIT_MS)
    assert department.undrawn(charts) == []
    # Its map has all areas, and of components and cases its own.
    assert department.undrawn(department.open_dashboard("city-map")) == []
    # Of permits it has none, and is told so; the page does not wait for a month of its own.
    assert one(demo_lake, f"SELECT count(*) FROM lake.mart.mart_permit WHERE dept_id = '{unit}'") == 0
    assert "申请" in str(department.undrawn(department.open_dashboard("permits")))
    assert department.errors == []


def test_a_map_is_as_large_as_its_areas(steward: Watched) -> None:
    """The page is told where the areas are, so that no stray component makes the city small."""

    def is_the_maps(answer: Response) -> bool:
        return "/superset/explore_json/" in answer.url and "deck_multi" in str(answer.request.post_data)

    with steward.page.expect_response(is_the_maps, timeout=_WAIT_MS) as found:
        steward.open_dashboard("city-map")
    told = found.value.json()["data"]
    assert list(told["features"]) == ["deck_polygon"]
    # The areas of the chosen level only: one row for each grid.
    assert len(told["features"]["deck_polygon"]) == 220
    assert len(told["slices"]) == 4, "areas with and without a score, components and cases are drawn"


def test_lists_name_what_is_in_the_readers_language(steward: Watched) -> None:
    page = steward.page
    titles = {"zh": "城市体征（案件办理部分）", "en": "City health: case handling"}
    for language, own, other in (("zh", titles["zh"], titles["en"]), ("en", titles["en"], titles["zh"])):
        page.goto(f"{steward.home}/lang/{language}", referer=steward.home)
        page.goto(f"{steward.home}/dashboard/list/")
        expect(page.get_by_role("link", name=own, exact=True).first).to_be_visible(timeout=_WAIT_MS)
        expect(page.get_by_role("link", name=other, exact=True)).to_have_count(0)
    page.goto(f"{steward.home}/lang/zh", referer=steward.home)


def test_the_first_page_asks_in_chinese(browser: Browser, running_city: RunningCity) -> None:
    context = browser.new_context(viewport=WALL, locale="zh-CN")
    page = context.new_page()
    page.goto(f"{running_city.address}/login/")
    expect(page.locator("button[type=submit]")).to_have_text(re.compile("登 ?录"), timeout=_WAIT_MS)
    assert not re.search("[A-Za-z]{3}", page.locator("form").inner_text()), page.locator("form").inner_text()
    context.close()
