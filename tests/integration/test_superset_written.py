"""What people make themselves: who may ask it, and whose rows come; by hand, whatever the code under test says.

A virtual data set, a table without row rules, and a result of SQL Lab as a chart: accounts without the right to SQL are
refused at every door, also where an answer is kept; an analyst who works for a unit sees that unit's rows.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import duckdb
import httpx
import pytest
from superset_client import RunningCity, Superset

from catalog.serve.superset.access import unit_role
from catalog.serve.superset.ids import MARK
from pipelines.services.superset import accounts
from warehouse.serving.reading import open_version
from warehouse.settings import load_settings

ROWS = {"expressionType": "SQL", "sqlExpression": "count(*)", "label": "n"}
# Superset's own parser looks for row rules by the exact name; DuckDB takes any spelling for the same table.
SPELLINGS = (
    "SELECT * FROM zh.mart_case",
    "SELECT * FROM zh.MART_CASE",
    'SELECT * FROM "ZH"."Mart_Case"',
    "SELECT * FROM en.mart_case",
    "WITH mart_case AS (SELECT * FROM zh.mart_Case) SELECT * FROM mart_case",
    "FROM zh.Mart_case",
)
MAY_SQL = ("admin", "analyst")
MAY_NOT = ("stranger", "guest", "department", "leader")


@pytest.fixture(scope="module")
def serving(running_city: RunningCity) -> Iterator[duckdb.DuckDBPyConnection]:
    file = (running_city.home / "serving" / "city.duckdb").resolve()
    with open_version(file, threads=1, memory="400MB") as connection:
        yield connection


@pytest.fixture(scope="module")
def unit(serving: duckdb.DuckDBPyConnection) -> str:
    """The unit with the most cases, which has no units below it."""
    ((found,),) = serving.execute("SELECT mode(dept_id) FROM zh.mart_case").fetchall()
    assert serving.execute(
        "SELECT count(*) FROM main.dim_department WHERE parent_dept_id = $1", [found]
    ).fetchone() == (0,)
    return str(found)


@pytest.fixture(scope="module")
def counts(serving: duckdb.DuckDBPyConnection, unit: str) -> dict[str, int]:
    ((whole, own),) = serving.execute(
        "SELECT count(*), count(*) FILTER (WHERE dept_id = $1) FROM zh.mart_case", [unit]
    ).fetchall()
    assert 0 < own < whole
    return {"whole": whole, "own": own}


@pytest.fixture(scope="module")
def sessions(running_city: RunningCity, unit: str) -> dict[str, Superset]:
    """One account for each role, and `both`: an analyst who works for a unit."""
    wanted = {
        "x-department": [unit_role(unit)],
        "x-leader": [MARK + "leader"],
        "x-analyst": [MARK + "analyst"],
        "x-both": [MARK + "analyst", unit_role(unit)],
    }
    accounts(
        load_settings(city="demo", home=running_city.home),
        *({"action": "set", "name": n, "roles": r, "is_new_password": False} for n, r in wanted.items()),
    )
    guest = running_city.sign_in(None)
    guest.client.headers["X-GuestToken"] = guest.client.get("/gridlake/embedded/token").json()["token"]
    return {
        "stranger": running_city.sign_in(None),
        "guest": guest,
        "admin": running_city.sign_in("admin"),
        **{name.removeprefix("x-"): running_city.sign_in(name) for name in wanted},
    }


@pytest.fixture(scope="module")
def database(sessions: dict[str, Superset]) -> int:
    return int(sessions["admin"].client.get("/api/v1/database/").json()["result"][0]["id"])


@pytest.fixture(scope="module")
def owners(sessions: dict[str, Superset]) -> list[int]:
    """Ids of all accounts: an owner may use a data set, whatever the roles say."""
    found = sessions["admin"].client.get("/api/v1/security/users/", params={"q": "(page_size:100)"}).json()["result"]
    return [account["id"] for account in found]


@pytest.fixture(scope="module")
def made(sessions: dict[str, Superset], database: int, owners: list[int]) -> Iterator[list[int]]:
    """Data sets that the administrator makes and gives to everybody: one for each spelling, and a table of cases."""
    admin, found = sessions["admin"].client, []
    mark = secrets.token_hex(4)
    try:
        for number, sql in enumerate((*SPELLINGS, "SELECT 1")):
            body = {
                "database": database,
                "schema": "zh",
                "owners": owners,
                "table_name": f"{mark}_{number}",
                "sql": sql,
            }
            answer = admin.post("/api/v1/dataset/", json=body)
            assert answer.status_code == 201, answer.text
            found.append(int(answer.json()["id"]))
        changed = admin.put(f"/api/v1/dataset/{found[-1]}", json={"sql": None, "table_name": "int_case_unclosed"})
        assert changed.status_code == 200, changed.text
        yield found
    finally:
        for dataset in found:
            admin.delete(f"/api/v1/dataset/{dataset}")


def chart(session: Superset, kind: str, source: int, **more: Any) -> httpx.Response:
    query = {"columns": [], "metrics": [ROWS], "row_limit": 10, **more}
    body = {"datasource": {"id": source, "type": kind}, "queries": [query], "result_format": "json"}
    return session.client.post("/api/v1/chart/data", json={**body, "result_type": "full"})


def counted(answer: httpx.Response) -> int:
    assert answer.status_code == 200, answer.text[:500]
    return int(answer.json()["result"][0]["data"][0]["n"])


def test_a_virtual_data_set_is_for_accounts_that_may_write_sql(
    made: list[int], sessions: dict[str, Superset], counts: dict[str, int]
) -> None:
    """Administrators ask first and without `force`, so that a kept answer is there for whoever asks next."""
    for dataset in made[:-1]:
        for role in MAY_SQL:
            assert counted(chart(sessions[role], "table", dataset)) == counts["whole"]
        for role in MAY_NOT:
            assert chart(sessions[role], "table", dataset).status_code in (401, 403), role


def test_row_rules_hold_in_a_virtual_data_set_in_any_spelling(
    made: list[int], sessions: dict[str, Superset], counts: dict[str, int]
) -> None:
    for sql, dataset in zip(SPELLINGS, made, strict=False):
        assert counted(chart(sessions["both"], "table", dataset)) == counts["own"], sql


def test_a_table_without_row_rules_is_for_accounts_that_see_every_row(
    made: list[int], sessions: dict[str, Superset]
) -> None:
    for role in MAY_SQL:
        assert counted(chart(sessions[role], "table", made[-1])) > 0
    for role in (*MAY_NOT, "both"):
        answer = chart(sessions[role], "table", made[-1])
        assert 400 <= answer.status_code < 500, f"{role}: {answer.text[:300]}"


def test_no_other_door_leads_to_a_virtual_data_set(made: list[int], sessions: dict[str, Superset], unit: str) -> None:
    dataset = made[1]
    form = {"datasource": f"{dataset}__table", "viz_type": "deck_scatter", "row_limit": 10}
    form["spatial"] = json.dumps({"type": "latlong", "lonCol": "lon", "latCol": "lat"})
    for role in (*MAY_NOT, "both"):
        client = sessions[role].client
        answers = [
            client.get(f"/api/v1/datasource/table/{dataset}/column/dept_id/values/"),
            client.post(
                "/datasource/samples",
                params={"datasource_type": "table", "datasource_id": dataset, "per_page": 1000, "page": 1},
                json={"filters": [], "extras": {}},
            ),
            client.get("/superset/explore_json/", params={"form_data": json.dumps(form)}),
            chart(sessions[role], "table", dataset, columns=["dept_id"], metrics=[], row_limit=10_000),
        ]
        for answer in answers:
            assert answer.status_code < 500, f"{role}: {answer.request.url}: {answer.text[:300]}"
            if role in MAY_NOT:
                assert answer.status_code >= 400 or "error" in answer.text[:200], f"{role}: {answer.text[:300]}"
        if role == "both":
            assert answers[0].json()["result"] == [unit]
            assert {row["dept_id"] for row in answers[1].json()["result"]["data"]} == {unit}
            assert answers[3].json()["result"][0]["data"] == [{"dept_id": unit}]


def test_a_result_of_sql_lab_as_a_chart_is_for_accounts_that_may_write_sql(
    sessions: dict[str, Superset], database: int, counts: dict[str, int]
) -> None:
    for sql in SPELLINGS:
        ran = sessions["analyst"].sql(database, sql)
        assert ran.status_code == 200, ran.text[:500]
        query = int(ran.json()["query_id"])
        assert counted(chart(sessions["analyst"], "query", query)) == counts["whole"]
        assert counted(chart(sessions["both"], "query", query)) == counts["own"], sql
        for role in MAY_NOT:
            assert chart(sessions[role], "query", query).status_code in (401, 403), f"{role}: {sql}"
            values = sessions[role].client.get(f"/api/v1/datasource/query/{query}/column/dept_id/values/")
            assert values.status_code in (400, 401, 403, 404), f"{role}: {values.text[:300]}"


@pytest.mark.parametrize("sql", [*SPELLINGS, "SELECT * FROM main.mart_case", "SELECT c.* FROM zh.MART_CASE AS c"])
def test_row_rules_hold_in_sql_lab_in_any_spelling(
    sql: str, sessions: dict[str, Superset], database: int, counts: dict[str, int]
) -> None:
    asked = f"SELECT count(*) AS n FROM ({sql}) AS t"
    assert sessions["analyst"].sql(database, asked).json()["data"] == [{"n": counts["whole"]}]
    assert sessions["both"].sql(database, asked).json()["data"] == [{"n": counts["own"]}]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM zh.int_case_unclosed",
        "SELECT count(*) FROM main.dim_department",
        "SELECT count(*) FROM dim_department, (WITH dim_department AS (SELECT 1) SELECT 1)",
    ],
)
def test_what_has_no_row_rule_is_refused_to_an_analyst_of_a_unit(
    sql: str, sessions: dict[str, Superset], database: int
) -> None:
    refused = sessions["both"].sql(database, sql)
    assert 400 <= refused.status_code < 500, refused.text[:500]


def test_a_summary_of_a_table_is_of_its_own_rows(
    sessions: dict[str, Superset], database: int, counts: dict[str, int]
) -> None:
    for role, count in (("analyst", counts["whole"]), ("both", counts["own"])):
        rows = sessions[role].sql(database, "SUMMARIZE zh.MART_CASE").json()["data"]
        assert {row["count"] for row in rows} == {count}


def test_an_analyst_of_a_unit_is_told_no_value_of_another(
    sessions: dict[str, Superset], database: int, counts: dict[str, int], unit: str
) -> None:
    fails = f"CASE WHEN dept_id <> '{unit}' THEN error(dept_id) IS NULL ELSE true END"
    guess = f"SELECT count(*) AS n FROM zh.Mart_Case WHERE {fails}"
    assert sessions["both"].sql(database, guess).json()["data"] == [{"n": counts["own"]}]
