"""Building from raw cases: within which memory, how long, and what one more day costs on ten times the history.

Run as a script. Bars, which end it with status 1 where they are not met:

- three years of cases build within the default memory, at each number of threads, from nothing and then one more day;
- one more day takes no more than MAX_DAY times as long on ten times the history.

`--cases`, `--threads` and `--day-cases` set the sizes; 0 leaves a part out. Peak memory is that of dbt's
process, larger than the limit, which is DuckDB's for its buffers: dbt, extensions and each thread's own come on top.
Spill is what DuckDB put on the disk at a time because the memory was full.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from raw_city import add_cases, make_city  # noqa: E402

from warehouse.settings import Settings, load_settings  # noqa: E402

# What grows with the history: reports are looked up among all that were landed, the horizon among all cases, and the
# stock is summed from the first day on. 1.2 is meant once the index keeps its measures in a store of its own.
MAX_DAY = 1.5
LAST = date(2026, 3, 31)
YEARS = 3
_BUILD = """
import json, resource, sys
from pathlib import Path
from pipelines.build import run_dbt
from warehouse.settings import load_settings
settings = load_settings(city="demo", home=Path(sys.argv[1]), threads=int(sys.argv[2]))
run_dbt(settings, ["build", "--exclude-resource-type", "test", "--exclude-resource-type", "unit_test",
    "--exclude", "path:models/mart", *sys.argv[3:]])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
"""


@dataclass(frozen=True)
class Built:
    """One build: seconds by model and in all, the peak memory of dbt in MB, and what it spilled in MB."""

    seconds: float
    models: dict[str, float]
    peak: int
    spill: int

    def __str__(self) -> str:
        return f"{self.seconds:6.1f} s, peak {self.peak:,} MB, spill {self.spill:,} MB; {self.slowest()}"

    def slowest(self, count: int = 6) -> str:
        """The models that took longest, with their seconds."""
        found = sorted(self.models.items(), key=lambda item: -item[1])[:count]
        return ", ".join(f"{name} {seconds:.1f}" for name, seconds in found)


class Spill:
    """Looks at a folder of temporary files while something runs; `peak` is the most that lay in it, in bytes."""

    def __init__(self, folder: Path) -> None:
        self.peak = 0
        self._folder = folder
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Spill:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.5):
            # a file may be gone between the listing and the look at it
            with suppress(FileNotFoundError):
                self.peak = max(self.peak, sum(f.stat().st_blocks * 512 for f in self._folder.iterdir()))


class BuildFailed(RuntimeError):
    """dbt did not come to its end; the text is what it printed last."""


def build(settings: Settings, threads: int, *arguments: str) -> Built:
    """Build the lake in a process of its own."""
    began = time.monotonic()
    with Spill(settings.home_path / "spill") as spill:
        done = subprocess.run(
            [sys.executable, "-c", _BUILD, str(settings.home_path), str(threads), *arguments],
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
        )
    if done.returncode:
        raise BuildFailed(done.stderr[-3000:])
    seconds = time.monotonic() - began
    results = json.loads((settings.home_path / "dbt" / "run_results.json").read_text())["results"]
    models = {r["unique_id"].split(".")[-1]: float(r["execution_time"]) for r in results}
    return Built(seconds, models, int(done.stdout.split()[-1]), spill.peak >> 20)


def within_memory(folder: Path, cases: int, threads: list[int]) -> bool:
    """Build three years of cases and one more day, at each number of threads; whether all came to their end."""
    settings = load_settings(city="demo", home=folder / "memory")
    make_city(settings, cases, LAST - timedelta(days=365 * YEARS), LAST)
    is_met = True
    for number, count in enumerate(threads, 1):
        label = f"{cases:,} cases, {count} threads, {settings.memory}"
        try:
            print(f"{label}: {build(settings, count, '--full-refresh')}", flush=True)
            last = LAST + timedelta(days=number)
            add_cases(settings, f"m{number}-", cases // (365 * YEARS), last, last, sequence=2 + number)
            print(f"{label}, one more day: {build(settings, count)}", flush=True)
        except BuildFailed as error:
            is_met = False
            print(f"{label}: FAILED\n{error}", flush=True)
    return is_met


def one_more_day(folder: Path, cases: int, rounds: int) -> bool:
    """A day's cases on a history and on one ten times as long; whether the second is at most MAX_DAY times as slow."""
    day, homes = max(cases // 100, 1), {}
    for times in (1, 10):
        homes[times] = load_settings(city="demo", home=folder / f"day{times}")
        make_city(homes[times], cases * times, LAST - timedelta(days=100 * times - 1), LAST)
        build(homes[times], 2)
    found: dict[int, list[Built]] = {1: [], 10: []}
    for number in range(1, rounds + 1):
        last = LAST + timedelta(days=number)
        for times, settings in homes.items():
            add_cases(settings, f"d{number}-", day, last, last, sequence=2 + number)
            found[times].append(build(settings, 2))
    best = {times: min(of, key=lambda b: sum(b.models.values())) for times, of in found.items()}
    spent = {times: sum(built.models.values()) for times, built in best.items()}
    for name in sorted(best[10].models, key=lambda m: best[1].models[m] - best[10].models[m])[:8]:
        print(f"    {name:<28} {best[1].models[name]:6.2f} s -> {best[10].models[name]:6.2f} s")
    ratio = spent[10] / spent[1]
    print(
        f"one more day ({day:,} cases) on {cases:,} cases {spent[1]:.1f} s, on {10 * cases:,} cases {spent[10]:.1f} s:"
        f" {ratio:.2f}x (bar {MAX_DAY}x)"
    )
    return ratio <= MAX_DAY


def main() -> int:
    """Run both parts; 1 where a bar is not met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cases", type=int, default=2_000_000, help="cases of three years; 0: leave this part out")
    parser.add_argument("--threads", type=int, nargs="+", default=[2, 16])
    parser.add_argument("--day-cases", type=int, default=20_000, help="cases of the short history; 0: leave it out")
    parser.add_argument("--rounds", type=int, default=3, help="days of which the fastest counts")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench_build_"))
    try:
        met = [within_memory(folder, options.cases, options.threads)] if options.cases else []
        met += [one_more_day(folder, options.day_cases, options.rounds)] if options.day_cases else []
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
