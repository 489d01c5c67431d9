"""Building `core` and `indicator` with dbt: where the project is, what dbt is told, what has been built.

dbt runs as its own process under the writer's turn, because it opens the lake itself.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from catalog.contract import load_contracts
from pipelines.landing.tables import RAW_COLUMNS, column_types, ensure_tables
from pipelines.project import assemble, models_hash, told_hash
from quality.held_back import holding
from quality.results import latest_of, position
from warehouse.durable import make_folder, put_in_place
from warehouse.errors import GridLakeError
from warehouse.lake.engine import engine_threads
from warehouse.lake.layout import tables
from warehouse.lake.session import attachment, open_lake, transact
from warehouse.settings import PROJECT_ROOT, Settings

_PARSED = "parsed"


class BuildError(GridLakeError):
    """The models cannot be built."""


@dataclass(frozen=True)
class BuildState:
    """Up to which landing or withdrawal, and from which text of the models, the lake is built.

    The text is its hash and the city's time zone. It also names the data sets that are held back: what depends on them
    was left as it is.
    """

    load_seq: int
    models_hash: str


def dbt_environment(settings: Settings) -> dict[str, str]:
    """The variables that dbt's profile and the models read."""
    lake = attachment(settings)
    return {
        "GRIDLAKE_CITY": settings.city,
        "GRIDLAKE_TIMEZONE": settings.timezone,
        "GRIDLAKE_DBT_ATTACH_PATH": lake.target,
        "GRIDLAKE_DBT_DATA_PATH": lake.data_path,
        "GRIDLAKE_DBT_META": "WAL" if lake.is_sqlite else "",
        "GRIDLAKE_DBT_MEMORY": settings.memory,
        "GRIDLAKE_DBT_THREADS": str(engine_threads(settings)),
        "GRIDLAKE_DBT_TOLD": f"{told_hash(settings)} {settings.timezone}",
        "GRIDLAKE_DBT_SPILL": str(settings.home_path / "spill"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "PYTHONPATH": str(PROJECT_ROOT),
    }


def dbt_executable() -> str:
    """dbt of this environment, wherever the shell's PATH points."""
    return str(Path(sys.executable).with_name("dbt"))


def target_path(settings: Settings) -> Path:
    """Where dbt keeps its manifest and results for this lake."""
    return settings.home_path / "dbt"


def _models_as_told(settings: Settings) -> str:
    """The models' text and what of the settings is written into it."""
    return f"{models_hash(settings)} {settings.timezone}"


def ensure_manifest(settings: Settings) -> Path:
    """dbt's manifest for the models as they are now; parsed again only when their text has changed.

    It is a file of its own, whole or not there, named by what it was made from. The manifest in dbt's target folder is
    written anew by every build, and half of it stands there while that goes on, or after it was killed.

    Raises:
        BuildError: dbt cannot parse the project; the message is dbt's.
    """
    folder = target_path(settings)
    current = hashlib.sha256(f"{settings.city} {_models_as_told(settings)}".encode()).hexdigest()
    manifest = folder / f"{_PARSED}-{current[:20]}.json"
    if manifest.exists():
        return manifest
    make_folder(folder)
    # In the spool, from which landing sweeps what was left by a kill.
    with tempfile.TemporaryDirectory(prefix=f"{_PARSED}-", dir=make_folder(settings.home_path / "spool")) as parsed:
        run_dbt(settings, ["parse", "--no-partial-parse"], target=Path(parsed))
        # The first build then need not parse again.
        (Path(parsed) / "partial_parse.msgpack").replace(folder / "partial_parse.msgpack")
        put_in_place(Path(parsed) / "manifest.json", manifest)
    for other in folder.glob(f"{_PARSED}-*.json"):
        if other != manifest:
            other.unlink(missing_ok=True)
    return manifest


def run_dbt(
    settings: Settings,
    arguments: list[str],
    environment: Mapping[str, str] | None = None,
    *,
    target: Path | None = None,
) -> None:
    """Run one dbt command; one that reads the lake finds it as this release lays it out.

    Args:
        settings: of the lake.
        arguments: the command and its options.
        environment: variables besides those that dbt's profile and the models read.
        target: where dbt leaves what it makes; `target_path` if not given.

    Raises:
        BuildError: dbt failed; the message holds the end of what it printed.
    """
    if arguments[0] != "parse":
        with open_lake(settings, spatial=False):
            pass  # opening for writing brings a lake of an earlier release up to date
    folder = target_path(settings)
    folder.mkdir(parents=True, exist_ok=True)
    project = str(assemble(settings))
    command = [dbt_executable(), *arguments, "--project-dir", project, "--profiles-dir", project]
    command += ["--target-path", str(target or folder), "--log-path", str(folder / "logs")]
    done = subprocess.run(  # noqa: S603  the command is ours, not a user's text
        command,
        env={**os.environ, **dbt_environment(settings), **(environment or {})},
        capture_output=True,
        text=True,
        cwd=PROJECT_ROOT,
        check=False,
    )
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-30:])
        raise BuildError(f"dbt {arguments[0]} failed:\n{tail}", where=project, fix="correct the model named above")


