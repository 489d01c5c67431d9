"""Kill landing and building at random moments; afterwards the lake must equal one that was never disturbed.

Run by `make chaos`. The made-up city moves on day by day; between two days runs are killed with SIGKILL, dbt
and all, at moments drawn at random over the length of an undisturbed run. Last comes a run that is left alone.
Then every table of core and indicator is compared with that of a second lake, which took the same days
without a disturbance; and every delivery must have as many rows in raw and quarantine as its record says.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

from lakes import REPOSITORY, differing, fingerprint

from pipelines.demo_city.servers import advance, demo_city
from warehouse.lake.session import open_lake
from warehouse.settings import Settings, load_settings

FIRST_DAY = date(2026, 4, 1)
# Landing and building as `gridlake run` does them, without the start of Dagster, which writes nothing to the lake.
WORK = """
from catalog.contract import load_contracts
from pipelines.build import current_state, is_build_due, prepare, record_build, run_dbt
from pipelines.landing.land import land
from pipelines.sources.declared import load_sources
from warehouse.lake.session import open_lake
from warehouse.settings import load_settings
from warehouse.lake.turn import writer_turn

settings = load_settings()
contracts = load_contracts(settings.city_path)
for system in load_sources(settings.city_path):
    for name in system.dataset_names:
        land(settings, system, name, contracts[name])
if is_build_due(settings):
    prepare(settings)
    with open_lake(settings) as connection:
        state = current_state(connection, settings)
    with writer_turn(settings):
        run_dbt(settings, ["build", "--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"])
    record_build(settings, state)
"""


def start(environment: dict[str, str]) -> subprocess.Popen[bytes]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GRIDLAKE_")}
    return subprocess.Popen(
        [sys.executable, "-c", WORK], env={**clean, **environment}, cwd=REPOSITORY, start_new_session=True
    )


def undisturbed(environment: dict[str, str]) -> float:
    """One run to its end; returns how many seconds it took."""
    started = time.monotonic()
    if start(environment).wait() != 0:
        sys.exit("an undisturbed run failed")
    return time.monotonic() - started


def killed(environment: dict[str, str], after: float) -> bool:
    """One run, killed with all its children after so many seconds; False if it had ended by itself."""
    process = start(environment)
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    if process.returncode != 0:
        sys.exit("a run failed before it was killed: what an earlier kill left behind cannot be worked with")
    return False


def unbalanced(settings: Settings) -> list[str]:
    """Deliveries whose rows in raw and quarantine are not as many as their load record says, or stand twice."""
    wrong: list[str] = []
    with open_lake(settings, read_only=True) as lake:
        datasets = [name for (name,) in lake.execute("SELECT DISTINCT dataset FROM lake.ops.load").fetchall()]
        for dataset in datasets:
            for schema, counted in (("raw", "accepted_count"), ("quarantine", "quarantined_count")):
                alive = "WHERE NOT _is_deleted" if schema == "raw" else ""
                wrong += [
                    f"{schema}.{dataset} {delivery_id}"
                    for (delivery_id,) in lake.execute(
                        f"""SELECT coalesce(l.delivery_id, r._delivery_id) FROM
                            (SELECT delivery_id, {counted} AS n FROM lake.ops.load WHERE dataset = ?) l
                            FULL JOIN (SELECT _delivery_id, count(*) AS n, count(DISTINCT _source_row) AS places
                                       FROM lake.{schema}.{dataset} {alive} GROUP BY ALL) r
                            ON r._delivery_id = l.delivery_id
                            WHERE coalesce(l.n, -1) <> coalesce(r.n, 0) OR r.n <> r.places""",
                        [dataset],
                    ).fetchall()
                ]
    return wrong


def main() -> None:
    """Parse the arguments, disturb, compare; the exit status tells the outcome."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)  # noqa: S311  chance, not secrecy
    print(f"seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="gridlake-chaos-") as folder:
        city = Path(folder) / "city"
        calm, rough = Path(folder) / "calm", Path(folder) / "rough"
        with demo_city(city) as variables:
            base = {"GRIDLAKE_CITY": "demo", **variables}
            environments = {home: {**base, "GRIDLAKE_HOME": str(home)} for home in (calm, rough)}
            length = undisturbed(environments[calm])
            print(f"an undisturbed first run takes {length:.1f} s", flush=True)
            kills = 0
            for number in range(arguments.days):
                goal = arguments.kills * (number + 1) // arguments.days
                while kills < goal:
                    # A run that has little left to do ends early: then the next is killed sooner.
                    after = rng.uniform(0.5, length)
                    while not killed(environments[rough], after):
                        after *= 0.6
                    kills += 1
                    print(f"kill {kills} of {arguments.kills} after {after:.1f} s", flush=True)
                advance(city, (FIRST_DAY + timedelta(days=number)).isoformat())
                undisturbed(environments[calm])
            undisturbed(environments[rough])
        settings = {home: load_settings(city="demo", home=home) for home in (calm, rough)}
        expected = fingerprint(settings[calm])
        wrong = differing(expected, fingerprint(settings[rough]))
        doubtful = unbalanced(settings[rough])
    print(f"{kills} kills, {len(expected)} tables of core and indicator compared, {len(wrong)} differ: {wrong}")
    print(f"deliveries whose rows do not match their record: {len(doubtful)} {doubtful}")
    sys.exit(1 if wrong or doubtful else 0)


if __name__ == "__main__":
    main()
