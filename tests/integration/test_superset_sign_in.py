"""Coming in: wrong passwords are counted at each door, the last administrator stays, old password files go."""

from __future__ import annotations

import re

import httpx
import pytest
from superset_client import RunningCity, Superset

from catalog.serve.superset.ids import MARK
from pipelines.services.superset import SupersetError, accounts
from warehouse.settings import Settings, load_settings

DOOR = "/api/v1/security/login"
LIMIT = 10


@pytest.fixture(scope="module")
def settings(running_city: RunningCity) -> Settings:
    return load_settings(city="demo", home=running_city.home)


def account(settings: Settings, name: str) -> None:
    accounts(settings, {"action": "set", "name": name, "roles": [MARK + "leader"], "is_new_password": True})


def at(city: RunningCity, address: str) -> httpx.Client:
    """A browser on another address of this machine, so that no other test waits for this one."""
    return httpx.Client(base_url=city.address, transport=httpx.HTTPTransport(local_address=address), timeout=60)


def by_api(client: httpx.Client, name: str, password: str) -> httpx.Response:
    return client.post(DOOR, json={"username": name, "password": password, "provider": "db"})


def by_form(client: httpx.Client, name: str, password: str) -> httpx.Response:
    token = re.search(r'csrf_token&#34;: &#34;([^&]+)|csrf_token[^>]*value="([^"]+)', client.get("/login/").text)
    sent = {"username": name, "password": password, "csrf_token": (token[1] or token[2]) if token else ""}
    return client.post("/login/", data=sent, headers={"Referer": f"{client.base_url}/login/"})


@pytest.mark.parametrize(("door", "address"), [(by_api, "127.0.0.11"), (by_form, "127.0.0.12")])
def test_wrong_passwords_end_in_a_time_to_wait(
    door: object, address: str, running_city: RunningCity, settings: Settings
) -> None:
    assert callable(door)
    name = f"braked-{door.__name__.replace('_', '-')}"
    account(settings, name)
    with at(running_city, address) as client:
        codes = [door(client, name, f"wrong {number}").status_code for number in range(LIMIT)]
        assert 429 not in codes
        refused = door(client, name, running_city.password(name))
        assert refused.status_code == 429, "also the right password waits"
        assert 0 < int(refused.headers["Retry-After"]) <= 15 * 60
        told = refused.json()["message"] if "json" in refused.headers["Content-Type"] else refused.text
        assert re.search(r"请在 \d+ 分钟后再试", told)
        assert re.search(r"try again in \d+ minutes", told)
    # The other door, another address, another process: all count together.
    with at(running_city, "127.0.0.13") as elsewhere:
        assert {by_api(elsewhere, name, "wrong").status_code for _ in range(4)} == {429}
    log = (running_city.home / "logs" / "superset.log").read_text(encoding="utf-8", errors="replace")
    assert f"too many wrong passwords for {name} from {address}" in log
    assert "wrong 3" not in log


def test_who_came_in_from_an_address_is_not_locked_out_by_others(running_city: RunningCity, settings: Settings) -> None:
    account(settings, "braked-known")
    right = running_city.password("braked-known")
    with at(running_city, "127.0.0.14") as own, at(running_city, "127.0.0.15") as stranger:
        assert by_api(own, "braked-known", right).status_code == 200
        assert [by_api(stranger, "braked-known", "wrong").status_code for _ in range(LIMIT + 1)][-1] == 429
        assert by_api(own, "braked-known", right).status_code == 200


def test_an_address_may_not_try_many_names_and_cannot_say_it_is_another(running_city: RunningCity) -> None:
    with at(running_city, "127.0.0.16") as client:
        codes = []
        for number in range(35):
            client.headers["X-Forwarded-For"] = f"203.0.113.{number}"
            codes.append(by_api(client, f"hunter2 {number}", "x").status_code)
    assert codes[:30] == [401] * 30
    assert set(codes[30:]) == {429}
    log = (running_city.home / "logs" / "superset.log").read_text(encoding="utf-8", errors="replace")
    assert "an unknown account from 127.0.0.16" in log
    assert "hunter2" not in log, "what was typed for a name may be a password"


