"""Long-running processes of one lake: started together, watched, stopped together, and found again after a crash."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from pipelines.services.logs import last_lines, open_log
from warehouse.errors import GridLakeError
from warehouse.settings import PROJECT_ROOT

_READY_SECONDS = 240
_STOP_SECONDS = 20


class ServiceError(GridLakeError):
    """A service cannot be started or stopped."""


@dataclass(frozen=True)
class Service:
    """One process to run.

    Attributes:
        name: for people and for its log file.
        command: executable and arguments.
        environment: added to this process's own.
        health: address that answers 200 once it is ready, or path of a socket that then takes connections; empty for
            a process without one.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    health: str = ""


class Register:
    """What runs for one lake, kept in a file, so that `down` finds it also when whoever started it was killed."""

    def __init__(self, home: Path) -> None:
        """The register of the lake in `home`."""
        self.file = home / "up.json"
        self._lock_file = home / "up.lock"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the one who runs the lake's services.

        Raises:
            ServiceError: another process does.
        """
        self._lock_file.parent.mkdir(parents=True, exist_ok=True)
        with self._lock_file.open("a") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ServiceError(
                    "the services of this lake already run",
                    where=str(self.file.parent),
                    fix="`gridlake down` stops them",
                ) from None
            self.stop_left_behind()
            self._write({"pid": os.getpid(), "began": began(os.getpid()), "processes": []})
            try:
                yield
            finally:
                self.file.unlink(missing_ok=True)

    def is_held(self) -> bool:
        """Whether somebody runs the services now."""
        try:
            with self._lock_file.open("a") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False
        return False

    def read(self) -> dict[str, Any]:
        """What the file says; empty where nothing runs."""
        try:
            return dict(json.loads(self.file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return {}

    def add(self, name: str, process: subprocess.Popen[bytes]) -> None:
        """Remember a process, with the moment it began: its number may be given to another one later."""
        content = self.read()
        content["processes"].append({"name": name, "pid": process.pid, "began": began(process.pid)})
        self._write(content)

    def note(self, **facts: object) -> None:
        """Remember facts for who reads the file."""
        self._write(self.read() | facts)

    def stop_left_behind(self) -> list[str]:
        """Stop the processes of a starter that was killed; gives their names."""
        stopped = []
        for process in self.read().get("processes", []):
            if process["began"] is not None and began(process["pid"]) == process["began"]:
                stop_group(process["pid"])
                stopped.append(process["name"])
        return stopped

    def _write(self, content: Mapping[str, object]) -> None:
        temporary = self.file.with_name(".up.json.tmp")
        temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")
        temporary.replace(self.file)


def began(pid: int) -> str | None:
    """When the process began, in the kernel's own count; None where there is no such process, or it has ended and is
    only waiting for its parent to notice."""
    try:
        # The name in brackets may hold spaces; the fields after it are a letter for the state and numbers.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields[19]


def refuse_taken_port(port: int, setting: str) -> None:
    """Raise where something else listens on the port.

    Raises:
        ServiceError: names the setting.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise ServiceError(
                "the port is taken", where=setting, value=port, fix="stop what uses it or set another port"
            ) from None


@contextmanager
def running(service: Service, register: Register, logs: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The service in a process group of its own, because services start further processes; stopped at the end."""
    with open_log(logs / f"{service.name}.log") as out:
        process = subprocess.Popen(  # noqa: S603  the command is ours, not a user's text
            list(service.command),
            env={**os.environ, **service.environment},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=PROJECT_ROOT,
            start_new_session=True,
        )
        try:
            register.add(service.name, process)
            yield process
        finally:
            stop_group(process.pid, process)


def stop_group(leader: int, process: subprocess.Popen[bytes] | None = None) -> None:
    """Ask a process group to end, wait, and kill what is left of it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(leader, number)
        except ProcessLookupError:
            return
        end = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < end:
            if process is not None:
                process.poll()
            try:
                os.killpg(leader, 0)
            except ProcessLookupError:
                return
            time.sleep(0.05)


def refuse_ended(processes: Mapping[str, subprocess.Popen[bytes]], logs: Path) -> None:
    """Raise when a service has ended by itself.

    Raises:
        ServiceError: names the service and its log, and shows the log's last lines.
    """
    for name, process in processes.items():
        if process.poll() is not None:
            log = logs / f"{name}.log"
            raise ServiceError(
                f"ended with status {process.returncode}:\n{last_lines(log, 5)}", where=name, fix=f"read {log}"
            )


def wait_until_ready(
    service: Service, processes: Mapping[str, subprocess.Popen[bytes]], logs: Path, stop: threading.Event
) -> None:
    """Wait until the service answers, all services live, or we are told to stop.

    Raises:
        ServiceError: one ended, or this one does not answer in time.
    """
    if not service.health:
        return
    for _ in range(_READY_SECONDS * 2):
        refuse_ended(processes, logs)
        if _answers(service.health):
            return
        if stop.wait(0.5):
            return
    raise ServiceError(
        f"no answer within {_READY_SECONDS} s", where=service.health, fix=f"read {logs / service.name}.log"
    )


def _answers(health: str) -> bool:
    try:
        if not health.startswith("/"):
            return httpx.get(health, timeout=2).status_code == 200
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(health)
    except (httpx.TransportError, OSError):
        return False
    return True
