"""What every answer carries, which doors are shut, and what wrong requests are told."""

from __future__ import annotations

from typing import Any

import pytest
from superset_client import RunningCity, Superset

PATHS = ("/login/", "/health", "/api/v1/dashboard/", "/static/assets/images/favicon.png", "/no/such/page")


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_carries_the_headers_that_protect_it(path: str, running_city: RunningCity) -> None:
    stranger = running_city.sign_in(None)
    answer = stranger.client.get(path, headers={"Origin": "https://tile.openstreetmap.org"})
    headers = {name.lower(): value for name, value in answer.headers.items()}
    assert [name for name in headers if name.startswith("access-control-")] == []
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert headers["referrer-policy"] == "strict-origin-when-cross-origin"
    policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'self'"
    assert policy["object-src"] == "'none'"
    assert policy["frame-ancestors"] == "'self'"
    assert policy["base-uri"] == "'self'"
    assert policy["connect-src"] == "'self'"
    assert "unsafe" not in policy["script-src"]
    assert "http" not in headers["content-security-policy"]


def test_the_sessions_cookie_stays_with_the_browser(running_city: RunningCity) -> None:
    (cookie,) = [
        value
        for value in running_city.sign_in(None).client.get("/login/").headers.get_list("set-cookie")
        if value.startswith("session=")
    ]
    assert {"httponly", "samesite=lax"} <= {part.strip().lower() for part in cookie.split(";")}


@pytest.mark.parametrize(
    "path",
    [
        *("/register/", "/register", "/register/form", "/register/activation/x", "/registrations/"),
        *(
            "/api/v1/security/user_registrations/",
            "/swagger/v1",
            "/api/v1/_openapi",
            "/version",
            "/api/v1/database/oauth2/",
        ),
        *("/superset/file-handler", "/dynamic-plugins/list/", "/extensions/list/", "/superset/warm_up_cache/"),
    ],
)
def test_doors_that_nobody_needs_are_shut_to_all(path: str, running_city: RunningCity) -> None:
    for name in (None, "admin"):
        assert running_city.sign_in(name).client.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/resetpassword/form", "/users/add", "/resetmypassword/form", "/login/google"])
def test_strangers_change_nobodys_password(path: str, running_city: RunningCity) -> None:
    assert running_city.sign_in(None).client.get(path).status_code in (302, 401, 403, 404)


@pytest.fixture(scope="module")
def admin(running_city: RunningCity) -> Superset:
    return running_city.sign_in("admin")


@pytest.fixture(scope="module")
def dataset(admin: Superset) -> int:
    return admin.datasets()["zh.mart_case"]


