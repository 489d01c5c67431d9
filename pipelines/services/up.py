"""`gridlake up` and `gridlake down`: Dagster, Superset, and for the made-up city its source systems."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from pipelines.build import ensure_manifest
from pipelines.services.dagster_home import dagster_home, dagster_instance, end_dead_runs
from pipelines.services.logs import Follower, LogLimits, open_log, rotate
from pipelines.services.processes import (
    Register,
    Service,
    ServiceError,
    began,
    refuse_ended,
    refuse_taken_port,
    running,
    wait_until_ready,
)
from warehouse.serving.publish import current
from warehouse.settings import PROJECT_ROOT, Settings

log = logging.getLogger("gridlake")
_DOWN_SECONDS = 60
_LOCATION = "gridlake"
_ROTATED_EVERY_SECONDS = 30.0


def up(settings: Settings, *, with_superset: bool = True) -> None:
    """Run until interrupted (Ctrl-C, SIGTERM, `gridlake down`); then nothing of it is left running.

    The made-up city is run once first, if nothing has been published yet, so that its dashboards are filled.

    Raises:
        ServiceError: a port is taken, the services run already, or one ended by itself; the message names its log.
        SupersetError: Superset cannot be set up.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    logs = settings.home_path / "logs"
    register = Register(settings.home_path)
    with ExitStack() as stack:
        stack.enter_context(register.held())
        refuse_taken_port(settings.port, "GRIDLAKE_PORT")
        if with_superset:
            refuse_taken_port(settings.superset_port, "GRIDLAKE_SUPERSET_PORT")
        os.environ["GRIDLAKE_CITY"] = settings.city
        os.environ["GRIDLAKE_HOME"] = str(settings.home_path)
        if settings.city == "demo":
            from pipelines.demo_city.servers import demo_city

            os.environ.update(stack.enter_context(demo_city(settings.home_path)))
        code_server = _code_server(Path(stack.enter_context(TemporaryDirectory(prefix="gridlake-"))))
        services = _dagster(settings, code_server)
        if with_superset:
            services.append(_superset(settings, stop))
        ensure_manifest(settings)
        # Dagster's own tables are made here: its pages and its daemon, started together, would both make them.
        with dagster_instance(settings) as instance:
            for job in end_dead_runs(instance, "services"):
                log.info("a run of %s had been killed; it is marked as failed", job)
        processes: dict[str, subprocess.Popen[bytes]] = {}
        for together in ([code_server], services):
            log.info("starting %s", ", ".join(service.name for service in together))
            processes |= {s.name: stack.enter_context(running(s, register, logs)) for s in together}
            for service in together:
                wait_until_ready(service, processes, logs, stop)
        if not stop.is_set():
            addresses = _addresses(settings, with_superset)
            _tell(settings, addresses)
            register.note(ready=addresses)
        _watch(settings, processes, logs, stop)
        log.info("stopping")


def _watch(
    settings: Settings, processes: Mapping[str, subprocess.Popen[bytes]], logs: Path, stop: threading.Event
) -> None:
    """Look after the services until told to stop.

    Raises:
        ServiceError: one ended by itself.
    """
    next_look = 0.0
    while not stop.wait(1.0):
        refuse_ended(processes, logs)
        if time.monotonic() >= next_look:
            rotate(logs, LogLimits.of(settings))
            next_look = time.monotonic() + _ROTATED_EVERY_SECONDS


