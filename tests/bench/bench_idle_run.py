"""What a run costs in which nothing is new: processor seconds of `gridlake run` over a made-up city that is built.

The floor is Python with DuckDB and the contracts loaded. At most four seconds are meant. Name the home of a made-up
city that was run and whose systems run (`gridlake up` does it) in GRIDLAKE_HOME; else it is skipped.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

RUNS = 3


def processor_seconds(command: list[str]) -> float:
    """User and system time of a process and all its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the floor and the smallest of a few runs."""
    home = os.environ.get("GRIDLAKE_HOME", "")
    if not (Path(home) / "demo_city" / "env").exists():
        print("skipped: set GRIDLAKE_HOME to a made-up city whose systems run")
        return
    gridlake = str(Path(sys.executable).with_name("gridlake"))
    floor = processor_seconds([sys.executable, "-c", "import duckdb, catalog.contract as c; c.load_contracts('demo')"])
    processor_seconds([gridlake, "run"])  # whatever is new lands here
    idle = min(processor_seconds([gridlake, "run"]) for _ in range(RUNS))
    print(f"floor {floor:.1f} s, a run with nothing new {idle:.1f} s of processor time")


if __name__ == "__main__":
    main()
