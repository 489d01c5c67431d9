"""The local PostgreSQL server is shared, private, and gone when nobody needs it."""

from __future__ import annotations

import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.warehouse.helpers import finish, line, python, stopped_at_the_end
from warehouse.errors import LakeError
from warehouse.lake.extensions import connect
from warehouse.lake.postgres import _runtime_dir, create_database, local_postgres
from warehouse.settings import Settings


@pytest.fixture
def folder() -> Iterator[Path]:
    short = Path(tempfile.mkdtemp(prefix="gridlake-pg-"))
    yield short / "pg"
    shutil.rmtree(short, ignore_errors=True)


def answer(url: str) -> int:
    connection = connect(extensions=("postgres_scanner",))
    try:
        connection.execute(f"ATTACH '{url}' AS pg (TYPE postgres, READ_ONLY)")
        ((number,),) = connection.execute("FROM postgres_query('pg', 'SELECT 7')").fetchall()
        return int(number)
    finally:
        connection.close()


def test_server_is_shared_by_processes_and_stops_with_the_last(folder: Path, sqlite_settings: Settings) -> None:
    using = """
from warehouse.lake.postgres import local_postgres
with local_postgres(Path(sys.argv[2])):
    say("in")
    sys.stdin.readline()
"""
    with local_postgres(folder) as url:
        killed = python(sqlite_settings, using, str(folder))
        other = python(sqlite_settings, using, str(folder))
        with stopped_at_the_end(killed, other):
            assert line(killed) == line(other) == "in"
            killed.kill()
            killed.wait()
            assert answer(create_database(url, "second")) == 7
            with local_postgres(folder) as again:
                assert again == url
            assert answer(url) == 7
            finish(other)
    # The killed process never left; whoever comes next does not count it.
    with local_postgres(folder) as url:
        assert answer(url) == 7
    assert not (folder / "postmaster.pid").exists()


def test_database_that_cannot_be_created_is_named(folder: Path, postgres_url: str) -> None:
    with pytest.raises(LakeError, match=r"postgres: .*already exists"):
        create_database(postgres_url, "postgres")


def test_folder_whose_socket_all_users_could_reach_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="too long"), local_postgres(tmp_path / ("x" * 100)):
        pass


def test_runtime_folder_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for given in (None, "", str(tmp_path / "missing")):
        found = _runtime_dir(given)
        assert stat.S_IMODE(found.stat().st_mode) == 0o700
        assert found.parent == tmp_path
    own = tmp_path / "own"
    own.mkdir()
    assert _runtime_dir(str(own)) == own
    found.joinpath("python_PostgresServer").rmdir()
    found.rmdir()
    found.symlink_to(own)
    with pytest.raises(LakeError, match="someone else"):
        _runtime_dir(None)
