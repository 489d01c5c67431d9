"""A table as a source, in each kind of database."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.pipelines.connectors.databases import Execute, executor, office
from tests.unit.pipelines.landing.landings import Place
from warehouse.settings import Settings


@pytest.fixture(params=["sqlite", "postgres"])
def source(request: pytest.FixtureRequest, sqlite_settings: Settings, tmp_path: Path) -> tuple[Place, Execute]:
    """A place whose source is a table with three rows, and how to change it."""
    engine = request.param
    url = f"sqlite:///{tmp_path}/office.db" if engine == "sqlite" else request.getfixturevalue("postgres_database")
    execute = executor(engine, url)
    execute(
        *(["CREATE SCHEMA office"] if engine == "postgres" else []),
        "CREATE TABLE office.permit (order_no VARCHAR(20), amount INTEGER, updated_at TIMESTAMP, note VARCHAR(20))",
        "INSERT INTO office.permit VALUES ('1', 1, '2026-01-01 10:00:00', NULL),"
        " ('2', 2, '2026-01-01 11:00:00', 'x'), (NULL, 3, '2026-01-01 11:00:00', NULL)",
    )
    return office(sqlite_settings, engine, url, tmp_path), execute
