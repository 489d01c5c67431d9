"""What Superset is told, and the files that hold its secrets."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from catalog.serve.superset.server.options import Options
from warehouse.secret_files import derived, secret, write_secret


def test_options_arrive_as_they_were_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = Options(
        home=tmp_path / "体征 home",
        serving=tmp_path / "city.duckdb",
        timezone="America/New_York",
        memory="900MB",
        threads=3,
        embed_hosts=("https://portal.example", "https://b.example"),
        is_https=True,
    )
    for name, value in sent.as_environment().items():
        monkeypatch.setenv(name, value)
    assert Options.from_environment() == sent


def test_no_secret_travels_in_the_environment(tmp_path: Path) -> None:
    options = Options(home=tmp_path, serving=tmp_path / "city.duckdb")
    made = secret(options.secret_file)
    assert all(made not in value for value in options.as_environment().values())


def test_a_secret_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "new" / "secret.key"
    made = secret(file)
    assert len(made) >= 40
    assert secret(file) == made
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "secret.key"
    secret(file)
    file.chmod(0o640)
    with pytest.raises(PermissionError, match=r"secret\.key"):
        secret(file)


def test_a_secret_for_one_purpose_is_always_the_same_and_no_other() -> None:
    assert derived("k" * 32, "guest") == derived("k" * 32, "guest")
    assert len({derived("k" * 32, "guest"), derived("k" * 32, "other"), derived("l" * 32, "guest"), "k" * 32}) == 4


def test_a_secret_that_stands_is_not_replaced_by_a_second_maker(tmp_path: Path) -> None:
    file = tmp_path / "secret.key"
    write_secret(file, "first", replace=False)
    write_secret(file, "second", replace=False)
    assert secret(file) == "first"
    write_secret(file, "third")
    assert secret(file) == "third"
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]
