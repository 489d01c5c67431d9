"""`gridlake up` serves Dagster's pages, and leaves no process when it is told to stop."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from conftest import free_port
from lakes import GRIDLAKE, REPOSITORY, gridlake

from pipelines.services.processes import Register


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A lake's folder, where nothing runs between the tests; what a failing one leaves running is stopped."""
    folder = tmp_path_factory.mktemp("up") / "home"
    yield folder
    for process in processes_of(folder):
        process.kill()


def processes_of(home: Path) -> list[psutil.Process]:
    """Every process whose environment names this lake."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("GRIDLAKE_HOME") == str(home):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def test_up_serves_the_citys_jobs_and_leaves_nothing_behind(home: Path) -> None:
    port = free_port()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GRIDLAKE_")}
    lake = {
        "GRIDLAKE_CITY": "washington_dc",
        "GRIDLAKE_HOME": str(home),
        "GRIDLAKE_DATA": str(home.parent),
        "GRIDLAKE_PORT": str(port),
    }
    process = subprocess.Popen(
        [str(GRIDLAKE), "up", "--no-superset"], env={**clean, **lake}, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY
    )
    assert process.stderr is not None
    said: list[str] = []
    for line in process.stderr:  # ends with the process, so a failing start fails the test
        said.append(line)
        if f"Dagster: http://127.0.0.1:{port}" in line:
            break
    assert process.poll() is None, "".join(said)
    query = (
        '{repositoryOrError(repositorySelector: {repositoryLocationName: "gridlake", repositoryName: "__repository__"})'
    )
    query += " {... on Repository {jobs {name}} ... on PythonError {message}}}"
    answer = httpx.post(f"http://127.0.0.1:{port}/graphql", json={"query": query}, timeout=60).json()
    assert "jobs" in answer["data"]["repositoryOrError"], answer
    assert {"land_dc_311", "build", "upkeep"} <= {job["name"] for job in answer["data"]["repositoryOrError"]["jobs"]}
    # One process reads the definitions, for the pages and for the daemon.
    commands = [" ".join(process.cmdline()) for process in processes_of(home)]
    assert len([command for command in commands if "dagster api grpc" in command]) == 1, commands
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert processes_of(home) == []


def test_in_the_background_it_runs_until_down_also_after_its_starter_was_killed(home: Path) -> None:
    port = free_port()
    lake = {"GRIDLAKE_HOME": str(home), "GRIDLAKE_CITY": "washington_dc", "GRIDLAKE_PORT": str(port)}
    lake["GRIDLAKE_DATA"] = str(home / "drops")
    gridlake(lake, "up", "--background", "--no-superset")
    assert httpx.get(f"http://127.0.0.1:{port}/server_info").status_code == 200
    gridlake(lake, "up", "--background", "--no-superset")  # it runs already: nothing is started twice
    pages = {process.pid for process in processes_of(home)}
    os.kill(Register(home).read()["pid"], signal.SIGKILL)
    assert processes_of(home), "what it started is left, and found by its register"
    stopped = gridlake(lake, "down")
    assert {"dagster-code-server", "dagster-webserver", "dagster-daemon"} <= set(re.split(r"[,:\s]+", stopped))
    assert processes_of(home) == [], pages
    assert "nothing was running" in gridlake(lake, "down")
    gridlake(lake, "up", "--background", "--no-superset")
    gridlake(lake, "down")
    assert [process for process in processes_of(home) if process.status() != psutil.STATUS_ZOMBIE] == []


def test_a_taken_port_is_refused_by_name(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GRIDLAKE_")}
        done = subprocess.run(
            [str(GRIDLAKE), "up", "--no-superset"],
            env={**clean, "GRIDLAKE_HOME": str(tmp_path), "GRIDLAKE_PORT": str(port), "GRIDLAKE_CITY": "washington_dc"},
            capture_output=True,
            text=True,
            cwd=REPOSITORY,
        )
    assert done.returncode == 1
    assert "GRIDLAKE_PORT" in done.stderr
