"""Superset with what an operator sets: its own tables in PostgreSQL, and a secret from the environment."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from pipelines.services import superset
from warehouse.errors import SettingsError
from warehouse.settings import PROJECT_ROOT, load_settings

SECRET = "from-the-vault-" * 3  # a made-up one


def test_its_own_tables_can_be_in_postgresql(tmp_path: Path, postgres_database: str) -> None:
    settings = load_settings(home=tmp_path / "home", superset_metadata=postgres_database)
    superset.prepare_database(settings)
    assert superset.prepare_content(settings), "dashboards are brought in"
    assert not superset.prepare_content(settings), "a second time there is nothing to do"
    assert not (settings.home_path / "superset" / "superset.db").exists()
    (answer,) = superset.accounts(settings, {"action": "list"})
    assert [account["name"] for account in answer["accounts"]] == ["admin"]


def test_processes_on_postgresql_count_wrong_passwords_together(tmp_path: Path, postgres_database: str) -> None:
    settings = load_settings(home=tmp_path / "home", superset_metadata=postgres_database)
    told = superset.options(settings)
    superset._write_metadata_address(settings, told)
    tried = f"""
from concurrent.futures import ThreadPoolExecutor
from sqlalchemy import create_engine
from catalog.serve.superset.server.guesses import Attempt, Guesses, prepare
engine = create_engine(open({str(told.metadata_file)!r}).read().strip())
prepare(engine)
guesses = Guesses(engine, "key")
with ThreadPoolExecutor(5) as pool:
    print(sum(isinstance(found, Attempt) for found in pool.map(lambda _: guesses.begin("wang", "::1"), range(20))))
"""
    command = [str(superset.ENVIRONMENT / "bin" / "python"), "-c", tried]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}
    asked = {"env": environment, "stdout": subprocess.PIPE, "text": True, "cwd": PROJECT_ROOT}
    # The first makes the table; the two behind it run at once.
    first = subprocess.run([*command[:2], tried.replace("range(20)", "range(4)")], check=True, **asked)  # type: ignore[call-overload]
    both = [subprocess.Popen(command, **asked) for _ in range(2)]  # type: ignore[call-overload]
    counts = [int(process.communicate()[0]) for process in both]
    assert int(first.stdout) == 4
    assert sum(counts) == 6


def test_a_secret_of_the_environment_is_used_and_no_file_is_made(tmp_path: Path) -> None:
    told = superset.options(load_settings(home=tmp_path / "home"))
    asked = "import json; from catalog.serve.superset.server import config as c;"
    asked += " print(json.dumps([c.SECRET_KEY, c.GUEST_TOKEN_JWT_SECRET]))"
    done = subprocess.run(
        [str(superset.ENVIRONMENT / "bin" / "python"), "-c", asked],
        env={
            **os.environ,
            **told.as_environment(),
            "GRIDLAKE_SUPERSET_SECRET": SECRET,
            "PYTHONPATH": str(PROJECT_ROOT),
        },
        capture_output=True,
        text=True,
        check=True,
        cwd=PROJECT_ROOT,
    )
    key, guest = json.loads(done.stdout.splitlines()[-1])
    assert key == SECRET
    assert guest not in ("", SECRET)
    assert list(told.home.glob("*.key")) == []


def test_a_short_secret_is_refused_without_being_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDLAKE_SUPERSET_SECRET", "hunter2")
    with pytest.raises(SettingsError, match="GRIDLAKE_SUPERSET_SECRET") as refused:
        load_settings()
    assert "hunter2" not in str(refused.value)