@pytest.mark.parametrize(
    "body",
    [
        [],
        "x",
        {},
        {"username": "admin", "password": "x", "provider": "ldap"},
        {"username": "admin", "password": "x", "provider": ["db"]},
        {"username": ["admin"], "password": "x", "provider": "db"},
        {"username": "admin", "password": None, "provider": "db"},
        {"username": "a" * 100_000, "password": "x", "provider": "db"},
    ],
)
def test_what_is_no_sign_in_is_refused_as_such(body: object, running_city: RunningCity) -> None:
    with at(running_city, "127.0.0.17") as client:
        assert client.post(DOOR, json=body).status_code in (400, 401)


def administrator(city: RunningCity) -> tuple[Superset, int, int]:
    """The session of the only administrator, its id, and the role's."""
    session = city.sign_in("admin")
    users = session.client.get("/api/v1/security/users/", params={"q": "(page_size:100)"}).json()["result"]
    roles = session.client.get("/api/v1/security/roles/", params={"q": "(page_size:200)"}).json()["result"]
    (user,) = [user["id"] for user in users if user["username"] == "admin"]
    (role,) = [role["id"] for role in roles if role["name"] == "Admin"]
    return session, user, role


def test_the_last_administrator_stays_whoever_asks(running_city: RunningCity, settings: Settings) -> None:
    for request in (
        {"action": "remove", "name": "admin"},
        {"action": "set", "name": "admin", "roles": [MARK + "leader"], "is_new_password": False},
        {"action": "set", "name": "admin", "roles": [MARK + "leader"], "is_new_password": True},
    ):
        with pytest.raises(SupersetError, match=r"last administrator.*another account"):
            accounts(settings, request)
    session, user, role = administrator(running_city)
    other = next(
        found["id"]
        for found in session.client.get("/api/v1/security/roles/", params={"q": "(page_size:200)"}).json()["result"]
        if found["name"] == "Gamma"
    )
    for answer in (
        session.client.put(f"/api/v1/security/users/{user}", json={"roles": [other]}),
        session.client.put(f"/api/v1/security/users/{user}", json={"active": False}),
        session.client.delete(f"/api/v1/security/users/{user}"),
        session.client.put(f"/api/v1/security/roles/{role}/users", json={"user_ids": []}),
        session.client.delete(f"/api/v1/security/roles/{role}"),
    ):
        assert 400 <= answer.status_code < 500, f"{answer.request.url}: {answer.status_code} {answer.text[:300]}"
    (answer,) = accounts(settings, {"action": "list"})
    (found,) = [account for account in answer["accounts"] if account["name"] == "admin"]
    assert found == {"name": "admin", "roles": ["Admin"], "is_active": True}
    running_city.sign_in("admin")


def test_one_of_two_administrators_may_go(running_city: RunningCity, settings: Settings) -> None:
    new = {"action": "set", "name": "second-admin", "roles": ["Admin"], "is_new_password": False}
    accounts(settings, new, {"action": "remove", "name": "second-admin"})


def test_a_file_goes_when_its_password_holds_no_longer(running_city: RunningCity, settings: Settings) -> None:
    account(settings, "changes-password")
    file = running_city.home / "superset" / "passwords" / "changes-password"
    assert file.exists()
    # Coming in changes the account too, and its password stays.
    running_city.sign_in("changes-password")
    assert file.exists()
    session, _, _ = administrator(running_city)
    users = session.client.get("/api/v1/security/users/", params={"q": "(page_size:100)"}).json()["result"]
    (user,) = [user["id"] for user in users if user["username"] == "changes-password"]
    changed = session.client.put(f"/api/v1/security/users/{user}", json={"password": "another one 123"})
    assert changed.status_code == 200, changed.text
    assert not file.exists()
    accounts(settings, {"action": "set", "name": "changes-password", "roles": ["Gamma"], "is_new_password": True})
    assert file.exists()
    accounts(settings, {"action": "remove", "name": "changes-password"})
    assert not file.exists()
