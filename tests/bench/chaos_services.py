"""Kill everything of a served city while Dagster's daemon lands and builds; the next `gridlake up` must finish alone.

Run by `make chaos`. The made-up city moves on by a day, Dagster is asked to land and build as a schedule asks it, and
its sensors look on; at a random moment every process of the lake gets SIGKILL: Dagster's pages, daemon, code server and
runs, dbt, Superset, the city's own servers. Then only `gridlake up` is called. The lake must come to hold all that was
delivered, built and published, without anybody's help, and its tables must equal those of a lake that took the same
days undisturbed. After each kill, for the next one meets what the one before left behind.
"""

from __future__ import annotations

import argparse
import random
import socket
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from chaos import FIRST_DAY, unbalanced, undisturbed
from lakes import differing, fingerprint
from served_city import ServedCity, raw_counts, until

from pipelines.build import is_build_due
from pipelines.demo_city.servers import advance, demo_city
from pipelines.serving_tables import is_published
from warehouse.settings import Settings, load_settings

# Of a round that is left alone on a busy machine; after that something is stuck.
PATIENCE_SECONDS = 1800
_COMPARED = ("core", "indicator")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def has_finished(city: ServedCity, calm: Settings) -> bool:
    """Whether all that the calm lake has is landed, built and published, and Dagster has nothing left to do."""
    return (
        raw_counts(city.settings) == raw_counts(calm)
        and not city.under_way()
        and not is_build_due(city.settings)
        and is_published(city.settings)
    )


def main() -> None:
    """Parse the arguments, kill, compare; the exit status tells the outcome."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    parser.add_argument("--without-superset", action="store_true")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)  # noqa: S311  chance, not secrecy
    print(f"seed {arguments.seed}", flush=True)
    options = ["--no-superset"] if arguments.without_superset else []
    with tempfile.TemporaryDirectory(prefix="gridlake-chaos-") as folder:
        calm = load_settings(city="demo", home=Path(folder) / "calm")
        ports = {"GRIDLAKE_PORT": str(free_port()), "GRIDLAKE_SUPERSET_PORT": str(free_port())}
        home = Path(folder) / "served"
        environment = {"GRIDLAKE_CITY": "demo", "GRIDLAKE_HOME": str(home), "GRIDLAKE_MEMORY": "1000MB", **ports}
        city = ServedCity(home, int(ports["GRIDLAKE_PORT"]), environment)
        try:
            with demo_city(calm.home_path) as variables:
                wrong = _disturb(city, calm, variables, arguments.kills, options, rng)
        finally:
            city.kill()
    sys.exit(1 if wrong else 0)


def _disturb(
    city: ServedCity,
    calm: Settings,
    variables: dict[str, str],
    kills: int,
    options: list[str],
    rng: random.Random,
) -> list[str]:
    calm_environment = {"GRIDLAKE_CITY": "demo", **variables, "GRIDLAKE_HOME": str(calm.home_path)}
    undisturbed(calm_environment)
    city.up(*options)
    city.switch_sensors_on()
    days = iter(range(kills + 1))

    def next_day() -> None:
        day = (FIRST_DAY + timedelta(days=next(days))).isoformat()
        advance(calm.home_path, day)
        undisturbed(calm_environment)
        advance(city.home, day)
        city.launch("city")

    next_day()
    length = until(lambda: has_finished(city, calm), PATIENCE_SECONDS, city.runs)
    print(f"an undisturbed day takes {length:.0f} s", flush=True)
    wrong: list[str] = []
    for number in range(1, kills + 1):
        next_day()
        after = rng.uniform(3, length)
        time.sleep(after)
        was_under_way = ", ".join(city.under_way()) or "nothing"
        count = city.kill()
        began = time.monotonic()
        city.up(*options)
        answered = time.monotonic() - began
        until(lambda: has_finished(city, calm), PATIENCE_SECONDS, city.runs)
        finished = time.monotonic() - began
        expected = fingerprint(calm, _COMPARED)
        found = differing(expected, fingerprint(city.settings, _COMPARED)) + unbalanced(city.settings)
        print(
            f"kill {number} of {kills} after {after:.0f} s: {count} processes, under way: {was_under_way}; the next"
            f" `up` answered after {answered:.0f} s, all was finished after {finished:.0f} s;"
            f" {len(expected)} tables compared, {len(found)} differ {found}",
            flush=True,
        )
        wrong += found
    city.down()
    print(f"{kills} kills of everything, {len(wrong)} faults: {wrong}")
    return wrong


if __name__ == "__main__":
    main()