METRIC = {"expressionType": "SQL", "sqlExpression": "count(*)", "label": "n"}
ANNOTATION = {"name": "a", "annotationType": "EVENT", "sourceType": "line", "value": 999_999, "show": True}
WRONG: dict[str, list[Any]] = {
    "datasource": [None, 1, "x", [], {}, {"id": 1}, {"type": "table"}],
    "datasource.type": ["dataset", "saved_query", "annotation", "sl_table", "semantic_view", "x", None, 1, []],
    "datasource.id": [-1, 0, "x", None, [], 10**30, 999_999],
    "queries": [None, True, 1, "x", {}, [1], [None], [[]]],
    "form_data": [True, 1, "x", [1], [{}]],
    "result_type": ["x", 1, [], {}],
    "result_format": ["x", 1, [], {}],
    "queries.columns": [1, "x", [1], [None], [{}], [[]], [""], [{"expressionType": "SQL", "label": "x"}]],
    "queries.groupby": [1, "x", [1], [{}], [[]]],
    "queries.metrics": [1, "x", [1], [{}], [[]], ["no_such"], [{**METRIC, "sqlExpression": 1}]],
    "queries.metrics.aggregate": [
        [{"expressionType": "SIMPLE", "label": "x", "column": {"column_name": "month"}, "aggregate": "NOPE"}],
        [{"expressionType": "SIMPLE", "label": "x", "column": "x", "aggregate": "SUM"}],
        [{"expressionType": "NOPE", "label": "x"}],
    ],
    "queries.filters": [
        *(1, "x", [1], ["x"], [{"col": 1, "op": "=="}], [{"col": ["x"], "op": "==", "val": 1}]),
        *([{"col": "month", "op": op, "val": {}}] for op in ("==", "IN", "LIKE", ">=", "NOT IN")),
        *([{"col": "month", "op": op, "val": [[1]]}] for op in ("==", "IN", "LIKE", "TEMPORAL_RANGE")),
        *([{"col": "month", "op": op, "val": None}] for op in ("IN", "NOT IN")),
        [{"col": "reported_at", "op": "TEMPORAL_RANGE", "val": True}],
    ],
    "queries.orderby": [1, "x", [1], ["x"], [[]], [["no_such", True]], [[{}, True]]],
    "queries.extras": [1, "x", [], {"where": 1}, {"where": "("}, {"time_grain_sqla": "x"}],
    "queries.row_limit": ["x", -1, [], {}],
    "queries.time_range": ["no such : time", "DATEADD(x)"],
    "queries.annotation_layers": [1, "x", [1], [{}], [ANNOTATION]],
    "queries.post_processing": [
        *(1, "x", [1]),
        *([{"operation": name, "options": {"x": 1}}] for name in ("pivot", "cum", "rolling", "resample", "x", "eval")),
        *([{"operation": name}] for name in ("prophet", "contribution", "sort", "aggregate", "__class__")),
    ],
}
# These are asked for what they say, or left aside, as Superset's pages rely on.
TAKEN = {"queries.row_limit", "queries.time_range", "queries.post_processing", "queries.annotation_layers"}


@pytest.mark.parametrize("place", sorted(WRONG))
def test_a_wrong_part_of_a_request_is_the_requests_fault(place: str, admin: Superset, dataset: int) -> None:
    for wrong in WRONG[place]:
        query: dict[str, Any] = {"columns": [], "metrics": [METRIC], "row_limit": 5}
        body: dict[str, Any] = {
            "datasource": {"id": dataset, "type": "table"},
            "queries": [query],
            "form_data": {},
            "force": True,
            "result_format": "json",
            "result_type": "full",
        }
        names = place.split(".")
        if names[0] == "queries" and len(names) > 1:
            query[names[1]] = wrong
            if names[1] == "groupby":
                query["columns"] = None
        elif len(names) > 1:
            body[names[0]][names[1]] = wrong
        else:
            body[place] = wrong
        answer = admin.client.post("/api/v1/chart/data", json=body)
        assert answer.status_code < 500, f"{wrong}: {answer.status_code} {answer.text[:300]}"
        if place not in TAKEN:
            assert answer.status_code >= 400, f"{wrong}: {answer.text[:300]}"
            assert answer.json().get("message") or answer.json().get("errors"), answer.text[:300]


def test_a_wrong_part_is_named(admin: Superset, dataset: int) -> None:
    for change, named in (
        ({"datasource": {"id": dataset, "type": "x"}}, "datasource.type"),
        ({"queries": [{"metrics": [1]}]}, "queries[0].metrics[0]"),
        ({"queries": [{"extras": {"where": "1; SELECT 2"}}]}, "queries[0].extras.where"),
    ):
        body = {"datasource": {"id": dataset, "type": "table"}, "queries": [{}], **change}
        answer = admin.client.post("/api/v1/chart/data", json=body)
        assert answer.status_code == 400
        assert named in answer.json()["message"]


def test_a_statement_that_is_refused_in_sql_lab_is_the_writers_to_correct(admin: Superset) -> None:
    found = admin.client.get("/api/v1/database/").json()["result"]
    (database,) = [row["id"] for row in found if row["database_name"] == "gridlake"]
    for text in (
        "ATTACH 'x' AS y",
        "SELECT FROM",
        "SELECT * FROM no_such",
        "SELECT 1/'x'",
        "SELECT * FROM read_text('x')",
    ):
        answer = admin.sql(database, text)
        assert 400 <= answer.status_code < 500, f"{text}: {answer.status_code} {answer.text[:300]}"
