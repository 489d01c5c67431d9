"""SQL Lab: only analysts and stewards, only SELECT, only the serving file; each known way around it is tried."""

from __future__ import annotations

from pathlib import Path

import pytest
from superset_client import RunningCity, Superset

from catalog.serve.superset.ids import MARK
from pipelines.services.superset import accounts
from warehouse.settings import load_settings


@pytest.fixture(scope="module")
def analyst(running_city: RunningCity) -> Superset:
    settings = load_settings(city="demo", home=running_city.home)
    roles = {"sql-analyst": [MARK + "analyst"], "sql-leader": [MARK + "leader"]}
    accounts(settings, *({"action": "set", "name": n, "roles": r, "is_new_password": False} for n, r in roles.items()))
    return running_city.sign_in("sql-analyst")


@pytest.fixture(scope="module")
def database(running_city: RunningCity) -> int:
    answer = running_city.sign_in("admin").client.get("/api/v1/database/").json()["result"]
    ((found),) = [row["id"] for row in answer if row["database_name"] == "gridlake"]
    return int(found)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT count(*) AS n FROM zh.mart_case",
        "WITH a AS (SELECT month, count(*) AS n FROM zh.mart_case GROUP BY month) SELECT * FROM a ORDER BY month",
        "SELECT dept_name, sum(case_count) FROM en.mart_case_stage GROUP BY ALL",
    ],
)
def test_an_analyst_asks(text: str, analyst: Superset, database: int) -> None:
    answer = analyst.sql(database, text)
    assert answer.status_code == 200, answer.text[:500]
    assert answer.json()["data"]


def holes(home: Path) -> dict[str, str]:
    metadata = home / "superset" / "superset.db"
    secret = home / "superset" / "secret.key"
    catalogue = home / "catalog.sqlite"
    return {
        "another file as text": f"SELECT * FROM read_text('{secret}')",
        "another file as blob": f"SELECT * FROM read_blob('{secret}')",
        "another file as csv": f"SELECT * FROM read_csv('{secret}')",
        "another file by its name": f"SELECT * FROM '{home}/superset/bundle/access.json'",
        "a list of files": f"SELECT * FROM glob('{home}/*')",
        "parquet of the lake": f"SELECT * FROM read_parquet('{home}/data/**/*.parquet')",
        "superset's own tables": f"SELECT * FROM sqlite_scan('{metadata}', 'ab_user')",
        "the lake's catalogue": f"SELECT * FROM sqlite_scan('{catalogue}', 'ducklake_table')",
        "attach": f"ATTACH '{metadata}' AS meta (TYPE sqlite)",
        "attach read only": f"ATTACH '{home}/serving/city.duckdb' AS again (READ_ONLY)",
        "attach hidden behind a query": f"SELECT 1; ATTACH '{metadata}' AS meta (TYPE sqlite)",
        "a postgres server": "SELECT * FROM postgres_scan('host=127.0.0.1', 'public', 'ab_user')",
        "copy out": f"COPY (SELECT 1) TO '{home}/stolen.csv'",
        "export": f"EXPORT DATABASE '{home}/stolen'",
        "install": "INSTALL httpfs",
        "load": "LOAD sqlite_scanner",
        "call": "CALL pragma_version()",
        "pragma": "PRAGMA database_list",
        "pragma behind a remark": "/* a */ -- b\nPRAGMA database_list",
        "set": "SET enable_external_access = true",
        "reset": "RESET memory_limit",
        "create": "CREATE TABLE main.mine AS SELECT 1 AS a",
        "create temp": "CREATE TEMP TABLE mine AS SELECT 1 AS a",
        "macro": "CREATE MACRO mine() AS 1",
        "insert": "INSERT INTO main._publication SELECT * FROM main._publication",
        "update": "UPDATE main._publication SET version = 'x'",
        "delete": "DELETE FROM main._publication",
        "drop": "DROP VIEW zh.mart_case",
        "select into a query of text": "SELECT * FROM query('SELECT * FROM duckdb_settings()')",
        "settings": "SELECT * FROM duckdb_settings()",
        "places of databases": "SELECT * FROM duckdb_databases()",
        "secrets": "SELECT * FROM duckdb_secrets()",
        "the network": "SELECT * FROM read_csv('https://data.example/x.csv')",
        "environment": "SELECT getenv('HOME')",
        "prepared": "PREPARE p AS SELECT 1",
        "checkpoint": "CHECKPOINT",
        "shutdown by memory": "SET memory_limit = '1KB'",
    }


@pytest.mark.parametrize("name", sorted(holes(Path("x"))))
def test_every_known_hole_is_closed(name: str, running_city: RunningCity, analyst: Superset, database: int) -> None:
    answer = analyst.sql(database, holes(running_city.home)[name])
    assert answer.status_code >= 400, answer.text[:1000]
    assert not list(running_city.home.glob("stolen*"))


def test_the_same_holes_are_closed_in_a_charts_own_expressions(running_city: RunningCity, analyst: Superset) -> None:
    dataset = running_city.sign_in("admin").datasets()["zh.mart_case"]
    secret = running_city.home / "superset" / "secret.key"
    for expression in (
        f"(SELECT any_value(content) FROM read_text('{secret}'))",
        "(SELECT count(*) FROM main.mart_case)",
        "1) FROM zh.mart_case; ATTACH 'x' AS y; SELECT (1",
    ):
        metric = {"expressionType": "SQL", "sqlExpression": expression, "label": "m"}
        answer = analyst.ask(dataset, [], [metric])
        assert answer.status_code != 200, answer.text[:500]


def test_others_have_no_sql(running_city: RunningCity, analyst: Superset, database: int) -> None:
    answer = running_city.sign_in("sql-leader").sql(database, "SELECT 1")
    assert answer.status_code in (401, 403), answer.text[:500]
    assert running_city.sign_in(None).sql(database, "SELECT 1").status_code in (400, 401, 403)


def test_nobody_but_administrators_adds_a_database(running_city: RunningCity, analyst: Superset) -> None:
    body = {"database_name": "mine", "sqlalchemy_uri": "duckdb:///:memory:", "expose_in_sqllab": True}
    assert analyst.client.post("/api/v1/database/", json=body).status_code in (401, 403)


def test_administrators_cannot_open_files_of_the_machine_either(running_city: RunningCity) -> None:
    admin = running_city.sign_in("admin")
    for address in (f"sqlite:///{running_city.home}/superset/superset.db", "duckdb:///:memory:"):
        body = {"database_name": "mine", "sqlalchemy_uri": address, "expose_in_sqllab": True}
        answer = admin.client.post("/api/v1/database/", json=body)
        assert answer.status_code >= 400, answer.text[:500]
