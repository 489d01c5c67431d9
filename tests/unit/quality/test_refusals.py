"""Refused deliveries stay on record until their own place gives one that lands, or a steward accepts them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import duckdb
import pytest

from quality.refusals import RefusalError, Refused, accept, open_refusals, settle
from warehouse.lake.session import open_lake
from warehouse.settings import Settings

CUT = Refused("orders", "2026-04.csv", "hash-1", "the file is cut off. Fix: deliver it again")
EMPTY = Refused("orders", "2026-05.csv", "hash-2", "the file is empty. Fix: deliver it again")


@pytest.fixture
def lake(sqlite_settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_lake(sqlite_settings, spatial=False) as session:
        yield session


@pytest.fixture
def found(lake: duckdb.DuckDBPyConnection, sqlite_settings: Settings) -> Callable[..., list[Refused]]:
    def settled(refused: Sequence[Refused], whole: Sequence[str] = ()) -> list[Refused]:
        return settle(lake, sqlite_settings, "office", "orders", refused, lambda uri: uri in whole)

    return settled


def snapshot(lake: duckdb.DuckDBPyConnection) -> int:
    ((number,),) = lake.execute("SELECT max(snapshot_id) FROM lake.snapshots()").fetchall()
    return int(number)


def test_it_stays_when_another_file_lands_and_goes_when_its_own_does(
    lake: duckdb.DuckDBPyConnection, found: Callable[..., list[Refused]]
) -> None:
    assert found([CUT, EMPTY]) == [CUT, EMPTY]
    assert [kept.uri for kept in open_refusals(lake)] == ["2026-04.csv", "2026-05.csv"]
    found([CUT], whole=["2026-05.csv", "2026-06.csv"])
    assert [kept.uri for kept in open_refusals(lake)] == ["2026-04.csv"]
    found([])  # taken away from the folder: nothing has mended it
    assert [kept.uri for kept in open_refusals(lake)] == ["2026-04.csv"]
    found([], whole=["2026-04.csv"])
    assert open_refusals(lake) == []


def test_the_same_refusal_again_writes_nothing(
    lake: duckdb.DuckDBPyConnection, found: Callable[..., list[Refused]]
) -> None:
    found([CUT])
    before = snapshot(lake)
    assert found([CUT]) == [CUT]
    assert snapshot(lake) == before


def test_other_bad_content_in_its_place_takes_its_place(
    lake: duckdb.DuckDBPyConnection, found: Callable[..., list[Refused]]
) -> None:
    found([CUT])
    again = Refused("orders", "2026-04.csv", "hash-3", "the header lacks order_no. Fix: add it")
    found([again])
    (kept,) = open_refusals(lake)
    assert (kept.problem, kept.refusal_id) == (again.problem, again.refusal_id)
    assert lake.execute("SELECT outcome FROM lake.ops.refusal ORDER BY outcome").fetchall() == [("replaced",), (None,)]


def test_an_accepted_one_is_told_no_longer_until_its_content_changes(
    lake: duckdb.DuckDBPyConnection, found: Callable[..., list[Refused]], sqlite_settings: Settings
) -> None:
    found([CUT, EMPTY])
    with pytest.raises(RefusalError, match="say why"):
        accept(sqlite_settings, CUT.refusal_id, "  ")
    accept(sqlite_settings, CUT.refusal_id, "the provider has no other")
    assert found([CUT, EMPTY]) == [EMPTY]
    with pytest.raises(RefusalError, match=EMPTY.refusal_id):
        accept(sqlite_settings, CUT.refusal_id, "again")
    other = Refused("orders", "2026-04.csv", "hash-9", "the file is cut off. Fix: deliver it again")
    assert found([other, EMPTY]) == [other, EMPTY]


def test_one_that_an_earlier_release_knew_by_its_words_is_closed_too(
    lake: duckdb.DuckDBPyConnection, found: Callable[..., list[Refused]]
) -> None:
    lake.execute(
        "INSERT INTO lake.ops.refusal (refusal_id, source, dataset, uri, content_hash, problem, first_seq, seen_at)"
        " VALUES ('0ld0ld00', 'office', 'orders', '/orders?since=2026-01-01', '', 'gave no rows', 0, now()::TIMESTAMP)"
    )
    assert [kept.problem for kept in open_refusals(lake)] == ["gave no rows"]
    found([], whole=["/orders?since=2026-01-01"])
    assert open_refusals(lake) == []
