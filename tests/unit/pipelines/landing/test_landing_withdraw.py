"""Taking a delivery back: the lake is as if it had never come, the record stays, and nothing comes back by itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.landing.changes import newest_rows
from pipelines.landing.deliveries import DeliveryError, deliveries
from pipelines.landing.withdraw import Outcome, undo, withdraw
from quality.balance import balance
from quality.contract_checks import contract_checks
from quality.held_back import holding
from quality.results import latest, record
from quality.withdrawals import Withdrawal, withdrawals
from tests.unit.pipelines.landing.landings import ORDERS, Place, contract, field, files
from warehouse.lake.session import open_lake
from warehouse.safety.verify import verify
from warehouse.settings import PROJECT_ROOT, Settings

HEADER = "order_no,amount,reported_at,status\n"
TREES = contract(field("tree", is_required=True, key_position=1), field("state"), field("height", "INTEGER"))
PLACED = contract(field("code", is_required=True, key_position=1), field("layer", key_position=2), field("name"))


def id_of(place: Place, uri: str) -> str:
    with open_lake(place.settings, read_only=True) as lake:
        return next(one.delivery_id for one in deliveries(lake) if one.uri == uri)


def take_back(place: Place, uri: str, *rows: str, dry_run: bool = False) -> Outcome:
    return withdraw(
        place.settings,
        [place.source],
        {place.contract.name: place.contract},
        id_of(place, uri),
        rows=rows,
        reason="wrong",
        by="steward",
        dry_run=dry_run,
    )


def bring_back(place: Place, number: int) -> Withdrawal:
    contracts = {place.contract.name: place.contract}
    return undo(place.settings, [place.source], contracts, number, reason="right after all", by="steward")


def newest(place: Place) -> list[tuple[Any, ...]]:
    """The newest state of each key that is not gone, without what tells of its landing."""
    fields = ", ".join(f.name for f in place.contract.fields)
    keys = ", ".join(place.contract.key)
    rows = newest_rows(f"SELECT * FROM lake.raw.{place.contract.name}", keys)
    return place.sql(f"SELECT {fields} FROM ({rows}) WHERE NOT _is_deleted ORDER BY {keys}")


def orders(*rows: tuple[str, int, str]) -> str:
    return HEADER + "".join(f"{no},{amount},2026-{day},open\n" for no, amount, day in rows)


def assert_balanced(place: Place) -> None:
    with open_lake(place.settings, read_only=True) as lake:
        assert balance(lake, place.contract, 0).is_passed


def test_a_delivery_goes_with_all_it_did_and_stays_on_record(settings: Settings, tmp_path: Path) -> None:
    place = files(settings, tmp_path / "drops")
    place.drop("1.csv", orders(("a", 1, "01-05"), ("b", 1, "01-06")))
    place.land()
    before = place.state()
    place.drop("2.csv", orders(("a", 2, "02-05"), ("c", 2, "12-07")) + "d,many,,open\n")
    place.land()

    outcome = take_back(place, "2.csv", dry_run=True)
    assert outcome.effect is not None
    assert (outcome.effect.kept, outcome.effect.vanished, outcome.effect.revived) == (1, 1, 0)
    assert outcome.effect.months == ("2026-02", "2026-12")
    assert len(place.rows()) == 4  # a dry run changes nothing
    assert verify(settings).faults == ()

    withdrawal = take_back(place, "2.csv").withdrawal
    assert (withdrawal.row_count, withdrawal.refused_count, withdrawal.deletion_count) == (2, 1, 0)
    assert (withdrawal.reason, withdrawal.withdrawn_by, withdrawal.number) == ("wrong", "steward", 3)
    assert place.state() == before
    assert place.sql("SELECT order_no, amount, original FROM lake.withdrawn.orders ORDER BY order_no") == [
        ("a", 2, None),
        ("c", 2, None),
        (None, None, '{"order_no":"d","amount":"many","reported_at":"","status":"open"}'),
    ]
    with open_lake(settings, read_only=True) as lake:
        assert [(one.uri, one.state) for one in deliveries(lake)] == [("2.csv", "withdrawn (3)"), ("1.csv", "landed")]
    assert_balanced(place)


def test_twice_is_once(sqlite_settings: Settings, tmp_path: Path) -> None:
    place = files(sqlite_settings, tmp_path / "drops")
    place.drop("1.csv", orders(("a", 1, "01-05"), ("b", 1, "01-06")))
    place.land()
    first = take_back(place, "1.csv", "1").withdrawal
    assert take_back(place, "1.csv", "order_no=a") == Outcome(take_back(place, "1.csv", "1").delivery, first, None)
    whole = take_back(place, "1.csv").withdrawal
    state = place.snapshot()
    again = take_back(place, "1.csv")
    assert (again.withdrawal, again.effect) == (whole, None)
    assert again.delivery.state == f"withdrawn ({whole.number})"
    assert place.sql(f"SELECT count(*) FROM lake.withdrawn.orders WHERE _withdrawal_seq <> {whole.number}") == [(1,)]
    assert place.snapshot() >= state


def test_the_file_does_not_come_back_by_itself_but_when_it_is_undone(sqlite_settings: Settings, tmp_path: Path) -> None:
    place = files(sqlite_settings, tmp_path / "drops")
    wrong = orders(("a", 2, "02-05"))
    place.drop("1.csv", orders(("a", 1, "01-05")))
    place.land()
    place.drop("2.csv", wrong)
    place.land()
    landed = place.state()
    number = take_back(place, "2.csv").withdrawal.number
    assert place.land().counts.delivery_count == 0
    (place.root / "2.csv").touch()
    assert place.land().counts.delivery_count == 0
    place.drop("copy.csv", wrong)
    (refusal,) = place.land().refusals
    assert refusal.uri == "copy.csv"
    assert f"its content was withdrawn ({id_of(place, '2.csv')}: wrong)" in refusal.problem
    assert f"`gridlake withdrawals undo {number}`" in refusal.problem
    (place.root / "copy.csv").unlink()
    # A corrected file in its place lands.
    place.drop("2.csv", orders(("a", 3, "02-05")))
    assert place.land().counts.accepted_count == 1
    take_back(place, "2.csv")
    assert bring_back(place, number).undone_seq is None
    assert place.state()["raw"] == landed["raw"]
    assert place.state()["loads"] == landed["loads"]
    assert bring_back(place, number).undone_seq is not None  # once is enough
    assert_balanced(place)


def test_what_a_later_delivery_corrected_stays_corrected(sqlite_settings: Settings, tmp_path: Path) -> None:
    place = files(sqlite_settings, tmp_path / "drops")
    place.drop("1.csv", orders(("a", 1, "01-05"), ("b", 1, "01-05")))
    place.land()
    place.drop("2.csv", orders(("a", 2, "02-05"), ("b", 2, "02-05"), ("c", 2, "02-05")))
    place.land()
    place.drop("3.csv", orders(("b", 3, "03-05")))
    place.land()
    take_back(place, "2.csv")
    assert [row[:2] for row in newest(place)] == [("a", 1), ("b", 3)]


@pytest.mark.parametrize("named", ["1", "code=x,layer=ward", "code=x, layer = ward"])
def test_one_row_of_a_key_of_two_fields(sqlite_settings: Settings, tmp_path: Path, named: str) -> None:
    place = files(sqlite_settings, tmp_path / "drops", PLACED)
    place.drop("1.csv", "code,layer,name\nx,ward,wrong\nx,city,right\ny,,none\n")
    place.land()
    outcome = take_back(place, "1.csv", named)
    assert newest(place) == [("x", "city", "right"), ("y", None, "none")]
    assert outcome.withdrawal.source_rows == (1,)
    assert place.loads()[0]["withdrawn_count"] == 1
    assert_balanced(place)
    # In a later file that repeats everything the row is left out as long as it is the same.
    place.drop("2.csv", "code,layer,name\nx,ward,wrong\nx,city,right\ny,,none\nz,city,new\n")
    counts = place.land().counts
    assert (counts.accepted_count, counts.repeated_count) == (3, 1)
    assert place.loads()[1]["warning_counts"] == '{"told:withdrawn":1}'
    place.drop("3.csv", "code,layer,name\nx,ward,corrected\n")
    place.land()
    assert newest(place)[1] == ("x", "ward", "corrected")
    assert take_back(place, "1.csv", "code=y,layer=").withdrawal.source_rows == (3,)
    with open_lake(sqlite_settings, read_only=True) as lake:
        assert [one.row_count for one in withdrawals(lake)] == [1, 1]


@pytest.mark.parametrize(
    ("delivery", "rows", "said"),
    [
        ("orders-nothing", [], "no delivery has this id"),
        ("orders-", [], "2 deliveries have this id"),
        ("", [], "no delivery has this id"),
        ("1.csv", ["77"], "the delivery has no such row in `raw` (value: '77')"),
        ("1.csv", ["order_no=zz"], "no such row"),
        ("1.csv", ["a"], "names no row (value: 'a') Fix: give the number of the row in its delivery, or its key"),
        ("1.csv", ["amount=1"], "names no row"),
        ("1.csv", ["' OR true --"], "names no row"),
    ],
)
def test_what_is_not_there_is_told(
    sqlite_settings: Settings, tmp_path: Path, delivery: str, rows: Sequence[str], said: str
) -> None:
    place = files(sqlite_settings, tmp_path / "drops")
    place.drop("1.csv", orders(("a", 1, "01-05")))
    place.drop("2.csv", orders(("b", 1, "01-05")))
    place.land()
    before = place.snapshot()
    name = id_of(place, delivery) if delivery.endswith("csv") else delivery
    with pytest.raises(DeliveryError) as failed:
        withdraw(sqlite_settings, [place.source], {"orders": ORDERS}, name, rows=rows, reason="r", by="s")
    assert said in str(failed.value)
    with pytest.raises(DeliveryError, match="--reason: is empty"):
        withdraw(sqlite_settings, [place.source], {"orders": ORDERS}, name, reason=" ", by="s")
    assert place.snapshot() == before


@pytest.mark.parametrize("first", [True, False], ids=["after a good one", "the only one"])
def test_a_data_set_that_it_held_back_is_built_on_again(sqlite_settings: Settings, tmp_path: Path, first: bool) -> None:
    place = files(sqlite_settings, tmp_path / "drops", replace(ORDERS, quarantine_share_allowed=0.05))

    def held_back() -> list[str]:
        found = contract_checks(sqlite_settings, [place.contract])
        record(sqlite_settings, found, covering=lambda result: result.dataset == "orders")
        return [result.rule for result in holding(latest(sqlite_settings))]

    if first:
        place.drop("1.csv", orders(*((f"a{n}", 1, "01-05") for n in range(30))))
        place.land()
        assert held_back() == []
    place.drop("2.csv", orders(*((f"b{n}", 999 if n % 2 else 1, "02-05") for n in range(30))))
    place.land()
    assert held_back() == ["quarantine_share"]
    number = take_back(place, "2.csv").withdrawal.number
    assert held_back() == []
    bring_back(place, number)
    assert held_back() == ["quarantine_share"]


# What stands after three snapshots of a register, when one of them is taken back.
_SNAPSHOTS = {"1.csv": "a b", "2.csv": "a c", "3.csv": "a d"}


@pytest.mark.parametrize(("taken", "left"), [("1.csv", "a d"), ("2.csv", "a d"), ("3.csv", "a c")])
def test_snapshots_of_a_register_follow(sqlite_settings: Settings, tmp_path: Path, taken: str, left: str) -> None:
    place = files(sqlite_settings, tmp_path / "drops", TREES, snapshot={})
    for name, trees in _SNAPSHOTS.items():
        place.drop(name, "tree,state,height\n" + "".join(f"{tree},{name},1\n" for tree in trees.split()))
        place.land()
    landed = place.state()
    outcome = take_back(place, taken)
    assert " ".join(row[0] for row in newest(place)) == left
    assert [load["uri"] for load in place.loads() if not load["is_superseded"]] == [
        "2.csv" if taken == "3.csv" else "3.csv"
    ]
    gone = place.sql(
        "SELECT count(*) FROM lake.raw.orders t WHERE _is_deleted AND NOT EXISTS (SELECT 1"
        " FROM lake.raw.orders r WHERE NOT r._is_deleted AND r.tree = t.tree)"
    )
    assert gone == [(0,)]
    assert_balanced(place)
    standing = newest(place)
    assert bring_back(place, outcome.withdrawal.number).undone_seq is None
    assert " ".join(row[0] for row in newest(place)) == "a d"
    assert place.state()["loads"] == landed["loads"]
    take_back(place, taken)
    assert newest(place) == standing


def test_a_snapshot_with_an_order_gives_way_to_the_one_before(sqlite_settings: Settings, tmp_path: Path) -> None:
    entry = {"path": "{date}/{part}.csv", "snapshot": {"at": "date"}, "deletes_allowed": 1}
    place = files(sqlite_settings, tmp_path / "drops", TREES, **entry)
    place.drop("2026-01/x.csv", "tree,state,height\na,,1\nb,,1\n")
    place.land()
    place.drop("2026-03/x.csv", "tree,state,height\na,,3\n")
    place.land()
    # It lands late: what the newer one lacks must not come back with it.
    place.drop("2026-02/x.csv", "tree,state,height\na,,2\nc,,2\n")
    place.land()
    assert newest(place) == [("a", None, 2)]  # by landing; core asks which snapshot stands
    take_back(place, "2026-03/x.csv")
    assert newest(place) == [("a", None, 2), ("c", None, 2)]
    take_back(place, "2026-02/x.csv")
    assert newest(place) == [("a", None, 1), ("b", None, 1)]
    take_back(place, "2026-01/x.csv")
    assert place.rows() == []


_CHILD = """
import os, signal, sys
from pipelines.landing import withdraw as module
from pipelines.sources.declared import SourceSystem
from tests.unit.pipelines.landing.landings import ORDERS
from warehouse.settings import Settings

