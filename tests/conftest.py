"""Fixtures that more than one package's tests use: settings of a fresh lake on either catalogue."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipelines.build import ensure_manifest
from warehouse.lake.postgres import create_database, local_postgres
from warehouse.settings import PREFIX, Settings, load_settings

# What takes minutes goes first, and what waits for the same city not side by side: no worker is idle at the end.
_FIRST = (
    *("test_superset_access", "test_washington", "test_superset_pages", "test_demo_days", "test_superset_washington"),
    *("test_superset_use", "test_order", "test_up"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files in the order in which xdist is to hand them out."""

    def place(item: pytest.Item) -> int:
        stem = item.path.stem
        return _FIRST.index(stem) if stem in _FIRST else len(_FIRST) + ("integration" not in item.path.parts)

    items.sort(key=place)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop the running city after the last worker has ended.

    It stands here, because the process that hands out the tests to xdist's workers reads no other conftest.
    """
    factory = getattr(session.config, "_tmp_path_factory", None)
    if factory is None or hasattr(session.config, "workerinput"):
        return
    file = factory.getbasetemp() / "running_city.json"
    if file.exists():
        down = [str(Path(sys.executable).with_name("gridlake")), "down"]
        subprocess.run(
            down, env={**os.environ, **json.loads(file.read_text())}, cwd=Path(__file__).parents[1], check=True
        )


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the test run that all its workers share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def models_home(shared_folder: Path) -> Callable[[str], Path]:
    """The home of a city that holds dbt's manifest and no lake; parsed once for all workers. Only for reading."""

    def parsed(city: str) -> Path:
        home = shared_folder / f"models_{city}"
        with (shared_folder / f"models_{city}.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            ensure_manifest(load_settings(city=city, home=home))
        return home

    return parsed


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a real PostgreSQL server that lives as long as the test session."""
    # A short path of our own: a socket's path has at most 107 bytes, which pytest's folders may exceed.
    folder = Path(tempfile.mkdtemp(prefix="gridlake-pg-"))
    try:
        with local_postgres(folder / "pg") as url:
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_database(postgres_url: str) -> str:
    """The URL of an empty PostgreSQL database for one test."""
    return create_database(postgres_url, f"test_{uuid.uuid4().hex[:12]}")


@pytest.fixture
def sqlite_settings(tmp_path: Path) -> Settings:
    """Settings of a lake that does not exist yet, with a SQLite catalogue."""
    return load_settings(home=tmp_path / "home", memory="600MB")


@pytest.fixture
def postgres_settings(tmp_path: Path, postgres_database: str) -> Settings:
    """Settings of a lake that does not exist yet, with a PostgreSQL catalogue."""
    return load_settings(home=tmp_path / "home", memory="600MB", catalog=postgres_database)


@pytest.fixture(params=["sqlite", "postgres"])
def settings(request: pytest.FixtureRequest) -> Settings:
    """Settings of a lake that does not exist yet, once with each kind of catalogue."""
    found: Settings = request.getfixturevalue(f"{request.param}_settings")
    return found
