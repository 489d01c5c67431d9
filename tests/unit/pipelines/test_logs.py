"""Logs stay bounded while their services write on, and nothing is lost for who reads them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.services.logs import Follower, LogLimits, last_lines, open_log, rotate
from pipelines.services.processes import Register, Service, ServiceError, refuse_ended, running

LIMITS = LogLimits(most_bytes=100, kept=2)


def write(file: Path, text: str) -> None:
    with open_log(file) as out:
        out.write(text.encode())


def test_a_log_that_is_held_open_is_put_aside_and_written_on_from_its_beginning(tmp_path: Path) -> None:
    """As a service does it: it never opens its log again, and a hole of zeros would be left by a plain cut."""
    file = tmp_path / "logs" / "superset.log"
    code = "import sys\nfor line in sys.stdin:\n    print(line, end='', flush=True)\n    sys.stderr.write('.')\n"
    with open_log(file) as out:
        service = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=out, stderr=subprocess.PIPE, text=True
        )
    assert service.stdin is not None
    assert service.stderr is not None

    def say(text: str) -> None:
        service.stdin.write(f"{text}\n")
        service.stdin.flush()
        assert service.stderr.read(1) == "."

    for part in ("a", "b", "c", "d"):
        say(part * 60)
        assert rotate(file.parent, LIMITS) == []
        say(part * 60)
        assert rotate(file.parent, LIMITS) == ["superset.log"]
        assert file.stat().st_size == 0
    say("the newest")
    service.stdin.close()
    service.wait()
    assert file.read_text() == "the newest\n"
    assert file.with_name("superset.log.1").read_text() == f"{'d' * 60}\n" * 2
    assert file.with_name("superset.log.2").read_text() == f"{'c' * 60}\n" * 2
    assert sorted(path.name for path in file.parent.iterdir()) == ["superset.log", "superset.log.1", "superset.log.2"]


def test_fewer_kept_parts_remove_the_older_ones(tmp_path: Path) -> None:
    file = tmp_path / "up.log"
    for text in ("1", "2", "3", "4"):
        write(file, text * 200)
        rotate(tmp_path, LogLimits(100, 3))
    write(file, "5" * 200)
    rotate(tmp_path, LogLimits(100, 1))
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["up.log", "up.log.1"]
    assert file.with_name("up.log.1").read_text() == "5" * 200


@pytest.mark.parametrize("after", ["short", "longer than what was there before " * 10])
def test_who_reads_on_misses_nothing_when_it_is_put_aside(tmp_path: Path, after: str) -> None:
    file = tmp_path / "up.log"
    write(file, "of an earlier start\n")
    follower = Follower(file)
    assert follower.read() == b""
    write(file, "starting\n" * 20)
    assert follower.read() == b"starting\n" * 20
    write(file, "just before\n")
    assert rotate(tmp_path, LIMITS) == ["up.log"]
    write(file, after)
    assert follower.read().decode() == "just before\n" + after
    write(file, "more")
    assert follower.read() == b"more"


def test_a_service_that_ends_just_after_its_log_was_put_aside_is_told_with_its_last_words(tmp_path: Path) -> None:
    register = Register(tmp_path)
    failing = Service("failing", (sys.executable, "-c", "raise SystemExit('x' * 200 + '\\nno database')"))
    with register.held(), running(failing, register, tmp_path / "logs") as process:
        process.wait()
        assert rotate(tmp_path / "logs", LIMITS) == ["failing.log"]
        with pytest.raises(ServiceError, match="no database"):
            refuse_ended({"failing": process}, tmp_path / "logs")


def test_last_lines_reach_back_into_what_was_put_aside(tmp_path: Path) -> None:
    file = tmp_path / "up.log"
    file.write_text("three\n")
    file.with_name("up.log.1").write_text("one\ntwo\n")
    assert last_lines(file, 2) == "two\nthree"
    assert last_lines(tmp_path / "none.log", 2) == ""
