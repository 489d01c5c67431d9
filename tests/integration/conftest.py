"""Whole lakes, built once for all integration tests through the command line, as a steward would."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import washington_files as real
from browser import chromium
from lakes import BuiltLake, gridlake
from playwright.sync_api import Browser
from superset_client import RunningCity

from pipelines.services.processes import Register
from warehouse.settings import load_settings


@pytest.fixture(scope="session")
def washington_lake(shared_folder: Path) -> BuiltLake:
    """Washington's lake from the real files; one for all workers of the test run, who only read it."""
    if not real.is_there():
        pytest.skip(real.MISSING)
    home = shared_folder / "washington"
    environment = {
        "GRIDLAKE_CITY": "washington_dc",
        "GRIDLAKE_HOME": str(home),
        "GRIDLAKE_DATA": str(real.DATA),
    }
    with (shared_folder / "washington.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        built = shared_folder / "washington.built"
        if not built.exists():
            gridlake(environment, "run")
            built.touch()
    settings = load_settings(city="washington_dc", home=home, data=real.DATA)
    return BuiltLake(settings, environment)


@pytest.fixture(scope="session")
def running_city(shared_folder: Path) -> RunningCity:
    """The made-up city with Superset, started from nothing by `gridlake up`; one for all workers of the test run.

    While working on the pages, name the home of one that runs in GRIDLAKE_TEST_RUNNING, to test that one.
    """
    if running := os.environ.get("GRIDLAKE_TEST_RUNNING"):
        ready = Register(Path(running)).read()["ready"]
        (address,) = [line.partition(": ")[2] for line in ready if line.startswith("Superset: ")]
        return RunningCity(address, Path(running), {"GRIDLAKE_CITY": "demo", "GRIDLAKE_HOME": running})
    with (shared_folder / "running_city.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        file = shared_folder / "running_city.json"
        if not file.exists():
            home = shared_folder / "running_city"
            environment = {
                "GRIDLAKE_CITY": "demo",
                "GRIDLAKE_HOME": str(home),
                "GRIDLAKE_PORT": str(free_port()),
                "GRIDLAKE_SUPERSET_PORT": str(free_port()),
                "GRIDLAKE_MEMORY": "1000MB",
            }
            file.write_text(json.dumps(environment))
            gridlake(environment, "up", "--background")
        environment = json.loads(file.read_text())
    port = environment["GRIDLAKE_SUPERSET_PORT"]
    return RunningCity(f"http://127.0.0.1:{port}", Path(environment["GRIDLAKE_HOME"]), environment)


@pytest.fixture(scope="session")
def demo_lake(running_city: RunningCity) -> BuiltLake:
    """The lake of the running city, after its first run; every test leaves its rows as they are."""
    return BuiltLake(load_settings(city="demo", home=running_city.home), running_city.environment)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
