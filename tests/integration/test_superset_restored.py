"""Accounts live through a backup: whoever could sign in before can do so in the restored home, and nobody else."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from superset_client import RunningCity

from catalog.serve.superset.ids import MARK
from pipelines.services.superset import ENVIRONMENT, accounts, service
from warehouse.safety.backup import backup
from warehouse.safety.restore import restore
from warehouse.settings import PROJECT_ROOT, Settings, load_settings

# Superset itself answers, at the same door as for everybody; it just needs no port for that.
_KNOCK = """
import json, sys
attempts = json.load(sys.stdin)
answer_to, sys.stdout = sys.stdout, sys.stderr
from superset.app import create_app
door = create_app().test_client()
codes = [
    door.post("/api/v1/security/login", json={"username": n, "password": p, "provider": "db"}).status_code
    for n, p in attempts
]
json.dump(codes, answer_to)
"""


def knock(settings: Settings, *attempts: tuple[str, str]) -> list[int]:
    """What Superset of this home answers to each name and password."""
    done = subprocess.run(
        [str(ENVIRONMENT / "bin" / "python"), "-c", _KNOCK],
        env={**os.environ, **service(settings).environment},
        input=json.dumps(attempts),
        capture_output=True,
        text=True,
        cwd=PROJECT_ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: list[int] = json.loads(done.stdout)
    return found


def names(settings: Settings) -> set[str]:
    """Every account of this home."""
    return {one["name"] for one in accounts(settings, {"action": "list"})[0]["accounts"]}


def test_accounts_sign_in_after_a_restore_of_what_was_saved_in_use(running_city: RunningCity, tmp_path: Path) -> None:
    settings = load_settings(city="demo", home=running_city.home)
    accounts(settings, {"action": "set", "name": "restored", "roles": [MARK + "leader"], "is_new_password": True})
    right = running_city.password("restored")
    before = names(settings)
    backup(settings, tmp_path / "backup")
    # What is changed after the backup is not in it.
    accounts(settings, {"action": "set", "name": "restored", "roles": [MARK + "leader"], "is_new_password": True})
    later = running_city.password("restored")
    assert later != right

    other = load_settings(city="demo", home=tmp_path / "elsewhere")
    assert restore(other, tmp_path / "backup").superset == "sqlite"
    there = RunningCity("", other.home_path, {})
    assert there.password("restored") == right
    attempts = (("admin", there.password("admin")), ("restored", right), ("restored", later), ("nobody", right))
    assert knock(other, *attempts) == [200, 200, 401, 401]
    assert knock(settings, ("restored", later)) == [200]
    # Other tests make and remove accounts of the running city all the while: who stood before and after was saved.
    assert {"admin", "restored"} <= before & names(settings) <= names(other)
