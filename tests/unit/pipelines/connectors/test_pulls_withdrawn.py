"""Taking back what a pull brought: the source is asked anew each time, and must not bring the same by itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.landing.deliveries import deliveries
from pipelines.landing.withdraw import Outcome, undo, withdraw
from tests.unit.pipelines.connectors.databases import Execute, executor, office
from tests.unit.pipelines.landing.landings import Place
from warehouse.lake.session import open_lake, transact
from warehouse.settings import Settings


@pytest.fixture
def table(sqlite_settings: Settings, tmp_path: Path) -> tuple[Place, Execute]:
    """A source of three permits, and how to change it."""
    url = f"sqlite:///{tmp_path}/office.db"
    execute = executor("sqlite", url)
    execute(
        "CREATE TABLE permit (order_no VARCHAR, amount INTEGER, updated_at TIMESTAMP)",
        *(f"INSERT INTO permit VALUES ('{n}', {n}, '2026-01-0{n} 10:00:00')" for n in (1, 2, 3)),
    )
    return office(sqlite_settings, "sqlite", url, tmp_path), execute


def take_back(place: Place, age: int, *rows: str) -> Outcome:
    """Withdraw a delivery, the newest of which has the age 0."""
    with open_lake(place.settings, read_only=True) as lake:
        name = deliveries(lake)[age].delivery_id
    contracts = {place.contract.name: place.contract}
    return withdraw(place.settings, [place.source], contracts, name, rows=rows, reason="wrong", by="steward")


def bring_back(place: Place, outcome: Outcome) -> None:
    contracts = {place.contract.name: place.contract}
    number = outcome.withdrawal.number
    undo(place.settings, [place.source], contracts, number, reason="it was right", by="steward")


def held(place: Place) -> list[tuple[str, int]]:
    return place.sql(
        "SELECT order_no, amount FROM (SELECT * FROM lake.raw.orders QUALIFY row_number() OVER (PARTITION BY order_no"
        " ORDER BY _load_seq DESC, _is_deleted DESC) = 1) WHERE NOT _is_deleted ORDER BY order_no"
    )


def test_a_watermark_that_a_wrong_row_carried_off_comes_back(table: tuple[Place, Execute]) -> None:
    place, execute = table
    place = place.with_entry(cursor={"field": "updated_at"}, future_tolerance="P36500D")
    place.land()
    execute("INSERT INTO permit VALUES ('4', 4, '2062-01-01 10:00:00')")
    place.land()
    assert place.watermark() == "2062-01-01 10:00:00"
    execute("INSERT INTO permit VALUES ('5', 5, '2026-02-01 10:00:00')")
    assert place.land().counts.fetched_count <= 1
    outcome = take_back(place, 0, "order_no=4")
    assert outcome.effect is not None
    assert outcome.effect.watermark == ("2062-01-01 10:00:00", "2026-01-03 10:00:00")
    counts = place.land().counts
    assert (counts.accepted_count, counts.repeated_count) == (1, 2)
    assert held(place) == [("1", 1), ("2", 2), ("3", 3), ("5", 5)]
    assert place.watermark() == "2026-02-01 10:00:00"
    assert json.loads(place.loads()[-1]["warning_counts"])["told:withdrawn"] == 1
    # Corrected at the source it lands, as any change does.
    execute("UPDATE permit SET updated_at = '2026-02-02 10:00:00' WHERE order_no = '4'")
    place.land()
    assert ("4", 4) in held(place)
    bring_back(place, outcome)
    assert place.watermark() == "2062-01-01 10:00:00"


def test_a_watermark_whose_every_pull_is_taken_back_begins_anew(table: tuple[Place, Execute]) -> None:
    place, _ = table
    place = place.with_entry(cursor={"field": "updated_at"})
    place.land()
    outcome = take_back(place, 0)
    assert (place.watermark(), place.rows()) == (None, [])
    assert place.land().counts.delivery_count == 0
    bring_back(place, outcome)
    assert (place.watermark(), len(place.rows())) == ("2026-01-03 10:00:00", 3)


def test_an_emptied_table_of_which_all_was_withdrawn_is_no_loss(table: tuple[Place, Execute]) -> None:
    place, execute = table
    place.land()
    execute("DELETE FROM permit")
    (refusal,) = place.land().refusals
    assert "the table is empty although the lake holds rows of it" in refusal.problem
    take_back(place, 0)
    assert place.land().refusals == ()
    assert held(place) == []
    execute("INSERT INTO permit VALUES ('9', 9, '2026-01-09 10:00:00')")
    assert place.land().refusals == ()
    assert held(place) == [("9", 9)]


def test_a_withdrawn_pull_of_a_whole_table_stays_away(table: tuple[Place, Execute]) -> None:
    place, execute = table
    place.land()
    # A test system answers: other rows, one is missing, one says nothing that can be read.
    execute(
        "DELETE FROM permit WHERE order_no = '3'",
        "UPDATE permit SET amount = 99 WHERE order_no = '1'",
        "INSERT INTO permit VALUES ('7', 7, '2026-01-09 10:00:00'), (NULL, 8, '2026-01-09 10:00:00')",
    )
    place.land()
    assert held(place) == [("1", 99), ("2", 2), ("7", 7)]
    landed = place.state()
    outcome = take_back(place, 0)
    withdrawal, effect = outcome.withdrawal, outcome.effect
    assert (withdrawal.row_count, withdrawal.refused_count, withdrawal.deletion_count) == (2, 1, 1)
    assert effect is not None
    assert (effect.kept, effect.vanished, effect.revived) == (1, 1, 1)
    assert held(place) == [("1", 1), ("2", 2), ("3", 3)]
    before = place.snapshot()
    assert place.land().counts.delivery_count == 0
    assert place.snapshot() == before
    # The right system answers again, with news.
    execute(
        "DELETE FROM permit WHERE order_no = '7' OR order_no IS NULL",
        "UPDATE permit SET amount = 10 WHERE order_no = '1'",
        "INSERT INTO permit VALUES ('3', 3, '2026-01-03 10:00:00')",
    )
    place.land()
    assert held(place) == [("1", 10), ("2", 2), ("3", 3)]
    bring_back(place, outcome)
    assert held(place) == [("1", 10), ("2", 2), ("7", 7)]
    assert set(landed["raw"]) <= set(place.state()["raw"])


def test_a_deletion_after_a_withdrawn_state_has_nothing_to_delete(table: tuple[Place, Execute]) -> None:
    place, execute = table
    place.land()
    execute("INSERT INTO permit VALUES ('7', 7, '2026-01-09 10:00:00')")
    place.land()
    execute("DELETE FROM permit WHERE order_no IN ('7', '2')")
    place.land()
    landed = place.state()
    outcome = take_back(place, 1)
    assert place.sql("SELECT order_no FROM lake.raw.orders WHERE _is_deleted") == [("2",)]
    assert place.loads()[-1]["deleted_count"] == 1
    later = take_back(place, 0)
    assert held(place) == [("1", 1), ("2", 2), ("3", 3)]
    bring_back(place, outcome)
    bring_back(place, later)
    assert place.state()["raw"] == landed["raw"]
    assert place.state()["loads"] == landed["loads"]


def test_a_pull_that_was_under_way_meanwhile_is_made_again(
    table: tuple[Place, Execute], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.landing import commit

    place, execute = table
    place.land()
    execute("UPDATE permit SET amount = 10 WHERE order_no = '1'")
    original = commit.transact

    def withdrawn_first(*args: object, **options: object) -> object:
        monkeypatch.setattr(commit, "transact", original)
        take_back(place, 0, "order_no=1")
        return transact(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(commit, "transact", withdrawn_first)
    with pytest.raises(Exception, match="another run landed this data set meanwhile"):
        place.land()
    place.land()
    assert held(place) == [("1", 10), ("2", 2), ("3", 3)]
