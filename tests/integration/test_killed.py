"""Everything is killed while Dagster's daemon lands; the next `gridlake up` finishes it, asked by nobody.

`make chaos` does the same ten times, with builds, publishes and Superset.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import free_port
from served_city import ServedCity, raw_counts, until

from catalog.contract import load_contracts
from pipelines.demo_city.servers import demo_city
from pipelines.landing.land import land
from pipelines.sources.declared import load_sources
from warehouse.settings import Settings, load_settings


@pytest.fixture
def city(tmp_path: Path) -> Iterator[ServedCity]:
    home, port = tmp_path / "served", free_port()
    environment = {"GRIDLAKE_CITY": "demo", "GRIDLAKE_HOME": str(home), "GRIDLAKE_PORT": str(port)}
    found = ServedCity(home, port, environment | {"GRIDLAKE_MEMORY": "600MB"})
    yield found
    found.kill()


@pytest.fixture
def undisturbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A lake into which the same city has landed without a disturbance."""
    home = tmp_path / "calm"
    contracts = load_contracts("demo")
    with demo_city(home) as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        settings = load_settings(city="demo", home=home, memory="600MB")
        for system in load_sources("demo"):
            for dataset in system.dataset_names:
                land(settings, system, dataset, contracts[dataset])
    return settings


def test_what_was_killed_is_finished_by_the_next_start(city: ServedCity, undisturbed: Settings) -> None:
    city.up("--no-superset")
    city.launch("land")
    until(lambda: "land STARTED" in city.under_way(), 300, city.runs)
    until(lambda: any(raw_counts(city.settings).values()), 300, city.runs)
    assert city.kill() >= 4
    assert raw_counts(city.settings) != raw_counts(undisturbed)
    city.up("--no-superset")
    until(lambda: raw_counts(city.settings) == raw_counts(undisturbed), 300, city.runs)
    until(lambda: not city.under_way(), 300, city.runs)
    assert city.runs() == [("land", "SUCCESS"), ("land", "FAILURE")]
    city.down()
    assert city.processes() == []