def up_in_background(settings: Settings, arguments: list[str]) -> None:
    """Start `gridlake up` as a process of its own and return when everything answers, showing what it says meanwhile.

    Raises:
        ServiceError: it ended before; what it said has been shown.
    """
    register = Register(settings.home_path)
    if register.is_held():
        _wait_for_other(settings, register)
        return
    log_file = settings.home_path / "logs" / "up.log"
    with open_log(log_file) as out:
        said = Follower(log_file)
        process = subprocess.Popen(  # noqa: S603  our own command
            [str(Path(sys.executable).with_name("gridlake")), "up", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    while True:
        has_ended = process.poll() is not None
        # What is read after the end was seen is all there is.
        is_ready = not has_ended and register.read().get("pid") == process.pid and "ready" in register.read()
        sys.stderr.buffer.write(said.read())
        sys.stderr.flush()
        if has_ended:
            raise ServiceError("ended before it was ready", where="gridlake up", fix=f"read {log_file.parent}")
        if is_ready:
            return
        time.sleep(0.3)


def down(settings: Settings) -> list[str]:
    """Stop what `up` started for this lake, also what a killed `up` left behind; gives the names of what was stopped.

    Raises:
        ServiceError: it does not end in time.
    """
    register = Register(settings.home_path)
    names = [str(process["name"]) for process in register.read().get("processes", [])]
    if register.is_held():
        _end_starter(register)
    else:
        names = register.stop_left_behind()
        register.file.unlink(missing_ok=True)
    if settings.city == "demo":
        from pipelines.demo_city.servers import stop_left_behind

        stop_left_behind(settings.home_path)
    return names


def _end_starter(register: Register) -> None:
    """Tell the process that holds the register to end, and wait until it has: also after it let the register go."""
    asked: dict[str, Any] = {}
    end = time.monotonic() + _DOWN_SECONDS
    while register.is_held() or (asked and began(asked["pid"]) == asked["began"]):
        told = register.read()
        # It may be about to write down who it is, and what stands there is then of one before it.
        if not asked and told and began(told["pid"]) == told["began"]:
            asked = told
            os.kill(told["pid"], signal.SIGTERM)
        if time.monotonic() > end:
            raise ServiceError("does not end", where="gridlake up", value=told.get("pid"), fix="kill it")
        time.sleep(0.1)


def _code_server(folder: Path) -> Service:
    """The one process that reads our definitions, for Dagster's pages and its daemon, and starts their runs.

    Without it each of them starts one of its own, and the daemon's is started anew every minute. It listens on a
    socket in a folder that only its owner enters: Dagster asks nobody there who he is. Socket paths are short by the
    system's rule, so it does not lie in the lake's folder.
    """
    socket = folder / "code.sock"
    command = [
        str(Path(sys.executable).with_name("dagster")),
        *("code-server", "start", "--socket", str(socket), "--location-name", _LOCATION),
        *("--module-name", "pipelines.definitions", "--working-directory", str(PROJECT_ROOT)),
    ]
    return Service("dagster-code-server", command, health=str(socket))


def _dagster(settings: Settings, code_server: Service) -> list[Service]:
    folder = Path(sys.executable).parent
    file = dagster_home(settings) / "workspace.yaml"
    grpc_server = {"socket": code_server.health, "location_name": _LOCATION}
    file.write_text(yaml.safe_dump({"load_from": [{"grpc_server": grpc_server}]}), encoding="utf-8")
    workspace = ("-w", str(file))
    pages = [str(folder / "dagster-webserver"), *workspace, "-h", "127.0.0.1", "-p", str(settings.port)]
    return [
        Service("dagster-webserver", pages, health=f"http://127.0.0.1:{settings.port}/server_info"),
        Service("dagster-daemon", [str(folder / "dagster-daemon"), "run", *workspace]),
    ]


def _superset(settings: Settings, stop: threading.Event) -> Service:
    """Superset with its tables and dashboards in place; the made-up city is run meanwhile if it never was."""
    from pipelines.services.superset import prepare_content, prepare_database, service

    first_run = None
    if current(settings, "city") is None and settings.city == "demo":
        log.info("landing and building the made-up city for the first time")
        gridlake = str(Path(sys.executable).with_name("gridlake"))
        first_run = subprocess.Popen([gridlake, "run"], start_new_session=True, stdin=subprocess.DEVNULL)  # noqa: S603
    try:
        prepare_database(settings)
        while first_run is not None and first_run.poll() is None and not stop.wait(0.5):
            pass
    finally:
        if first_run is not None and first_run.poll() is None:
            os.killpg(first_run.pid, signal.SIGTERM)
            first_run.wait()
    if first_run is not None and first_run.returncode and not stop.is_set():
        raise ServiceError("the first run failed", where="gridlake run", fix="correct what it says above")
    if current(settings, "city") is None:
        log.info("nothing has been published yet: the dashboards stay empty until `gridlake run`")
    if not stop.is_set():
        prepare_content(settings)
    return service(settings)


def _addresses(settings: Settings, with_superset: bool) -> list[str]:
    found = [f"Dagster: http://127.0.0.1:{settings.port}"]
    if with_superset:
        found.append(f"Superset: http://127.0.0.1:{settings.superset_port}")
        found.append(f"public dashboard in another page: http://127.0.0.1:{settings.superset_port}/gridlake/embedded/")
    return found


def _tell(settings: Settings, addresses: list[str]) -> None:
    from pipelines.services.superset import options

    for line in addresses:
        log.info("%s", line)
    # The file goes when the password is changed, whoever changes it.
    password = options(settings).password_file
    if password.exists() and any(line.startswith("Superset: ") for line in addresses):
        log.info("first account of Superset: admin, its password is in %s", password)
    log.info("logs: %s", settings.home_path / "logs")


def _wait_for_other(settings: Settings, register: Register) -> None:
    end = time.monotonic() + 600
    while "ready" not in register.read():
        if not register.is_held() or time.monotonic() > end:
            raise ServiceError("another start of this lake did not succeed", where="gridlake up", fix="try again")
        time.sleep(0.3)
    _tell(settings, register.read()["ready"])
    log.info("it was running already; `gridlake down` stops it")