def prepare(settings: Settings) -> None:
    """Create or widen the tables of every contract of the city, so that models find what nobody has delivered."""
    contracts = load_contracts(settings.city_path)
    with open_lake(settings, spatial=False) as connection:
        present = tables(connection)
        missing = [
            c
            for c in contracts.values()
            if not {("raw", c.name), ("quarantine", c.name)} <= present
            or not column_types(connection, "raw", c.name).keys() >= {name for name, _ in RAW_COLUMNS}
        ]

        def create(lake: duckdb.DuckDBPyConnection) -> None:
            for contract in missing:
                ensure_tables(lake, contract)

        if missing:
            transact(connection, settings, create, message="tables of new contracts")


def current_state(connection: duckdb.DuckDBPyConnection, settings: Settings) -> BuildState:
    """What a build started now would be built from."""
    held = held_back(connection)
    return BuildState(position(connection), _models_as_told(settings) + (f" without {', '.join(held)}" if held else ""))


def held_back(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The data sets on which nothing is built until they are mended, by name."""
    return sorted({result.dataset for result in holding(latest_of(connection))})


def left_out(held: Sequence[str]) -> list[str]:
    """dbt's arguments that leave out what depends on these data sets."""
    return ["--exclude", *(f"source:raw.{name}+" for name in held)] if held else []


def built_state(connection: duckdb.DuckDBPyConnection) -> BuildState | None:
    """What the last build was built from; None before the first, and while one is under way or did not end well."""
    row = connection.execute("SELECT load_seq, models_hash FROM lake.ops.build").fetchone()
    return BuildState(int(row[0]), str(row[1])) if row else None


def is_build_due(settings: Settings) -> bool:
    """Whether rows have landed, or models have changed, since the last successful build."""
    with open_lake(settings, spatial=False) as connection:
        return built_state(connection) != current_state(connection, settings)


def begin_build(settings: Settings) -> None:
    """Forget the last build: until the next one has gone to its end, the tables may be half built."""
    with open_lake(settings, spatial=False) as connection:
        if built_state(connection) is not None:
            transact(
                connection, settings, lambda lake: lake.execute("DELETE FROM lake.ops.build"), message="build begins"
            )


def record_build(settings: Settings, state: BuildState) -> None:
    """Remember what was built from; `state` was taken before the build began."""

    def write(lake: duckdb.DuckDBPyConnection) -> None:
        lake.execute("DELETE FROM lake.ops.build")
        lake.execute(
            "INSERT INTO lake.ops.build (load_seq, models_hash, built_at) VALUES (?, ?, ?)",
            [state.load_seq, state.models_hash, datetime.now(UTC).replace(tzinfo=None)],
        )

    with open_lake(settings, spatial=False) as connection:
        if built_state(connection) != state:
            transact(connection, settings, write, message="built")
