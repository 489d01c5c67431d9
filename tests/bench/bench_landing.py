"""Landing against the bare load it is built on: the same files, the same lake, no contract and no record.

Run as a script. Every figure is a fresh process; the two sides take turns, so that a busy machine slows both.
Exit status 1 where a bar is not met. The real files are not part of the project: without them it says so.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import pyarrow as pa  # noqa: E402

from catalog.contract import load_contract  # noqa: E402
from pipelines.landing.land import land  # noqa: E402
from pipelines.sources.declared import SourceSystem  # noqa: E402
from warehouse.lake.session import open_lake, transact  # noqa: E402
from warehouse.settings import Settings, load_settings  # noqa: E402

CONTRACTS = Path(__file__).parent / "contracts"
DATA = Path(os.environ.get("GRIDLAKE_TEST_DATA") or ROOT.parent / "shared" / "data")
TRAFFIC = DATA / "koeln_de" / "sensors" / "traffic_load"
PERMITS = DATA / "austin_tx" / "permits" / "permits_daily.tar.zst"
MAX_BYTES = 2 << 30
# Name of the comparison, its two sides, and how many times the second the first may take.
BARS = {
    "13 monthly files, 12.0 M rows": ("traffic", "traffic_bare", 2.0),
    "13,560 daily files, 1.69 M rows": ("permits", "permits_bare", 3.0),
    "one more day on full history": ("day_on_full", "day_on_empty", 1.2),
}


def system(dataset: str, root: Path, path: str, fields: dict[str, str | list[str]]) -> SourceSystem:
    """A source system of one data set of CSV files."""
    return SourceSystem.model_validate(
        {
            "city": "bench",
            "system": dataset,
            "title_zh": "测试",
            "title_en": "Bench",
            "owner": "bench",
            "kind": "files",
            "files": {"root": str(root)},
            "datasets": [{"dataset": dataset, "path": path, "format": "csv", "fields": fields}],
        }
    )


def land_traffic(settings: Settings, root: Path) -> int:
    fields: dict[str, str | list[str]] = {
        "measured_at": "datetime_utc",
        "segment_id": "identifier",
        "load_count": "auslastung",
        "is_valid": "valid",
    }
    contract = load_contract(CONTRACTS / "traffic_load.yml")
    result = land(settings, system("traffic_load", root, "load_{month}.csv.gz", fields), "traffic_load", contract)
    return result.counts.read_count


def land_permits(settings: Settings, root: Path) -> int:
    fields: dict[str, str | list[str]] = {
        "permit_type": "sub_type",
        "issued_date": "date_issued",
        "existing_area": "total_existing_bldg_footage",
        "added_area": "total_new_add_footage",
        "remodel_value": "total_valuation_remodel",
        "job_value": "total_job_valuation",
        "repair_area": "remodel_repair_footage",
        "unit_count": "number_of_units",
        # Two months of files have these columns twice.
        "accuracy": ["accuracy", "accuracy #1"],
        "city_name": ["city", "city #1"],
        "lat": ["lat", "lat #1"],
        "lon": ["lng", "lng #1"],
        "postal_code": ["postal_code", "postal_code #1"],
    }
    contract = load_contract(CONTRACTS / "permit_daily.yml")
    result = land(settings, system("permit_daily", root, "{year}/*.csv", fields), "permit_daily", contract)
    return result.counts.read_count


def load_bare(settings: Settings, files: list[Path], options: str) -> int:
    """The floor: DuckDB's own reader straight into a lake table."""
    listing = "[" + ", ".join(f"'{path}'" for path in files) + "]"
    reader = f"read_csv({listing}{options})"

    def work(lake: Any) -> int:
        lake.execute(f"CREATE TABLE lake.raw.bare AS SELECT * FROM {reader} LIMIT 0")
        return int(lake.execute(f"INSERT INTO lake.raw.bare SELECT * FROM {reader}").fetchall()[0][0])

    with open_lake(settings) as connection:
        return transact(connection, settings, work, message="bare")


def child(side: str, home: Path, data: Path) -> dict[str, float]:
    """Run one side in this process and measure it; opening the lake counts, importing Python modules does not."""
    settings = load_settings(city="bench", home=home)
    with open_lake(settings):
        pass
    sides: dict[str, Callable[[], int]] = {
        "traffic": lambda: land_traffic(settings, data),
        "traffic_bare": lambda: load_bare(settings, sorted(data.glob("load_*.csv.gz")), ""),
        "permits": lambda: land_permits(settings, data),
        "permits_bare": lambda: load_bare(
            settings, sorted(data.glob("*/*.csv")), ", union_by_name = true, all_varchar = true"
        ),
        "day_on_full": lambda: land_permits(settings, data),
        "day_on_empty": lambda: land_permits(settings, data),
    }
    wall, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_utime
    rows = sides[side]()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "rows": rows,
        "wall": time.perf_counter() - wall,
        "user": after.ru_utime - used,
        "bytes": after.ru_maxrss * 1024,
    }


