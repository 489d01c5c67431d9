"""Who sees what in Superset: role by role, data set by data set, asked over its own API, against `policy`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import policy
import pytest
from superset_client import RunningCity, Superset

from catalog.serve.superset.access import unit_role
from catalog.serve.superset.ids import MARK
from pipelines.services.superset import accounts
from warehouse.serving.publish import current
from warehouse.settings import Settings, load_settings

ROWS = {"expressionType": "SQL", "sqlExpression": "count(*)", "label": "rows"}


@pytest.fixture(scope="module")
def settings(running_city: RunningCity) -> Settings:
    return load_settings(city="demo", home=running_city.home)


@pytest.fixture(scope="module")
def serving(settings: Settings) -> Path:
    served = current(settings, "city")
    assert served is not None
    return served.path


@pytest.fixture(scope="module")
def unit(serving: Path) -> str:
    """The unit with the most cases."""
    return str(counted(serving, "SELECT mode(dept_id) FROM zh.mart_case"))


@pytest.fixture(scope="module")
def sessions(running_city: RunningCity, settings: Settings, unit: str) -> dict[str, Superset]:
    """One account for each role, one for nobody in particular, and a stranger."""
    wanted = {
        "steward": [MARK + "steward"],
        "analyst": [MARK + "analyst"],
        "leader": [MARK + "leader"],
        "department": [unit_role(unit)],
        "roleless": ["Gamma"],
    }
    requests = [
        {"action": "set", "name": name, "roles": roles, "is_new_password": False} for name, roles in wanted.items()
    ]
    accounts(settings, *requests)
    return {name: running_city.sign_in(name) for name in wanted} | {"public": running_city.sign_in(None)}


@pytest.fixture(scope="module")
def datasets(running_city: RunningCity) -> dict[str, int]:
    return running_city.sign_in("admin").datasets()


def counted(serving: Path, sql: str) -> Any:
    from warehouse.serving.reading import open_version

    with open_version(serving, threads=1, memory="400MB") as connection:
        return connection.execute(sql).fetchall()[0][0]


def with_units_below(serving: Path, unit: str) -> list[str]:
    from warehouse.serving.reading import open_version

    with open_version(serving, threads=1, memory="400MB") as connection:
        rows = connection.execute(
            "WITH RECURSIVE below AS (SELECT dept_id FROM main.dim_department WHERE dept_id = $unit UNION"
            " SELECT d.dept_id FROM main.dim_department d JOIN below b ON d.parent_dept_id = b.dept_id)"
            " SELECT dept_id FROM below",
            {"unit": unit},
        ).fetchall()
    return [dept_id for (dept_id,) in rows]


@pytest.mark.parametrize("role", ["steward", "analyst", "leader", "department", "public", "roleless"])
@pytest.mark.parametrize("dataset", policy.datasets())
def test_each_role_sees_its_rows_and_no_others(
    role: str, dataset: str, sessions: dict[str, Superset], datasets: dict[str, int], serving: Path, unit: str
) -> None:
    reach = policy.reach(dataset, role) if role in policy.ROLES else None
    for language in ("zh", "en"):
        answer = sessions[role].ask(datasets[f"{language}.{dataset}"], [], [ROWS])
        if reach is None:
            assert answer.status_code in (401, 403), answer.text[:500]
            continue
        condition = ""
        if reach != "all":
            seen = [*with_units_below(serving, unit), *(["*"] if reach == "own_and_total" else [])]
            condition = f" WHERE dept_id IN ({', '.join(repr(dept_id) for dept_id in seen)})"
        expected = counted(serving, f"SELECT count(*) FROM {language}.{dataset}{condition}")
        assert answer.status_code == 200, answer.text[:500]
        assert answer.json()["result"][0]["data"] == [{"rows": expected}]


@pytest.mark.parametrize("dataset", sorted(policy.PUBLIC_COLUMNS))
def test_the_public_may_ask_published_columns_and_no_other(
    dataset: str, running_city: RunningCity, serving: Path
) -> None:
    """A stranger may ask for every column of a data set that is public: its columns are what is published."""
    from warehouse.serving.reading import open_version

    with open_version(serving, threads=1, memory="400MB") as connection:
        found = connection.execute(f"DESCRIBE zh.{dataset}").fetchall()
    assert {name for name, *_ in found} == policy.PUBLIC_COLUMNS[dataset]
    assert set(running_city.sign_in(None).datasets()) == {f"zh.{name}" for name in ("mart_public_index", "publication")}


def test_a_department_sees_some_cases_but_not_all(
    sessions: dict[str, Superset], datasets: dict[str, int], serving: Path
) -> None:
    ((own),) = sessions["department"].rows(datasets["zh.mart_case"], [], [ROWS])
    assert 0 < own["rows"] < counted(serving, "SELECT count(*) FROM zh.mart_case")


def test_a_department_cannot_widen_its_rows(
    sessions: dict[str, Superset], datasets: dict[str, int], serving: Path, unit: str
) -> None:
    own = sessions["department"].rows(datasets["zh.mart_case"], [], [ROWS])
    for clause in ("1 = 1) OR (1 = 1", "dept_id IS NOT NULL OR 1 = 1"):
        answer = sessions["department"].ask(datasets["zh.mart_case"], [], [ROWS], extras={"where": clause})
        assert answer.status_code != 200 or answer.json()["result"][0]["data"] == own
    inner = {"expressionType": "SQL", "sqlExpression": "(SELECT count(*) FROM zh.mart_case)", "label": "rows"}
    assert sessions["department"].ask(datasets["zh.mart_case"], [], [inner]).status_code != 200


def test_drilling_to_the_rows_keeps_to_own_rows(
    sessions: dict[str, Superset], datasets: dict[str, int], serving: Path, unit: str
) -> None:
    answer = sessions["department"].client.post(
        "/datasource/samples",
        params={
            "datasource_type": "table",
            "datasource_id": datasets["zh.mart_case"],
            "force": "true",
            "page": 1,
            "per_page": 1000,
        },
        json={"filters": [], "extras": {}},
    )
    assert answer.status_code == 200, answer.text[:500]
    assert {row["dept_id"] for row in answer.json()["result"]["data"]} <= set(with_units_below(serving, unit))


def test_dashboards_open_for_their_roles_only(sessions: dict[str, Superset]) -> None:
    for slug, roles in policy.PAGES.items():
        for role, session in sessions.items():
            for suffix in ("", "-en"):
                status = session.client.get(f"/api/v1/dashboard/{slug}{suffix}").status_code
                is_open = role in roles
                assert (status == 200) == is_open, f"{role} {slug}{suffix}: {status}"


def test_a_role_that_is_given_a_data_set_by_hand_still_sees_no_row(
    running_city: RunningCity, sessions: dict[str, Superset], datasets: dict[str, int]
) -> None:
    """Gamma gets access to the data set itself; the rule that denies by default still holds."""
    admin = running_city.sign_in("admin")
    roles = admin.client.get("/api/v1/security/roles/", params={"q": "(page_size:200)"}).json()["result"]
    (gamma,) = [role["id"] for role in roles if role["name"] == "Gamma"]
    before = admin.client.get(f"/api/v1/security/roles/{gamma}/permissions/").json()["result"]
    found = []
    while len(found) % 100 == 0:
        asked = {"q": f"(page:{len(found) // 100},page_size:100)"}
        part = admin.client.get("/api/v1/security/permissions-resources/", params=asked).json()["result"]
        found += part
        if not part:
            break
    opened = [
        entry["id"]
        for entry in found
        if entry["permission"]["name"] == "datasource_access" and "[mart_case]" in entry["view_menu"]["name"]
    ]
    assert opened
    kept = [permission["id"] for permission in before]
    address = f"/api/v1/security/roles/{gamma}/permissions"
    try:
        changed = admin.client.post(address, json={"permission_view_menu_ids": kept + opened})
        assert changed.status_code == 200, changed.text
        assert sessions["roleless"].rows(datasets["zh.mart_case"], [], [ROWS]) == [{"rows": 0}]
    finally:
        admin.client.post(address, json={"permission_view_menu_ids": kept})
