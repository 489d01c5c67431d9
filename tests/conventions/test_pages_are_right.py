"""What the pages say can be followed: links lead somewhere, commands exist, SQL fits the tables as declared."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
import yaml

from catalog.contract import load_contracts
from pipelines.landing.tables import ensure_tables
from tests.conventions.pages import ROOT, anchors, blocks, gridlake_calls, links, pages
from tests.conventions.test_pages_cover_the_product import all_commands
from warehouse.identifiers import quoted
from warehouse.lake.extensions import connect
from warehouse.lake.layout import create_tables

PAGES = [path.relative_to(ROOT).as_posix() for path in pages()]


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_to_a_file_and_a_heading(name: str) -> None:
    broken = []
    for link in links(ROOT / name):
        if link.startswith("https://"):
            continue
        target, _, anchor = link.partition("#")
        path = (ROOT / name).parent / target if target else ROOT / name
        if not path.exists() or (anchor and anchor not in anchors(path)):
            broken.append(link)
    assert broken == [], f"{name}: no such file or heading"


@pytest.mark.parametrize("name", PAGES)
def test_every_gridlake_call_is_one_that_exists(name: str) -> None:
    known = all_commands()
    for words in gridlake_calls(ROOT / name):
        typed = next((t for t in (f"gridlake {' '.join(words[:n])}" for n in (2, 1)) if t in known), None)
        assert typed, f"{name}: no such command: gridlake {' '.join(words)}"
        options = {text for p in known[typed].params for text in [*p.opts, *p.secondary_opts]}
        used = {word for word in words if word.startswith("--")}
        assert used <= options, f"{name}: {typed} has no option {sorted(used - options)}"


@pytest.fixture(scope="module")
def declared_lake() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty lake whose tables are as contracts, models and code lists declare them."""
    connection = connect(extensions=("spatial",))
    connection.execute("ATTACH ':memory:' AS lake")
    create_tables(connection)
    for contract in load_contracts("demo").values():
        ensure_tables(connection, contract)
    for layer in ("core", "indicator", "mart"):
        for path in (ROOT / "dbt/models" / layer).glob("*.yml"):
            for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("models") or []:
                columns = ", ".join(f"{quoted(c['name'])} {c['data_type']}" for c in model["columns"])
                connection.execute(f"CREATE TABLE lake.{layer}.{model['name']} ({columns})")
    for seeds in (ROOT / "dbt/seeds/standards").glob("*.yml"):
        for seed in yaml.safe_load(seeds.read_text(encoding="utf-8"))["seeds"]:
            with (seeds.parent / f"{seed['name']}.csv").open(encoding="utf-8", newline="") as handle:
                names = next(csv.reader(handle))
            types = (seed.get("config") or {}).get("column_types") or {}
            columns = ", ".join(f"{quoted(name)} {types.get(name, 'varchar')}" for name in names)
            connection.execute(f"CREATE TABLE lake.staging.{seed['name']} ({columns})")
    connection.execute("USE lake")
    yield connection
    connection.close()


def questions(path: Path) -> Iterator[str]:
    yield from blocks(path, "sql")
    yield from (words[1] for words in gridlake_calls(path) if words[:1] == ["query"])


@pytest.mark.parametrize("name", PAGES)
def test_every_question_fits_the_tables(name: str, declared_lake: duckdb.DuckDBPyConnection) -> None:
    for sql in questions(ROOT / name):
        # Only DuckLake knows time travel; the table it travels to is the same.
        plain = sql.replace("at (timestamp => now() - interval 1 day)", "")
        try:
            declared_lake.execute(f"EXPLAIN {plain}").fetchall()
        except duckdb.Error as error:
            pytest.fail(f"{name}: {error}\n{sql}")


def test_the_pages_have_questions_and_calls() -> None:
    assert sum(len(list(questions(path))) for path in pages()) > 10
    assert sum(len(gridlake_calls(path)) for path in pages()) > 10
