"""Services end when they are told to, and are found again after whoever started them was killed."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

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
from warehouse.settings import PROJECT_ROOT

# A service that starts a process of its own, as Dagster's and gunicorn do, and one that does not hear SIGTERM.
PARENT = (sys.executable, "-c", "import subprocess; subprocess.run(['sleep', '300'])")
DEAF = (sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(300)")
STARTER = """
import signal, sys, threading
from pathlib import Path
from pipelines.services.processes import Register, Service, running
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
home = Path(sys.argv[1])
register = Register(home)
with register.held(), running(Service("sleeper", ("sleep", "300")), register, home / "logs"):
    print("started", flush=True)
    threading.Event().wait()
"""


def group_of(leader: int) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found


@pytest.fixture
def register(tmp_path: Path) -> Register:
    return Register(tmp_path)


def test_a_service_ends_with_the_processes_it_started(register: Register, tmp_path: Path) -> None:
    with register.held():
        with running(Service("parent", PARENT), register, tmp_path / "logs") as process:
            (noted,) = register.read()["processes"]
            assert noted == {"name": "parent", "pid": process.pid, "began": began(process.pid)}
        assert group_of(process.pid) == []
    assert register.read() == {}


def test_a_service_that_does_not_listen_is_killed(
    register: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.services.processes._STOP_SECONDS", 0.5)
    with register.held(), running(Service("deaf", DEAF), register, tmp_path / "logs") as process:
        pass
    assert process.poll() is not None


def test_one_lake_has_one_starter(register: Register, tmp_path: Path) -> None:
    assert not register.is_held()
    with register.held():
        assert register.is_held()
        with pytest.raises(ServiceError, match="already run"), Register(tmp_path).held():
            raise AssertionError("two starters")
    assert not register.is_held()


def test_what_a_killed_starter_left_behind_is_stopped(register: Register, tmp_path: Path) -> None:
    starter = subprocess.Popen([sys.executable, "-c", STARTER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    assert starter.stdout.readline() == "started\n"
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    (left,) = register.read()["processes"]
    assert group_of(left["pid"]) == [left["pid"]]
    assert register.stop_left_behind() == ["sleeper"]
    assert group_of(left["pid"]) == []


def test_a_number_that_was_given_to_another_process_is_left_alone(register: Register) -> None:
    with subprocess.Popen(["sleep", "300"], start_new_session=True) as other:
        with register.held():
            register.note(processes=[{"name": "old", "pid": other.pid, "began": "1"}])
            assert register.stop_left_behind() == []
        assert other.poll() is None
        other.kill()


def test_a_service_that_ends_by_itself_is_told_with_its_last_words(register: Register, tmp_path: Path) -> None:
    failing = Service(
        "failing", (sys.executable, "-c", "raise SystemExit('no database')"), health="http://127.0.0.1:9/"
    )
    with register.held(), running(failing, register, tmp_path / "logs") as process:
        with pytest.raises(ServiceError, match=r"failing: ended with status 1:\nno database"):
            wait_until_ready(failing, {"failing": process}, tmp_path / "logs", threading.Event())
        with pytest.raises(ServiceError, match="no database"):
            refuse_ended({"failing": process}, tmp_path / "logs")


def test_a_taken_port_is_told_with_its_setting() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ServiceError, match="GRIDLAKE_SUPERSET_PORT"):
            refuse_taken_port(taken.getsockname()[1], "GRIDLAKE_SUPERSET_PORT")


def test_make_clean_stops_the_services_of_every_lake_before_it_removes_them(tmp_path: Path) -> None:
    """In a folder that holds our Makefile and two lakes; one was left behind by a starter that was killed."""
    shutil.copy(PROJECT_ROOT / "Makefile", tmp_path)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "gridlake").symlink_to(Path(sys.executable).with_name("gridlake"))
    starters = []
    for city in ("demo", "washington_dc"):
        command = [sys.executable, "-c", STARTER, str(tmp_path / ".gridlake" / city)]
        starters.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        assert starters[-1].stdout is not None
        assert starters[-1].stdout.readline() == "started\n"
    services = [Register(tmp_path / ".gridlake" / c).read()["processes"][0]["pid"] for c in ("demo", "washington_dc")]
    starters[1].kill()
    starters[1].wait()
    assert all(group_of(pid) for pid in services)
    done = subprocess.run(["make", "clean"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    starters[0].wait(30)
    assert [group_of(pid) for pid in services] == [[], []]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Makefile"]