def measure(side: str, home: Path, data: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, "--child", side, str(home), str(data)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{side} failed:\n{done.stderr}")
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def unpack(folder: Path) -> Path:
    """The daily files, unpacked once for all repetitions."""
    with pa.input_stream(str(PERMITS), compression="zstd") as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
        tar.extractall(folder, filter="data")
    return next(path.parent.parent for path in folder.rglob("*.csv"))


def one_new_day(permits: Path, work: Path) -> tuple[Path, Path, Path]:
    """A lake with the full history, its files plus one new day, and the new day alone."""
    more, alone = work / "more", work / "alone"
    # Landed from where it is read again: a copy or another link has a time of change of its own.
    shutil.copytree(permits, more)
    # A lake knows its own folder, so it is made where it will be used and then put aside.
    full, home = work / "full", work / "home"
    measure("permits", home, more)
    home.rename(full)
    day = sorted((permits / "2016").glob("*.csv"))[200]
    for root in (more, alone):
        (root / "2019").mkdir(parents=True)
        shutil.copyfile(day, root / "2019" / "2019-01-02.csv")
    return full, more, alone


def run(repetitions: int, chosen: str) -> bool:
    """Measure all comparisons and print them; whether every bar was met."""
    with tempfile.TemporaryDirectory(prefix="gridlake-bench-") as folder:
        work = Path(folder)
        data = {"traffic": TRAFFIC, "traffic_bare": TRAFFIC}
        full = None
        if chosen in ("", "permits", "day_on_full"):
            permits = unpack(work / "permits")
            data |= {"permits": permits, "permits_bare": permits}
        if chosen in ("", "day_on_full"):
            full, more, alone = one_new_day(permits, work)
            data |= {"day_on_full": more, "day_on_empty": alone}
        met = []
        print(
            f"{'':34}{'landing s':>10}{'CPU s':>8}{'MB':>7}{'floor s':>10}{'CPU s':>8}{'MB':>7}{'ratio':>7}{'bar':>6}"
        )
        for title, (ours, floor, bar) in BARS.items():
            if chosen in ("", ours):
                met.append(compare(title, ours, floor, bar, repetitions, data, work, full))
        return all(met)


def compare(
    title: str,
    ours: str,
    floor: str,
    bar: float,
    repetitions: int,
    data: dict[str, Path],
    work: Path,
    full: Path | None,
) -> bool:
    """Run both sides in turn; the ratio is the median of the ratios of the turns."""
    runs: dict[str, list[dict[str, float]]] = {ours: [], floor: []}
    for turn in range(repetitions):
        for side in (ours, floor) if turn % 2 else (floor, ours):
            home = work / "home"
            if side == "day_on_full" and full is not None:
                shutil.copytree(full, home)
            runs[side].append(measure(side, home, data[side]))
            shutil.rmtree(home)
    if len({turn["rows"] for turns in runs.values() for turn in turns}) != 1:
        raise SystemExit(f"{title}: the two sides did not read the same rows: {runs}")
    middle = {
        (side, figure): statistics.median(turn[figure] for turn in turns)
        for side, turns in runs.items()
        for figure in ("wall", "user", "bytes")
    }
    ratio = statistics.median(a["wall"] / b["wall"] for a, b in zip(runs[ours], runs[floor], strict=True))
    cells = [
        f"{middle[side, 'wall']:>10.2f}{middle[side, 'user']:>8.2f}{middle[side, 'bytes'] / 1e6:>7.0f}"
        for side in (ours, floor)
    ]
    is_met = ratio <= bar and middle[ours, "bytes"] <= MAX_BYTES
    print(f"{title:34}{''.join(cells)}{ratio:>7.2f}{bar:>6.1f}  {'met' if is_met else 'NOT MET'}", flush=True)
    return is_met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--only", default="", choices=["", *(ours for ours, _, _ in BARS.values())])
    parser.add_argument("--child", nargs=3, metavar=("SIDE", "HOME", "DATA"))
    given = parser.parse_args()
    if given.child:
        side, home, data = given.child
        print(json.dumps(child(side, Path(home), Path(data))))
        return 0
    missing = [path for path in (TRAFFIC, PERMITS) if not path.exists()]
    if missing:
        print(f"skipped: the real files are not there ({missing[0]}); set GRIDLAKE_TEST_DATA to their folder")
        return 0
    return 0 if run(given.repetitions, given.only) else 1


if __name__ == "__main__":
    raise SystemExit(main())
