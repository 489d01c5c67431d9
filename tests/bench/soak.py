"""Build and publish for five minutes while eight readers load dashboards with the cache off.

Run by `make soak`. The made-up city moves on day by day; each day is landed, built and published as a steward
would do it. Meanwhile each reader loads one dashboard after the other as a browser does: first the list of charts,
which binds the page to a version, then every chart's query, forced past the cache. What the charts ask is recorded
in Chromium at the beginning, so it is what the pages really send. At the end:

    errors          answers that were no rows
    mixed           page loads whose charts read more than one version
    older           page loads that read a version older than the newest one when they began

All three must be 0.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from conftest import free_port
from lakes import REPOSITORY, gridlake
from recording import CHART_DATA, record
from superset_client import RunningCity, Superset

FIRST_DAY, LAST_DAY = date(2026, 4, 1), date(2026, 4, 30)
HEADER = "X-GridLake-Version"


@dataclass
class Tally:
    """What the readers met."""

    loads: int = 0
    charts: int = 0
    errors: list[str] = field(default_factory=list)
    mixed: list[str] = field(default_factory=list)
    older: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Versions:
    """The versions that were seen published."""

    def __init__(self, link: Path) -> None:
        self._link = link
        self.seen: set[str] = set()

    def newest(self) -> str:
        version = self._link.readlink().name
        self.seen.add(version)
        return version


def age(version: str) -> tuple[int, str]:
    """Sorts versions in the order of their publishing: lake snapshot, then time."""
    _, snapshot, at, _ = version.split("-", 3)
    return int(snapshot), at


def load(session: Superset, slug: str, bodies: list[dict[str, Any]], versions: Versions, tally: Tally) -> None:
    """One page load, past the cache, and not as a refresh, which would go on to the newest version."""
    began, newest = time.monotonic(), versions.newest()
    token = session.dashboard_charts(slug)[0]["form_data"]["url_params"]["page"]
    read, problems = set(), []
    for body in random.sample(bodies, len(bodies)):
        place = {"page": token}
        form_data = {**body.get("form_data", {}), "url_params": place}
        queries = [{**query, "url_params": place} for query in body["queries"]]
        answer = session.client.post(
            CHART_DATA, json={**body, "custom_cache_timeout": -1, "form_data": form_data, "queries": queries}
        )
        if answer.status_code != 200 or any(part.get("error") for part in answer.json()["result"]):
            problems.append(f"{slug}: {answer.status_code} {answer.text[:300]}")
        else:
            read.add(answer.headers[HEADER])
    with tally.lock:
        tally.loads += 1
        tally.charts += len(bodies)
        tally.seconds.append(time.monotonic() - began)
        tally.errors += problems
        if len(read) > 1:
            tally.mixed.append(f"{slug}: {sorted(read)}")
        if any(age(version) < age(newest) for version in read):
            tally.older.append(f"{slug}: {sorted(read)}, newest was {newest}")


def publish_until(end: float, city: RunningCity, versions: Versions) -> int:
    """Move the city on a day, land, build and publish, again and again; gives the number of days."""
    day = FIRST_DAY
    while time.monotonic() < end and day <= LAST_DAY:
        subprocess.run(
            [sys.executable, "-m", "pipelines.demo_city", "--home", str(city.home), "advance", day.isoformat()],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=REPOSITORY,
            env={**os.environ, **city.environment},
        )
        gridlake(city.environment, "demo")
        versions.newest()
        day += timedelta(days=1)
    return (day - FIRST_DAY).days


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--readers", type=int, default=8)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gridlake-soak-") as folder:
        home = Path(folder) / "home"
        environment = {
            "GRIDLAKE_CITY": "demo",
            "GRIDLAKE_HOME": str(home),
            "GRIDLAKE_PORT": str(free_port()),
            "GRIDLAKE_SUPERSET_PORT": str(free_port()),
        }
        print("starting the city", flush=True)
        gridlake(environment, "up", "--background")
        try:
            port = environment["GRIDLAKE_SUPERSET_PORT"]
            city = RunningCity(f"http://127.0.0.1:{port}", home, environment)
            sys.exit(soak(city, options.minutes, options.readers))
        finally:
            gridlake(environment, "down")


def soak(city: RunningCity, minutes: float, readers: int) -> int:
    """Read and publish; gives the exit status."""
    recorded: dict[str, list[dict[str, Any]]] = {}
    for asked in record(city):
        if asked.chart_id is not None and asked.address == CHART_DATA:
            recorded.setdefault(asked.dashboard, []).append(asked.body)
    print({slug: len(bodies) for slug, bodies in recorded.items()}, flush=True)
    versions, tally = Versions(city.home / "serving" / "city.duckdb"), Tally()
    versions.newest()
    end = time.monotonic() + 60 * minutes
    sessions = [city.sign_in("admin") for _ in range(readers)]

    def reader(session: Superset) -> None:
        while time.monotonic() < end:
            slug = random.choice(list(recorded))  # noqa: S311
            load(session, slug, recorded[slug], versions, tally)

    with ThreadPoolExecutor(readers + 1) as pool:
        days = pool.submit(publish_until, end, city, versions)
        for future in [pool.submit(reader, session) for session in sessions]:
            future.result()
        count = days.result()
    print(f"{minutes:g} minutes, {readers} readers, {count} days landed, {len(versions.seen)} versions published")
    print(f"{tally.loads} page loads of {tally.charts} charts, median {statistics.median(tally.seconds):.1f} s a page")
    for name, found in (("errors", tally.errors), ("mixed", tally.mixed), ("older", tally.older)):
        print(f"{name}: {len(found)} {found[:3]}")
    return 1 if tally.errors or tally.mixed or tally.older or len(versions.seen) < 2 else 0


if __name__ == "__main__":
    main()
