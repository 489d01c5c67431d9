"""An expression that somebody writes stays within its data set: every role, every place that takes SQL, every form.

The answer to each is a refusal (4xx), or rows that the role sees anyhow; never rows of others, never a server error.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from superset_client import RunningCity, Superset

from catalog.serve.superset.access import unit_role
from catalog.serve.superset.ids import MARK
from pipelines.services.superset import accounts
from warehouse.serving.reading import open_version
from warehouse.settings import load_settings

# What the escape would show: it stands in no data set that a stranger or a department sees.
SECRET = "SELECT version FROM main._publication"
FORMS = {
    "from": "count(*) FROM main._publication",
    "from another data set": "max(dataset) FROM zh.mart_delivery",
    "union": "max(month) FROM zh.mart_case WHERE true UNION ALL SELECT version FROM main._publication",
    "union without from": f"NULL UNION ALL {SECRET}",
    "except": f"'x' EXCEPT {SECRET}",
    "intersect": f"'x' INTERSECT {SECRET}",
    "with": f"(WITH a AS ({SECRET}) SELECT version FROM a)",
    "subquery": f"({SECRET})",
    "exists": f"EXISTS ({SECRET})",
    "in": f"'x' IN ({SECRET})",
    "array": f"ARRAY({SECRET})",
    "from first": "(FROM main._publication SELECT version)",
    "own table again": "(SELECT count(*) FROM zh.mart_case)",
    "table": "(TABLE main._publication)",
    "values": "(VALUES (1))",
    "table function": "(SELECT any_value(content) FROM read_text('/etc/hostname'))",
    "text as a query": "(SELECT any_value(v) FROM query('SELECT version AS v FROM main._publication'))",
    "catalogue": "(SELECT string_agg(table_name) FROM information_schema.tables)",
    "macro over the catalogue": "pg_get_viewdef(1)",
    "statistics of the whole column": "stats(month)",
    "all columns": "COLUMNS(*)",
    "second statement": f"1; {SECRET}",
    "remark at the end": "count(*) --",
    "remark that stays open": "count(*) /*",
    "closing bracket": f"1) FROM main._publication UNION ALL ({SECRET}",
    "quoted bracket": f"')' || ({SECRET}) || '('",
    "dollar quotes": f"$a$)$a$ || ({SECRET})",
    "open quote": "'",
    "two values": f"1, ({SECRET})",
    "distinct": "DISTINCT month",
    "window over another": f"max(1) OVER (ORDER BY ({SECRET}))",
    "filter": f"count(*) FILTER (WHERE EXISTS ({SECRET}))",
    "lambda": f"list_transform([1], x -> ({SECRET}))",
    "template": "{{ dataset(1) }}",
    "template that closes": "{% if true %}1) UNION ALL (SELECT 1{% endif %}",
    "parameter": "$1",
}
ROWS = {"expressionType": "SQL", "sqlExpression": "count(*)", "label": "n"}
ROLES = ("stranger", "guest", "department", "leader", "analyst", "admin")


def metric(text: str) -> dict[str, Any]:
    return {"expressionType": "SQL", "sqlExpression": text, "label": "m"}


def column(text: str, **more: Any) -> dict[str, Any]:
    return {"expressionType": "SQL", "sqlExpression": text, "label": "c", **more}


def adhoc_filter(text: str, clause: str) -> dict[str, Any]:
    return {"expressionType": "SQL", "clause": clause, "sqlExpression": text}


# Place -> the parts of a chart's query that hold the text there.
QUERY_PLACES: dict[str, Callable[[str], dict[str, Any]]] = {
    "metric": lambda text: {"metrics": [metric(text)]},
    "metric beside another": lambda text: {"metrics": [ROWS, metric(text)]},
    "column": lambda text: {"columns": [column(text)], "metrics": None},
    "column as a name": lambda text: {"columns": [text]},
    "axis": lambda text: {"columns": [column(text, columnType="BASE_AXIS", timeGrain="P1M")]},
    "column by reference": lambda text: {"columns": [column(text, isColumnReference=True)]},
    "group": lambda text: {"groupby": [text]},
    "order": lambda text: {"orderby": [[metric(text), True]]},
    "order by name": lambda text: {"orderby": [[text, True]]},
    "filter's column": lambda text: {"filters": [{"col": column(text), "op": "IS NOT NULL"}]},
    "filter's value": lambda text: {"filters": [{"col": "month", "op": "IN", "val": [text]}]},
    "where": lambda text: {"extras": {"where": text}},
    "where in a sum": lambda text: {"extras": {"where": f"(1 = 1) AND ({text})"}},
    "having": lambda text: {"extras": {"having": text}},
    "time grain": lambda text: {"extras": {"time_grain_sqla": text}, "granularity": "month", "is_timeseries": True},
    "transpiled where": lambda text: {"extras": {"where": text, "transpile_to_dialect": True}},
    "series limit": lambda text: {
        "columns": ["month"],
        "series_columns": ["month"],
        "series_limit": 3,
        "series_limit_metric": metric(text),
    },
    "offset": lambda text: {"time_offsets": [text]},
    "pivot": lambda text: {
        "post_processing": [{"operation": "pivot", "options": {"index": [text], "aggregates": {text: {}}}}]
    },
    "annotation": lambda text: {
        "annotation_layers": [
            {
                "name": "a",
                "annotationType": "TIME_SERIES",
                "sourceType": "line",
                "value": 1,
                "show": True,
                "showMarkers": False,
                "style": "solid",
                "overrides": {"metrics": [metric(text)], "extras": {"where": text}},
            }
        ]
    },
}


@pytest.fixture(scope="module")
def foreign(running_city: RunningCity) -> frozenset[str]:
    """Texts that no answer may hold: the version as it stands in the hidden table, and names out of the catalogue."""
    file = (running_city.home / "serving" / "city.duckdb").resolve()
    with open_version(file, threads=1, memory="400MB") as connection:
        ((version,),) = connection.execute(SECRET).fetchall()
    return frozenset((str(version), "_publication", "mart_delivery", "hotline"))


@pytest.fixture(scope="module")
def datasets(running_city: RunningCity) -> dict[str, int]:
    return running_city.sign_in("admin").datasets()


@pytest.fixture(scope="module")
def sessions(running_city: RunningCity) -> dict[str, Superset]:
    settings = load_settings(city="demo", home=running_city.home)
    file = (running_city.home / "serving" / "city.duckdb").resolve()
    with open_version(file, threads=1, memory="400MB") as connection:
        ((unit,),) = connection.execute("SELECT mode(dept_id) FROM zh.mart_case").fetchall()
    wanted = {
        "x-department": [unit_role(str(unit))],
        "x-leader": [MARK + "leader"],
        "x-analyst": [MARK + "analyst"],
    }
    accounts(
        settings,
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


def of_role(role: str, datasets: dict[str, int]) -> int:
    """A data set that the role may ask."""
    return datasets["zh.mart_public_index" if role in ("stranger", "guest") else "zh.mart_case"]


def assert_harmless(answer: httpx.Response, foreign: frozenset[str], asked: str) -> None:
    assert answer.status_code < 500, f"{asked}: {answer.status_code} {answer.text[:300]}"
    if answer.status_code == 200:
        shown = json.dumps([part.get("data") for part in answer.json().get("result", [])], ensure_ascii=False)
        assert not [text for text in foreign if text in shown.replace(json.dumps(asked)[1:-1], "")], f"{asked}: {shown}"


@pytest.mark.parametrize("place", sorted(QUERY_PLACES))
@pytest.mark.parametrize("role", ROLES)
def test_no_form_escapes_from_a_chart(
    role: str, place: str, sessions: dict[str, Superset], datasets: dict[str, int], foreign: frozenset[str]
) -> None:
    """Some forms at each place: over the places every role tries each form, and each place sees each form."""
    session, dataset = sessions[role], of_role(role, datasets)
    turn = ROLES.index(role) + sorted(QUERY_PLACES).index(place)
    for text in list(FORMS.values())[turn % len(ROLES) :: len(ROLES)]:
        parts = {"columns": [], "metrics": [ROWS], **QUERY_PLACES[place](text)}
        answer = session.ask(dataset, parts.pop("columns"), parts.pop("metrics") or (), **parts, limit=5)
        assert_harmless(answer, foreign, text)
        is_sql = place not in ("filter's value", "offset", "pivot", "order by name", "time grain", "annotation")
        assert not is_sql or answer.status_code >= 400, f"{place}: {text}: {answer.text[:300]}"


@pytest.mark.parametrize("role", ROLES)
def test_no_form_escapes_from_the_other_doors(
    role: str, sessions: dict[str, Superset], datasets: dict[str, int], foreign: frozenset[str]
) -> None:
    """Samples, values of a column, the check of an expression, and the older address that maps use."""
    session, dataset = sessions[role], of_role(role, datasets)
    for text in (FORMS["union without from"], FORMS["subquery"], FORMS["closing bracket"], FORMS["second statement"]):
        answers = [
            session.client.post(
                "/datasource/samples",
                params={"datasource_type": "table", "datasource_id": dataset, "force": "true"},
                json={"filters": [{"col": text, "op": "IS NOT NULL"}], "extras": {"where": text}},
            ),
            session.client.get(f"/api/v1/datasource/table/{dataset}/column/{text.replace('/', '')}/values/"),
            session.client.post(
                f"/api/v1/datasource/table/{dataset}/validate_expression/",
                json={"expression": text, "expression_type": "metric"},
            ),
            *(
                session.client.post(
                    "/superset/explore_json/",
                    data={"form_data": json.dumps({"datasource": f"{dataset}__table", "viz_type": kind, **parts})},
                )
                for kind, parts in (
                    ("deck_polygon", {"line_column": "month", "line_type": "json", "metric": metric(text)}),
                    ("deck_polygon", {"line_column": text, "line_type": "json"}),
                    ("deck_scatter", {"adhoc_filters": [adhoc_filter(text, "WHERE")]}),
                    ("deck_scatter", {"where": text, "having": text}),
                )
            ),
        ]
        for answer in answers:
            assert answer.status_code < 500, f"{answer.request.url}: {answer.status_code} {answer.text[:300]}"
            shown = answer.text.replace(json.dumps(text)[1:-1], "").replace(text, "")
            assert not [secret for secret in foreign if secret in shown and secret not in text], shown[:500]


def test_what_one_account_asked_is_kept_from_another(
    sessions: dict[str, Superset], datasets: dict[str, int], running_city: RunningCity
) -> None:
    """Kept answers are asked for without `force`: the same question of two accounts has two answers."""
    dataset = datasets["zh.mart_case"]
    whole = sessions["leader"].rows(dataset, [], [ROWS], is_forced=False)
    own = sessions["department"].rows(dataset, [], [ROWS], is_forced=False)
    assert 0 < own[0]["n"] < whole[0]["n"]
    assert sessions["leader"].rows(dataset, [], [ROWS], is_forced=False) == whole
    assert sessions["stranger"].ask(dataset, [], [ROWS], is_forced=False).status_code in (401, 403)
    form = {
        "datasource": f"{dataset}__table",
        "viz_type": "deck_scatter",
        "row_limit": 100000,
        "spatial": {"type": "latlong", "lonCol": "lon", "latCol": "lat"},
    }
    found = {}
    for name in ("admin", "department", "admin", "stranger"):
        # The layers of a map come so; Superset would keep what it answers to GET without looking at who asks.
        answer = sessions[name].client.get("/superset/explore_json/", params={"form_data": json.dumps(form)})
        found.setdefault(name, []).append(
            len(answer.json()["data"]["features"]) if answer.status_code == 200 else answer.status_code
        )
    assert 0 < found["department"][0] < found["admin"][0] == found["admin"][1]
    assert found["stranger"][0] in (401, 403)


@pytest.mark.parametrize(
    "text",
    [
        "count(*)",
        "sum(case when month = '2026-03' then 1 else 0 end) / nullif(count(*), 0)",
        "count(DISTINCT case_id) FILTER (WHERE month IS NOT NULL)",
        "max(month) || ' (' || count(*) || ')'",
        "sum(count(*)) OVER ()",
    ],
)
def test_an_expression_over_the_data_set_still_works(
    text: str, sessions: dict[str, Superset], datasets: dict[str, int]
) -> None:
    answer = sessions["department"].ask(datasets["zh.mart_case"], [], [metric(text)])
    assert answer.status_code == 200, answer.text[:500]
