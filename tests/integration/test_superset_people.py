"""Who learns of other people: each role asks every address of the running pages, and no answer names another."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator

import pytest
from superset_client import RunningCity, Superset

from catalog.serve.superset.access import unit_role
from catalog.serve.superset.ids import MARK
from pipelines.services import superset
from warehouse.settings import PROJECT_ROOT, load_settings

ACCOUNTS = {
    "people-department": [unit_role("990102_lighting")],
    "people-leader": [MARK + "leader"],
    "people-analyst": [MARK + "analyst"],
}
# What names a person or a role that is not the asking one's.
NAMES = ("admin@gridlake", "@gridlake.test", "系统管理员", '"username": "admin"', f"{MARK}steward", *ACCOUNTS)
COLUMNS = ("owners", "roles", "created_by", "changed_by", "user", "users", "username", "email", "database")
FILLED = {
    "id_or_uuid": "1",
    "id_or_slug": "cases",
    "dashboard_id_or_slug": "cases",
    "datasource_type": "table",
    "version": "v1",
    "locale": "zh",
    "lang": "zh",
    "schema_name": "zh",
    "table_name": "mart_case",
    "uuid": "00000000-0000-0000-0000-000000000000",
}
# All that a stranger may ask for and be answered; the pages of lists are empty frames.
OF_STRANGERS = {
    *("/health", "/healthcheck", "/ping", "/login/", "/superset/language_pack/zh/"),
    *("/gridlake/embedded/", "/gridlake/embedded/token"),
    *("/api/v1/dashboard/", "/api/v1/chart/", "/api/v1/dataset/", "/api/v1/css_template/", "/api/v1/theme/"),
    *("/api/v1/theme/1", "/api/v1/me/", "/api/v1/me/roles/", "/api/v1/form_data/"),
    *("/dashboard/list/", "/chart/list/", "/tablemodelview/list/", "/theme/list/", "/csstemplatemodelview/list/"),
    *("/dataset/add/", "/dashboard/cases/embedded"),
}
_ASKED = """
from superset.app import create_app
for rule in create_app().url_map.iter_rules():
    if "GET" in rule.methods:
        print("route", rule)
"""


@pytest.fixture(scope="module")
def addresses(running_city: RunningCity) -> list[str]:
    """Every address that answers GET, with its places filled; those that end a session are left out."""
    settings = load_settings(city="demo", home=running_city.home)
    done = subprocess.run(
        [str(superset.ENVIRONMENT / "bin" / "python"), "-c", _ASKED],
        env={**os.environ, **superset._environment(settings)},
        capture_output=True,
        text=True,
        check=True,
        cwd=PROJECT_ROOT,
    )
    rules = [line.removeprefix("route ") for line in done.stdout.splitlines() if line.startswith("route ")]
    rules = sorted(rule for rule in rules if not re.match(r"/(?:static|lang)/|/(?:login/)?logout/", rule))
    assert len(rules) > 200
    found = []
    for rule in rules:
        for column in COLUMNS if "column_name" in rule else ("",):
            text = re.sub(r"<[^>]*column_name>", column, rule)
            found.append(re.sub(r"<(?:[a-z]+:)?([a-z_]+)>", lambda place: FILLED.get(place[1], "1"), text))
    return found


@pytest.fixture(scope="module")
def sessions(running_city: RunningCity) -> Iterator[dict[str, Superset]]:
    settings = load_settings(city="demo", home=running_city.home)
    superset.accounts(
        settings,
        *({"action": "set", "name": n, "roles": r, "is_new_password": True} for n, r in ACCOUNTS.items()),
    )
    guest = running_city.sign_in(None)
    guest.client.headers["X-GuestToken"] = guest.client.get("/gridlake/embedded/token").json()["token"]
    yield {
        "stranger": running_city.sign_in(None),
        "guest": guest,
        **{name: running_city.sign_in(name) for name in ACCOUNTS},
    }
    superset.accounts(settings, *({"action": "remove", "name": name} for name in ACCOUNTS))


@pytest.mark.parametrize("role", ["stranger", "guest", *ACCOUNTS])
def test_no_answer_names_another_person(role: str, sessions: dict[str, Superset], addresses: list[str]) -> None:
    answered, told, failed = set(), [], []
    for address in addresses:
        query = {"q": "(page_size:100)"} if address.startswith("/api/v1/") and address.endswith("/") else {}
        answer = sessions[role].client.get(address, params=query)
        if answer.status_code == 200:
            answered.add(address)
        shown = answer.text.replace(f"{role}@gridlake.test", "")
        told += [f"{address}: {name}" for name in NAMES if name != role and name in shown]
        failed += [f"{address}: {answer.text[:200]}"] if answer.status_code >= 500 else []
    assert told == []
    assert failed == []
    if role == "stranger":
        assert answered == OF_STRANGERS
    else:
        # Lists of accounts, roles and rules are the administrators'.
        assert not [
            address
            for address in answered
            if re.match(
                r"/(?:api/v1/(?:security/(?!csrf)|rowlevelsecurity|log/\d|report)|users/(?!userinfo)|roles)", address
            )
        ]


def test_an_account_is_offered_itself_and_nobody_else(sessions: dict[str, Superset]) -> None:
    for kind in ("dashboard", "chart", "dataset"):
        for role, session in sessions.items():
            owners = session.client.get(f"/api/v1/{kind}/related/owners")
            roles = session.client.get(f"/api/v1/{kind}/related/roles")
            if role in ("stranger", "guest"):
                assert (owners.status_code, roles.status_code) == (401, 401)
                continue
            own = session.client.get("/api/v1/me/").json()["result"]["id"]
            offered = owners.json().get("result", []) if owners.status_code == 200 else []
            assert {choice["value"] for choice in offered} <= {own}
            assert roles.status_code != 200 or roles.json()["result"] == []


def test_an_administrator_sees_who_owns_what(running_city: RunningCity) -> None:
    admin = running_city.sign_in("admin")
    assert "admin@gridlake.test" in admin.client.get("/api/v1/security/users/").text
    assert admin.client.get("/api/v1/dashboard/cases").json()["result"]["owners"][0]["first_name"] == "系统管理员"


def test_an_owner_is_kept_by_number_when_another_saves(sessions: dict[str, Superset]) -> None:
    """A page sends the owners back that it was told: they may be without a name, not missing."""
    (owner,) = sessions["people-analyst"].client.get("/api/v1/dashboard/cases").json()["result"]["owners"]
    assert owner["id"] > 0
    assert {value for key, value in owner.items() if key != "id"} <= {""}
