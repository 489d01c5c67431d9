"""Rows, quarantine, watermark and load record stand or fall together, whatever happens in between."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.landing import commit, land
from tests.unit.pipelines.landing.landings import DATASET, Place, failing_at, files
from warehouse.errors import LakeError
from warehouse.settings import PROJECT_ROOT, Settings

HEADER = "order_no,amount,reported_at,status\n"
POINTS = [
    ("stage", False),
    ("_insert_rows", False),
    ("_insert_rows", True),
    ("_record", True),
    ("_move_watermark", True),
]
_CHILD = """
import os, signal, sys
from pathlib import Path
from pipelines.landing import commit, land
from tests.unit.pipelines.landing.landings import files
from warehouse.settings import Settings

settings, root, point = Settings.model_validate_json(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]

def die(*args, **options):
    done = original(*args, **options)
    os.kill(os.getpid(), signal.SIGKILL)

if point:
    module = land if point in ("stage", "commit") else commit
    original = getattr(module, point)
    setattr(module, point, die)
place = files(settings, root)
if not point:
    print("ready", flush=True)
    sys.stdin.readline()
counts = place.land().counts
print(counts.accepted_count, counts.delivery_count, flush=True)
"""


def start(place: Place, point: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _CHILD, place.settings.model_dump_json(), str(place.root), point],
        cwd=PROJECT_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def place(sqlite_settings: Settings, tmp_path: Path) -> Place:
    return with_news(files(sqlite_settings, tmp_path / "drops"))


def with_news(place: Place) -> Place:
    place.drop("a.csv", HEADER + "1,1,,open\n")
    place.land()
    place.drop("b.csv", HEADER + "2,2,,open\n3,x,,open\n4\n")
    place.drop("c.csv", "order_no,extra\n5,e\n")
    return place


def undisturbed(place: Place, tmp_path: Path) -> dict[str, object]:
    """What the same files give in a lake in which nothing went wrong."""
    settings = place.settings.model_copy(update={"home": tmp_path / "undisturbed", "catalog": ""})
    twin = Place(settings, place.source, place.contract, place.root)
    for path in sorted(place.root.glob("[bc].csv")):
        path.rename(path.with_suffix(".later"))
    twin.land()
    for path in place.root.glob("*.later"):
        path.rename(path.with_suffix(".csv"))
    twin.land()
    return twin.state()


@pytest.mark.parametrize(("name", "after"), POINTS)
def test_an_error_at_any_point_leaves_nothing(
    place: Place, name: str, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, snapshot = place.state(), place.snapshot()
    module = land if name == "stage" else commit
    with failing_at(monkeypatch, module, name, after=after), pytest.raises(KeyboardInterrupt):
        place.land()
    assert (place.state(), place.snapshot()) == (before, snapshot)
    assert list((place.settings.home_path / "spool").glob("*")) == []


@pytest.mark.slow
def test_a_kill_at_any_point_leaves_nothing_and_a_rerun_gives_the_undisturbed_result(
    settings: Settings, tmp_path: Path
) -> None:
    place = with_news(files(settings, tmp_path / "drops"))
    before = place.state()
    for point in ("stage", "_insert_rows", "_move_watermark"):
        child = start(place, point)
        child.communicate(timeout=120)
        assert child.returncode == -9
        assert place.state() == before
    # Killed after its first commit: the first batch is there, the second is not.
    child = start(place, "commit")
    child.communicate(timeout=120)
    assert child.returncode == -9
    assert len(place.loads()) == 2
    place.land()
    assert place.state() == undisturbed(place, tmp_path)


@pytest.mark.slow
def test_two_processes_that_land_the_same_files_at_once_double_nothing(settings: Settings, tmp_path: Path) -> None:
    place = with_news(files(settings, tmp_path / "drops"))
    children = [start(place, ""), start(place, "")]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n", child.stderr and child.stderr.read()
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    said = [child.communicate(timeout=120)[0].split() for child in children]
    assert [child.returncode for child in children] == [0, 0]
    assert sum(int(accepted) for accepted, _ in said) == 2
    assert sorted(row for (row,) in place.rows("order_no")) == ["1", "2", "5"]
    assert len(place.quarantine()) == 2
    assert len(place.loads()) == 3
    place.check_books()


def test_files_that_another_run_landed_meanwhile_are_not_landed_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = land.stage
    others: list[int] = []

    def stage(*args: object, **options: object) -> object:
        staged = original(*args, **options)  # type: ignore[arg-type]
        if not others:
            others.append(1)
            with monkeypatch.context() as patch:
                patch.setattr(land, "stage", original)
                place.land()
            others.append(place.snapshot())
        return staged

    monkeypatch.setattr(land, "stage", stage)
    result = place.land()
    assert (result.counts.delivery_count, result.has_changed) == (0, False)
    assert place.snapshot() == others[1]
    assert sorted(row for (row,) in place.rows("order_no")) == ["1", "2", "5"]


def test_what_a_killed_run_left_in_the_spool_is_swept_after_a_day(place: Place) -> None:
    import os

    old, young = (place.settings.home_path / "spool" / name for name in ("old", "young"))
    for folder in (old, young):
        folder.mkdir(parents=True)
        (folder / "page.json").write_text("[]")
    os.utime(old, (1, 1))
    place.land()
    assert not old.exists()
    assert young.exists()


def test_a_lake_of_another_city_is_not_written(place: Place) -> None:
    other = Place(place.settings.model_copy(update={"city": "elsewhere"}), place.source, place.contract, place.root)
    with pytest.raises(LakeError, match="this lake holds the city 'demo'"):
        other.land()
    assert [load["dataset"] for load in place.loads()] == [DATASET]
