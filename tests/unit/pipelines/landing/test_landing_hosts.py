"""Two hosts on one PostgreSQL catalogue: nothing is lost, nothing lands twice, nobody is overtaken unseen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.pipelines.landing.hosts import Outcome, race, second_host
from tests.unit.pipelines.landing.landings import files
from warehouse.settings import PROJECT_ROOT, Settings

# A host that has lost its turn (its connection to PostgreSQL was cut) meets the other one in the middle of a commit.
_WITHOUT_TURN = """
import sys
from contextlib import nullcontext
from pathlib import Path
import warehouse.lake.session
from pipelines.landing import commit
from tests.unit.pipelines.landing.landings import files
from warehouse.settings import Settings

warehouse.lake.session.writer_turn = lambda settings: nullcontext()
original, calls = commit._record, []

def record(*arguments):
    original(*arguments)
    calls.append(1)
    if len(calls) == 1:
        print("about to commit", flush=True)
        sys.stdin.readline()

commit._record = record
place = files(Settings.model_validate_json(sys.argv[1]), Path(sys.argv[2]))
print(place.land().counts.delivery_count, len(calls), flush=True)
"""


def stalled(settings: Settings, root: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _WITHOUT_TURN, settings.model_dump_json(), str(root)],
        cwd=PROJECT_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "about to commit\n"
    return process


def test_two_hosts_with_kills_lose_and_double_nothing(postgres_settings: Settings, tmp_path: Path) -> None:
    outcome = race(postgres_settings, tmp_path, landings=6, kills=1, seed=7)
    assert outcome == Outcome(lost=0, doubled=0, shared_numbers=0, kills=2)


@pytest.mark.parametrize("same_file", [False, True], ids=["other file", "same file"])
def test_host_that_is_overtaken_takes_another_number(
    postgres_settings: Settings, tmp_path: Path, same_file: bool
) -> None:
    mine, other = tmp_path / "mine", tmp_path / "mine" if same_file else tmp_path / "other"
    place = files(postgres_settings, mine)
    place.drop("first.csv", "order_no\nfirst\n")
    place.land()
    place.drop("second.csv", "order_no\nsecond\n")
    process = stalled(second_host(postgres_settings, tmp_path / "host"), mine)
    overtaking = files(postgres_settings, other)
    if not same_file:
        overtaking.drop("third.csv", "order_no\nthird\n")
    assert overtaking.land().counts.delivery_count == 1
    out, _ = process.communicate("\n", timeout=60)
    # Overtaken by another file it lands its own under the next number; overtaken by the same one it lands nothing.
    assert out == ("0 1\n" if same_file else "1 2\n")
    numbers = [(load["uri"], load["load_seq"]) for load in place.loads()]
    others = [("second.csv", 2)] if same_file else [("third.csv", 2), ("second.csv", 3)]
    assert numbers == [("first.csv", 1), *others]
