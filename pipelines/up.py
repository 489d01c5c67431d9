"""Starting Dagster's pages and daemon, and for the made-up city its source systems; stopping all of them together."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from pipelines.build import ensure_manifest
from pipelines.run import dagster_home
from warehouse.errors import GridLakeError
from warehouse.settings import PROJECT_ROOT, Settings

log = logging.getLogger("gridlake")
_READY_SECONDS = 120
_STOP_SECONDS = 20


class UpError(GridLakeError):
    """A service cannot be started."""


def up(settings: Settings) -> None:
    """Run until interrupted (Ctrl-C or SIGTERM); then nothing of it is left running.

    Raises:
        UpError: the port is taken, or a service ended by itself; the message names its log.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    _refuse_taken_port(settings.port)
    environment = dict(os.environ) | {
        "DAGSTER_HOME": str(dagster_home(settings)),
        "GRIDLAKE_CITY": settings.city,
        "GRIDLAKE_HOME": str(settings.home_path),
    }
    with ExitStack() as stack:
        if settings.city == "demo":
            from pipelines.demo_city.servers import demo_city

            environment |= stack.enter_context(demo_city(settings.home_path))
        log.info("preparing the models")
        ensure_manifest(settings)
        logs = settings.home_path / "logs"
        workspace = ["-w", str(PROJECT_ROOT / "workspace.yaml")]
        pages = ["dagster-webserver", *workspace, "-h", "127.0.0.1", "-p", str(settings.port)]
        services = [
            stack.enter_context(_service(pages, environment, logs / "dagster-webserver.log")),
            stack.enter_context(
                _service(["dagster-daemon", "run", *workspace], environment, logs / "dagster-daemon.log")
            ),
        ]
        _wait_until_ready(f"http://127.0.0.1:{settings.port}/server_info", services, logs, stop)
        if not stop.is_set():
            log.info("Dagster: http://127.0.0.1:%d  (logs: %s; Ctrl-C stops everything)", settings.port, logs)
        while not stop.wait(1.0):
            _refuse_ended(services, logs)
        log.info("stopping")


def _refuse_taken_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise UpError(
                "the port is taken", where="GRIDLAKE_PORT", value=port, fix="stop what uses it or set another port"
            ) from None


@contextmanager
def _service(command: list[str], environment: dict[str, str], log_file: Path) -> Iterator[subprocess.Popen[bytes]]:
    """One service in a process group of its own, because Dagster's services start further processes."""
    log_file.parent.mkdir(parents=True, exist_ok=True)
    executable = str(Path(sys.executable).with_name(command[0]))
    with log_file.open("ab") as out:
        process = subprocess.Popen(  # noqa: S603  the command is ours, not a user's text
            [executable, *command[1:]],
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=PROJECT_ROOT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        # The group may outlive its leader; what is left of it is killed.


def _refuse_ended(services: list[subprocess.Popen[bytes]], logs: Path) -> None:
    for process in services:
        if process.poll() is not None:
            raise UpError(f"a service ended with status {process.returncode}", where=str(logs), fix="read its log")


def _wait_until_ready(address: str, services: list[subprocess.Popen[bytes]], logs: Path, stop: threading.Event) -> None:
    for _ in range(_READY_SECONDS * 2):
        _refuse_ended(services, logs)
        try:
            if httpx.get(address, timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            pass
        if stop.wait(0.5):
            return
    raise UpError(f"no answer within {_READY_SECONDS} s", where=address, fix=f"read the logs in {logs}")
