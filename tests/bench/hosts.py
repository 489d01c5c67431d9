"""Two hosts land into one lake on a PostgreSQL catalogue and are killed; nothing may be lost, nothing may stand twice.

Run by `make chaos`. Each host lands files of its own and, at the same time as the other, files that both find.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.unit.pipelines.landing.hosts import race
from warehouse.lake.postgres import create_database, local_postgres
from warehouse.settings import load_settings


def main() -> None:
    """Parse the arguments, race, judge; the exit status tells the outcome."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--landings", type=int, default=50)
    parser.add_argument("--kills", type=int, default=10, help="of each host")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="gridlake-hosts-") as folder, local_postgres(Path(folder) / "pg") as url:
        settings = load_settings(home=Path(folder) / "one", catalog=create_database(url, "lake"))
        outcome = race(settings, Path(folder), arguments.landings, arguments.kills, arguments.seed)
    print(f"2 hosts, {arguments.landings} landings each, {outcome.kills} kills: {outcome.lost} rows lost,")
    print(f"{outcome.doubled} doubled, {outcome.shared_numbers} numbers taken twice")
    sys.exit(1 if outcome.lost or outcome.doubled or outcome.shared_numbers else 0)


if __name__ == "__main__":
    main()
