"""What the integration tests do with whole lakes: run the command line, ask, and compare lakes table by table."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.contract import load_contracts
from pipelines.build import prepare, run_dbt
from pipelines.landing.land import land
from pipelines.sources.declared import load_sources
from warehouse.lake.layout import tables
from warehouse.lake.session import open_lake
from warehouse.settings import Settings

REPOSITORY = Path(__file__).resolve().parents[2]
GRIDLAKE = Path(sys.executable).with_name("gridlake")
# How far each model has come is bookkeeping: it tells of the way, not of the result.
_BOOKKEEPING = {"build_position", "touched_key", "case_touched_day"}
# Arguments of dbt for the tables that the tests compare: no checks, which write none, and no marts, which are views.
MODELS_ONLY = (
    "--exclude-resource-type",
    "test",
    "--exclude-resource-type",
    "unit_test",
    "--exclude",
    "path:models/mart",
)

Fingerprint = dict[str, tuple[int, int]]


@dataclass(frozen=True)
class BuiltLake:
    """A lake that has been landed and built, and the environment it was run with."""

    settings: Settings
    environment: Mapping[str, str]

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with open_lake(self.settings, read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def run(self, *arguments: str) -> str:
        """Run `gridlake` with this lake; fails the test when the command fails. Returns what it printed."""
        return gridlake(self.environment, *arguments)


def gridlake(environment: Mapping[str, str], *arguments: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GRIDLAKE_")}
    done = subprocess.run(
        [str(GRIDLAKE), *arguments],
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
    )
    assert done.returncode == 0, f"gridlake {' '.join(arguments)} failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def land_and_build(settings: Settings, systems: Collection[str] = ()) -> None:
    """Land what the city's systems (all, or these) deliver now, and build core and indicators, without checks."""
    contracts = load_contracts(settings.city_path)
    for system in load_sources(settings.city_path):
        if not systems or system.system in systems:
            for name in system.dataset_names:
                assert land(settings, system, name, contracts[name]).refusals == ()
    prepare(settings)
    run_dbt(settings, ["build", *MODELS_ONLY])


def fingerprint(settings: Settings, schemas: tuple[str, ...] = ("core", "indicator", "mart")) -> Fingerprint:
    """Rows and an order-free hash over all rows and columns of every table."""
    with open_lake(settings, read_only=True) as connection:
        found: Fingerprint = {}
        for schema, table in sorted(tables(connection)):
            if schema in schemas and table not in _BOOKKEEPING:
                rows_hash = "coalesce(sum(CAST(hash(CAST(t AS VARCHAR)) AS HUGEINT)), 0)"
                ((count, total),) = connection.execute(
                    f'SELECT count(*), {rows_hash} FROM lake.{schema}."{table}" t'
                ).fetchall()
                found[f"{schema}.{table}"] = (count, total)
        return found


def snapshot_id(settings: Settings) -> int:
    """The number of the lake's newest snapshot: it grows with every write."""
    with open_lake(settings, read_only=True) as connection:
        ((number,),) = connection.execute("SELECT max(snapshot_id) FROM lake.snapshots()").fetchall()
        return int(number)


def differing(one: Fingerprint, other: Fingerprint) -> list[str]:
    """Names of the tables that are not equal in both."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
