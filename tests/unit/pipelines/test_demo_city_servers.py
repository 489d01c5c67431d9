"""The made-up city's servers: they answer, refuse strangers, keep secrets, and leave nothing running."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import httpx
import psutil
import pytest

from pipelines.demo_city.generate import read_state
from pipelines.demo_city.servers import advance, demo_city, environment_file, joined_city, running_variables
from warehouse.lake.extensions import connect
from warehouse.settings import PROJECT_ROOT

REQUESTS = "/open311/v2/requests.json"


class Hotline:
    """A client of the hotline's service."""

    def __init__(self, environment: dict[str, str]) -> None:
        headers = {"Authorization": f"Bearer {environment['GRIDLAKE_DEMO_HOTLINE_TOKEN']}"}
        self.http = httpx.Client(
            base_url=environment["GRIDLAKE_DEMO_HOTLINE_URL"], headers=headers, trust_env=False, timeout=20
        )

    def page(self, **params: str | int) -> list[dict[str, object]]:
        answer = self.http.get(REQUESTS, params=params)
        answer.raise_for_status()
        rows: list[dict[str, object]] = answer.json()
        return rows

    def all(self, **params: str | int) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = []
        while batch := self.page(page=len(rows) // 1000 + 1, page_size=1000, **params):
            rows += batch
            if len(batch) < 1000:
                break
        return rows


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def environment(home: Path) -> Iterator[dict[str, str]]:
    with demo_city(home) as variables:
        yield variables


@pytest.fixture
def hotline(environment: dict[str, str]) -> Hotline:
    return Hotline(environment)


def permits(environment: dict[str, str], *, read_only: bool = True) -> duckdb.DuckDBPyConnection:
    con = connect(extensions=["postgres_scanner"])
    option = ", READ_ONLY" if read_only else ""
    con.execute(f"ATTACH '{environment['GRIDLAKE_DEMO_PERMIT_URL']}' AS office (TYPE postgres{option})")
    return con


def server_folder(home: Path) -> Path:
    return Path((home / "demo_city/permit_office/place").read_text())


def processes_of(folder: Path) -> list[str]:
    lines = [" ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"])]
    return [line for line in lines if str(folder) in line]


def hotline_threads() -> int:
    return sum(thread.name == "hotline" for thread in threading.enumerate())


def test_pages_hold_every_order_once(hotline: Hotline, home: Path) -> None:
    state = read_state(home)
    assert state is not None
    rows = hotline.all()
    assert len(rows) == state.rows["hotline_order"]
    numbers = [r["service_request_id"] for r in rows if r["service_request_id"]]
    assert len(set(numbers)) == len(numbers) == len(rows) - 4
    assert hotline.page(page=1000) == []


def test_updated_after_gives_what_changed_since(hotline: Hotline) -> None:
    since = "2026-03-30T12:00:00"
    rows = hotline.all(updated_after=since)
    expected = [r for r in hotline.all() if str(r["updated_datetime"]) >= since]
    assert 0 < len(rows) < 500
    assert rows == expected


def test_a_stranger_gets_nothing(environment: dict[str, str]) -> None:
    base = environment["GRIDLAKE_DEMO_HOTLINE_URL"]
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        answer = httpx.get(base + REQUESTS, headers=headers, trust_env=False)
        assert answer.status_code == 401
    assert httpx.get(base + "/health", trust_env=False).json() == {"status": "ok"}


@pytest.mark.parametrize("params", [{"page": "0"}, {"page_size": "1001"}, {"page": "x"}, {"updated_after": "soon"}])
def test_a_wrong_question_is_refused(hotline: Hotline, params: dict[str, str]) -> None:
    assert hotline.http.get(REQUESTS, params=params).status_code == 400


def test_duckdb_reads_the_permit_office(environment: dict[str, str], home: Path) -> None:
    state = read_state(home)
    assert state is not None
    with permits(environment) as con:
        counts = con.execute(
            "SELECT (SELECT count(*) FROM office.permit_office.permit), "
            "(SELECT count(*) FROM office.permit_office.department), "
            "(SELECT count(*) FROM office.permit_office.permit WHERE permit_no IS NULL)"
        ).fetchone()
    assert counts == (state.rows["permit_application"], 5, 3)


def test_the_lakes_role_may_only_read(environment: dict[str, str]) -> None:
    with permits(environment, read_only=False) as con, pytest.raises(duckdb.Error):
        con.execute("INSERT INTO office.permit_office.department VALUES ('W99', 'x', 'x')")


def test_a_password_is_needed(environment: dict[str, str]) -> None:
    _, _, place = environment["GRIDLAKE_DEMO_PERMIT_URL"].partition("@")
    with connect(extensions=["postgres_scanner"]) as con, pytest.raises(duckdb.Error, match="password"):
        con.execute(f"ATTACH 'postgresql://postgres:guess@{place}' AS office (TYPE postgres)")


