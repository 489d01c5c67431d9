"""Whole lakes, built once for all integration tests through the command line, as a steward would."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import washington_files as real
from lakes import BuiltLake, gridlake

from pipelines.demo_city.servers import demo_city
from warehouse.settings import load_settings


@pytest.fixture(scope="session")
def washington_lake(tmp_path_factory: pytest.TempPathFactory) -> BuiltLake:
    """Washington's lake, landed and built from the real files."""
    if not real.is_there():
        pytest.skip(real.MISSING)
    home = tmp_path_factory.mktemp("washington") / "home"
    environment = {"GRIDLAKE_CITY": "washington_dc", "GRIDLAKE_HOME": str(home), "GRIDLAKE_DATA": str(real.DATA)}
    gridlake(environment, "run")
    return BuiltLake(load_settings(city="washington_dc", home=home, data=real.DATA), environment)


@pytest.fixture(scope="session")
def served_city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """The made-up city's source systems, running; its folder and the variables that lead to them."""
    home = tmp_path_factory.mktemp("demo") / "home"
    with demo_city(home) as variables:
        yield home, {"GRIDLAKE_CITY": "demo", "GRIDLAKE_HOME": str(home), **variables}


@pytest.fixture(scope="session")
def demo_lake(served_city: tuple[Path, dict[str, str]]) -> BuiltLake:
    """The made-up city's lake after its first run."""
    home, environment = served_city
    gridlake(environment, "run")
    return BuiltLake(load_settings(city="demo", home=home, data=Path(environment["GRIDLAKE_DATA"])), environment)
