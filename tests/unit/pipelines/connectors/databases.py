"""Tables of real databases as sources: a PostgreSQL or SQLite table and whoever changes it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.unit.pipelines.landing.landings import KEYED, Place, system
from warehouse.identifiers import literal
from warehouse.lake.extensions import connect
from warehouse.settings import Settings

Execute = Callable[..., None]


def executor(engine: str, url: str) -> Execute:
    """Runs statements in the source database, as its own application would."""

    def on_sqlite(*statements: str) -> None:
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        for statement in statements:
            connection.execute(statement.replace("office.", ""))
        connection.commit()
        connection.close()

    def on_postgres(*statements: str) -> None:
        connection = connect(extensions=("postgres_scanner",))
        connection.execute(f"ATTACH {literal(url)} AS pg (TYPE postgres)")
        for statement in statements:
            connection.execute(f"CALL postgres_execute('pg', {literal(statement)})")
        connection.close()

    return on_sqlite if engine == "sqlite" else on_postgres


def office(settings: Settings, engine: str, url: str, root: Path, **entry: Any) -> Place:
    table = "permit" if engine == "sqlite" else "office.permit"
    return Place(settings, system("database", {"engine": engine, "url": url}, {"table": table, **entry}), KEYED, root)
