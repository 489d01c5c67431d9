"""CPU time to load Dagster's definitions with dbt's manifest at hand: what every page, sensor tick and command pays.

Run as a script. Each city is loaded twice in a fresh process, the better of both counts. Exit status 1 above the bound.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from catalog.city import shipped

ROOT = Path(__file__).resolve().parents[2]
BOUND_SECONDS = 6.0
_LOAD = "import time; import pipelines.definitions; print(time.process_time())"


def load_seconds(city: str, home: str) -> float:
    """CPU seconds of one fresh process, start of Python included."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GRIDLAKE_")}
    done = subprocess.run(
        [sys.executable, "-c", _LOAD],
        env={**clean, "GRIDLAKE_CITY": city, "GRIDLAKE_HOME": home},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def main() -> int:
    """Print the figure of each city; 0 when all are within the bound."""
    best: dict[str, float] = {}
    for city in shipped():
        with tempfile.TemporaryDirectory() as home:
            load_seconds(city, home)  # prepares the manifest
            best[city] = min(load_seconds(city, home) for _ in range(2))
        print(f"definitions of {city}: {best[city]:.1f} s of CPU (bound {BOUND_SECONDS:.0f} s)")
    return int(max(best.values()) > BOUND_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