settings, source = Settings.model_validate_json(sys.argv[1]), SourceSystem.model_validate_json(sys.argv[2])
original = module.settle_watermark

def die(*args, **options):
    original(*args, **options)
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[4] == "die":
    module.settle_watermark = die
outcome = module.withdraw(settings, [source], {"orders": ORDERS}, sys.argv[3], reason="wrong", by="steward")
print(outcome.withdrawal.number, outcome.effect is not None, flush=True)
"""


def start(place: Place, delivery: str, how: str) -> subprocess.Popen[str]:
    arguments = [place.settings.model_dump_json(), place.source.model_dump_json(), delivery, how]
    return subprocess.Popen(
        [sys.executable, "-c", _CHILD, *arguments], cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True, env=os.environ
    )


def test_killed_in_the_middle_it_did_nothing_and_two_at_once_do_it_once(settings: Settings, tmp_path: Path) -> None:
    place = files(settings, tmp_path / "drops")
    place.drop("1.csv", orders(("a", 1, "01-05")))
    place.drop("2.csv", orders(("a", 2, "01-05"), ("b", 2, "01-05")))
    place.land()
    before, delivery = place.state(), id_of(place, "2.csv")
    killed = start(place, delivery, "die")
    assert killed.wait(60) == -signal.SIGKILL
    assert place.state() == before
    both = [start(place, delivery, "live") for _ in range(2)]
    said = sorted(child.communicate(timeout=60)[0].split() for child in both)
    assert [one[1] for one in said] == ["False", "True"]
    assert said[0][0] == said[1][0]
    assert [row[:2] for row in newest(place)] == [("a", 1)]
    with open_lake(settings, read_only=True) as lake:
        assert len(withdrawals(lake)) == 1
