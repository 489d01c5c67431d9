"""A real city through the same dashboards: nothing is made for it, and what it does not have is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser import WALL, Watched, pictures_folder, sign_in
from conftest import free_port
from lakes import BuiltLake, gridlake
from playwright.sync_api import Browser
from superset_client import RunningCity

from catalog.serve.superset.access import read_access


@pytest.fixture(scope="module")
def washington(washington_lake: BuiltLake, browser: Browser) -> Iterator[Watched]:
    """A steward's browser at Washington's Superset."""
    port = free_port()
    environment = {
        **washington_lake.environment,
        "GRIDLAKE_PORT": str(free_port()),
        "GRIDLAKE_SUPERSET_PORT": str(port),
        "GRIDLAKE_MEMORY": "1000MB",
    }
    gridlake(environment, "up", "--background")
    try:
        city = RunningCity(f"http://127.0.0.1:{port}", washington_lake.settings.home_path, environment)
        watched = Watched(browser.new_page(viewport=WALL), city.address)
        sign_in(watched.page, city, "admin", "en")
        yield watched
    finally:
        gridlake(environment, "down")


@pytest.mark.parametrize("slug", list(read_access().dashboards))
def test_a_dashboard_is_drawn(slug: str, washington: Watched) -> None:
    washington.errors.clear()
    charts = washington.open_dashboard(slug)
    assert washington.undrawn(charts) == []
    washington.page.screenshot(path=pictures_folder() / f"washington-{slug}.png")
    assert washington.errors == []
    assert washington.outside == []
