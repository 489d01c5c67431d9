"""A made-up city that `gridlake up` serves, asked through Dagster's pages, and killed with all that belongs to it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from lakes import gridlake

from catalog.contract import load_contracts
from pipelines.jobs import AGAIN_IF_KILLED
from warehouse.lake.layout import tables
from warehouse.lake.session import lake_exists, open_lake
from warehouse.settings import Settings, load_settings

_REPOSITORY = {"repositoryLocationName": "gridlake", "repositoryName": "__repository__"}
_LAUNCH = """mutation ($params: ExecutionParams!) {
  launchRun(executionParams: $params) { __typename ... on LaunchRunSuccess { run { runId } }
                                        ... on PythonError { message } } }"""
_SENSORS = """query ($repository: RepositorySelector!) {
  sensorsOrError(repositorySelector: $repository) { ... on Sensors { results { name } } } }"""
_START = """mutation ($sensor: SensorSelector!) {
  startSensor(sensorSelector: $sensor) { __typename ... on PythonError { message } } }"""
_RUNS = "{ runsOrError(limit: 500) { ... on Runs { results { jobName status } } } }"
_OVER = {"SUCCESS", "FAILURE", "CANCELED"}


@dataclass(frozen=True)
class ServedCity:
    """A city's home, and the port of Dagster's pages."""

    home: Path
    port: int
    environment: Mapping[str, str]

    @property
    def settings(self) -> Settings:
        return load_settings(city="demo", home=self.home)

    def up(self, *options: str) -> None:
        gridlake(self.environment, "up", "--background", *options)

    def down(self) -> None:
        gridlake(self.environment, "down")

    def processes(self) -> list[psutil.Process]:
        """Every living process whose environment names this lake."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                is_alive = process.status() != psutil.STATUS_ZOMBIE
                if is_alive and process.environ().get("GRIDLAKE_HOME") == str(self.home):
                    found.append(process)
        return found

    def kill(self) -> int:
        """Kill all of it at once, as a power cut does: services, runs, dbt, the city's own servers; gives how many."""
        killed = set()
        while left := self.processes():
            for process in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
                killed.add(process.pid)
        return len(killed)

    def ask(self, query: str, **variables: object) -> dict[str, Any]:
        body = {"query": query, "variables": variables}
        answer = httpx.post(f"http://127.0.0.1:{self.port}/graphql", json=body, timeout=120).json()
        assert "errors" not in answer, answer
        return dict(answer["data"])

    def launch(self, job: str) -> None:
        """Ask for a run as a schedule does."""
        tags = [{"key": key, "value": value} for key, value in AGAIN_IF_KILLED.items()]
        params = {"selector": {**_REPOSITORY, "pipelineName": job}, "executionMetadata": {"tags": tags}}
        launched = self.ask(_LAUNCH, params=params)["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched

    def switch_sensors_on(self) -> None:
        found = self.ask(_SENSORS, repository=_REPOSITORY)["sensorsOrError"]["results"]
        for sensor in found:
            started = self.ask(_START, sensor={**_REPOSITORY, "sensorName": sensor["name"]})["startSensor"]
            assert started["__typename"] == "Sensor", started

    def runs(self) -> list[tuple[str, str]]:
        """Job and status of every run, newest first."""
        return [(run["jobName"], run["status"]) for run in self.ask(_RUNS)["runsOrError"]["results"]]

    def under_way(self) -> list[str]:
        return [f"{job} {status}" for job, status in self.runs() if status not in _OVER]


def raw_counts(settings: Settings) -> dict[str, int]:
    """Rows in `raw` of each data set; empty while there is no lake."""
    if not lake_exists(settings):
        return {}
    with open_lake(settings, read_only=True, spatial=False) as lake:
        there = tables(lake)
        names = [name for name in load_contracts(settings.city_path) if ("raw", name) in there]
        return {name: lake.execute(f"SELECT count(*) FROM lake.raw.{name}").fetchall()[0][0] for name in names}


def until(is_so: Callable[[], bool], seconds: float, what: Callable[[], object]) -> float:
    """Wait until it is so; gives how long it took, and fails with `what` where it takes longer than `seconds`."""
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() - began < seconds, f"not within {seconds:.0f} s: {what()}"
        time.sleep(1.0)
    return time.monotonic() - began