def test_secrets_are_readable_by_their_owner_only(environment: dict[str, str], home: Path) -> None:
    secrets = [*(home / "demo_city").rglob("*.token"), *(home / "demo_city").rglob("*.password")]
    assert len(secrets) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets} == {0o600}


def test_one_folder_is_served_once(environment: dict[str, str], home: Path) -> None:
    with pytest.raises(RuntimeError, match="already running"), demo_city(home):
        pass


def test_who_comes_second_joins_the_city_that_runs(environment: dict[str, str], home: Path) -> None:
    with joined_city(home) as joined:
        assert joined == {name: value for name, value in environment.items() if name in joined}
        assert set(joined) >= {"GRIDLAKE_DEMO_HOTLINE_URL", "GRIDLAKE_DATA"}
    file = environment_file(home)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_late_changes_show_while_the_city_is_served(tmp_path: Path) -> None:
    with demo_city(tmp_path) as environment:
        hotline = Hotline(environment)
        before = {r["service_request_id"]: r for r in hotline.all()}
        state = advance(tmp_path, "2026-04-10")
        after = {r["service_request_id"]: r for r in hotline.all()}
        assert len(after) > len(before)
        closed = [k for k, r in before.items() if r["status"] == "open" and after[k]["status"] == "closed"]
        assert len(closed) > 10
        assert all(str(after[k]["updated_datetime"]) >= "2026-04-01" for k in closed)
        with permits(environment) as con:
            query = "SELECT count(*), left(max(updated_at)::VARCHAR, 10) FROM office.permit_office.permit"
            assert con.execute(query).fetchone() == (state.rows["permit_application"], "2026-04-10")
            windows = con.execute("SELECT dept_code FROM office.permit_office.department ORDER BY 1").fetchall()
        assert windows == [("W01",), ("W02",), ("W03",), ("W04",)]
        folder, threads = server_folder(tmp_path), hotline_threads()
        assert processes_of(folder) != []
    assert processes_of(folder) == []
    assert not folder.exists()
    assert hotline_threads() == threads - 1


def test_a_second_start_keeps_the_rows_and_the_secrets(tmp_path: Path) -> None:
    def look(environment: dict[str, str]) -> tuple[object, ...]:
        with permits(environment) as con:
            rows = con.execute("SELECT * FROM office.permit_office.permit ORDER BY id").fetchall()
        password, _, _ = environment["GRIDLAKE_DEMO_PERMIT_URL"].partition("@")
        return rows, password, environment["GRIDLAKE_DEMO_HOTLINE_TOKEN"]

    with demo_city(tmp_path) as environment:
        first = look(environment)
    with demo_city(tmp_path) as environment:
        assert look(environment) == first


def test_a_killed_city_starts_again(tmp_path: Path) -> None:
    with serving(tmp_path) as (server, _):
        server.kill()
        server.wait(20)
    folder = server_folder(tmp_path)
    assert processes_of(folder) != []
    with demo_city(tmp_path) as environment, permits(environment) as con:
        assert server_folder(tmp_path) == folder
        assert con.execute("SELECT count(*) FROM office.permit_office.department").fetchone() == (5,)
    assert processes_of(folder) == []


@contextmanager
def serving(home: Path) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """The command's process and the lines it announced."""
    command = [sys.executable, "-m", "pipelines.demo_city", "--home", str(home), "serve"]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server, [server.stdout.readline() for _ in range(3)]
        finally:
            server.terminate()


def test_serve_runs_until_it_is_told_to_stop(tmp_path: Path) -> None:
    with serving(tmp_path) as (server, announced):
        path = environment_file(tmp_path)
        assert announced[2].split()[1] == str(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        variables = dict(line.split("=", 1) for line in path.read_text().splitlines())
        token = variables["GRIDLAKE_DEMO_HOTLINE_TOKEN"]
        assert token not in "".join(announced)
        assert httpx.get(announced[0].split()[1] + "/health", trust_env=False).status_code == 200
        folder = server_folder(tmp_path)
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
    assert not path.exists()
    assert processes_of(folder) == []
    assert processes_of(tmp_path) == []


def test_running_variables_are_those_of_the_city_that_runs(home: Path, environment: dict[str, str]) -> None:
    assert running_variables(home) == environment
    assert running_variables(home / "elsewhere") == {}


def test_running_variables_survive_blanks_and_quotes(tmp_path: Path) -> None:
    home = tmp_path / "a city's home"
    with demo_city(home) as variables:
        assert running_variables(home)["GRIDLAKE_DATA"] == variables["GRIDLAKE_DATA"]
        assert "a city's home" in variables["GRIDLAKE_DATA"]
    assert running_variables(home) == {}
