"""Where a pull from a service ends, answers that only look good, and rows that only seem to be gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.sources.declared import SourceError
from tests.unit.pipelines.connectors.service import Answer, Request, Service, running
from tests.unit.pipelines.landing.landings import KEYED, Place, system
from warehouse.settings import Settings

ROWS = [{"order_no": f"{n:02}", "amount": n, "updated_at": f"2026-01-01T{n:02}:00:00"} for n in range(1, 10)]
ALL = [row["order_no"] for row in ROWS]
PAGED = {"style": "page", "size": 3, "page_param": "p"}
CURSOR = {"field": "updated_at", "param": "since", "format": "%Y-%m-%dT%H:%M:%S"}


@pytest.fixture
def service() -> Iterator[Service]:
    with running() as found:
        yield found


@pytest.fixture
def office(sqlite_settings: Settings, service: Service, tmp_path: Path) -> Callable[..., Place]:
    def made(**entry: Any) -> Place:
        block = {"base_url": service.url, "token": "s3cr3t", "attempts": 3, "requests_per_second": 10_000}
        return Place(sqlite_settings, system("rest", block, {"path": "/orders", **entry}), KEYED, tmp_path)

    return made


def pages(rows: list[Any], *, hidden: str = "") -> Callable[[Request], Answer]:
    """Pages of three, in which the service hides one row after it has cut the pages."""

    def answer(request: Request) -> Answer:
        start = 3 * (int(request.params["p"]) - 1)
        return Answer([row for row in rows[start : start + 3] if row["order_no"] != hidden])

    return answer


def held(place: Place) -> list[str]:
    """The keys that the lake holds and that are not gone."""
    return [
        number
        for number, is_gone in place.sql(
            "SELECT order_no, _is_deleted FROM lake.raw.orders"
            " QUALIFY row_number() OVER (PARTITION BY order_no ORDER BY _load_seq DESC) = 1 ORDER BY 1"
        )
        if not is_gone
    ]


def quick(seconds: float) -> None:
    """No pause between attempts."""


@pytest.mark.parametrize("cursor", [None, CURSOR])
def test_a_short_page_is_no_end(office: Callable[..., Place], service: Service, cursor: Any) -> None:
    place = office(paging=PAGED, cursor=cursor)
    service.answer = pages(ROWS, hidden="05")
    place.land()
    assert held(place) == [number for number in ALL if number != "05"]
    assert [request.params["p"] for request in service.requests] == ["1", "2", "3", "4"]


def test_a_declared_total_or_flag_ends_a_pull_without_another_page(
    office: Callable[..., Place], service: Service
) -> None:
    def answer(request: Request) -> Answer:
        start = int(request.params["offset"])
        features = [row for row in ROWS[start : start + 3] if row["order_no"] != "05"]
        more = {"exceededTransferLimit": True} if start + 3 < len(ROWS) else {}
        return Answer({"features": features, "total": 8, **more})

    # ArcGIS counts what it skips by rows sought; this one by rows given.
    service.answer = lambda request: answer(
        Request(request.path, {"offset": str({"0": 0, "3": 3, "5": 6}[request.params["offset"]])}, {})
    )
    offset = {"style": "offset", "size": 3}
    for told in ({"total_path": "$.total"}, {"more_path": "$.exceededTransferLimit"}):
        service.requests.clear()
        place = office(paging={**offset, **told}, records="$.features")
        place.land()
        assert held(place) == [number for number in ALL if number != "05"]
        assert [request.params["offset"] for request in service.requests] == ["0", "3", "5"]


def test_a_flag_that_never_comes_does_not_end_the_pull(office: Callable[..., Place], service: Service) -> None:
    place = office(paging={**PAGED, "more_path": "$.hasMore"}, records="$.rows")
    service.answer = lambda request: Answer({"rows": pages(ROWS)(request).body})
    place.land()
    assert held(place) == ALL


def test_the_last_page_given_again_ends_the_pull(office: Callable[..., Place], service: Service) -> None:
    place = office(paging=PAGED)
    service.answer = lambda request: pages(ROWS)(Request("", {"p": str(min(int(request.params["p"]), 3))}, {}))
    place.land()
    assert (held(place), len(service.requests)) == (ALL, 4)


def test_a_token_that_stays_ends_after_a_few_empty_pages(office: Callable[..., Place], service: Service) -> None:
    place = office(paging={"style": "cursor", "size": 3}, records="$.rows")

    def answer(request: Request) -> Answer:
        # As a scroll does: the token stays, the rows go on.
        start = 3 * (len(service.requests) - 1)
        return Answer({"rows": ROWS[start : start + 3], "next": "scroll"})

    service.answer = answer
    place.land()
    assert (held(place), len(service.requests)) == (ALL, 6)


def test_a_status_beyond_the_end_is_an_end_only_where_it_is_declared(
    office: Callable[..., Place], service: Service
) -> None:
    service.answer = lambda request: pages(ROWS)(request) if request.params["p"] < "4" else Answer("no page", 404)
    with pytest.raises(SourceError, match=r"the service answered 404.*declare `paging.end_status`"):
        office(paging=PAGED).land()
    place = office(paging={**PAGED, "end_status": 404})
    place.land()
    assert held(place) == ALL


def test_an_error_with_status_200_is_tried_again_and_then_told(office: Callable[..., Place], service: Service) -> None:
    place = office(paging=PAGED, records="$.data", success={"path": "$.code", "equals": [200, "00"]})
    busy = {"code": 500, "msg": "系统繁忙 s3cr3t", "total": 0, "data": []}
    faults = [2]

    def answer(request: Request) -> Answer:
        if request.params["p"] == "2" and faults[0]:
            faults[0] -= 1
            return Answer(busy)
        return Answer({"code": 200, "data": pages(ROWS)(request).body})

    service.answer = answer
    place.land(pause=quick)
    assert held(place) == ALL
    before = place.state()
    faults[0] = 99
    with pytest.raises(SourceError, match=r"after 3 attempts: .*\$\.code is '500', message '系统繁忙 \*\*\*'"):
        place.land(pause=quick)
    assert place.state() == before


@pytest.mark.parametrize("code", ["00", True, 0])
def test_codes_of_success_compare_as_json_writes_them(
    office: Callable[..., Place], service: Service, code: Any
) -> None:
    place = office(records="$.data", success={"path": "$.ok", "equals": [code], "message": "$.info.why"})
    service.answer = lambda request: Answer({"ok": code, "data": ROWS})
    place.land()
    assert held(place) == ALL
    service.answer = lambda request: Answer({"ok": "no", "info": {"why": "closed at night"}, "data": []})
    with pytest.raises(SourceError, match=r"\$\.ok is 'no', message 'closed at night'"):
        place.land(pause=quick)


def test_rows_that_do_not_add_up_to_the_total_are_pulled_again(office: Callable[..., Place], service: Service) -> None:
    place = office(paging={**PAGED, "total_path": "$.total"}, records="$.rows", cursor=CURSOR)
    rows = list(ROWS)

    def answer(request: Request) -> Answer:
        body = {"rows": pages(rows)(request).body, "total": len(rows)}
        if len(service.requests) == 1:
            del rows[0]  # all later rows move one place forward
        return Answer(body)

    service.answer = answer
    place.land()
    assert held(place) == ALL[1:]
    service.answer = lambda request: Answer({"rows": pages(rows)(request).body, "total": 10})
    with pytest.raises(SourceError, match=r"tells 10 rows and 8 came.*fixed order.*total_path"):
        place.land()
    service.answer = lambda request: Answer({"rows": ROWS})
    with pytest.raises(SourceError, match=r"tells no total.*total_path"):
        place.land()


def test_pages_that_shift_are_looked_at_again(office: Callable[..., Place], service: Service) -> None:
    place = office(paging=PAGED, cursor=CURSOR)
    rows = list(ROWS)

    def answer(request: Request) -> Answer:
        found = pages(rows)(request)
        if len(service.requests) == 2:
            # Changed while page 3 is asked for: it moves to the end, and 07 moves to where nobody looks any more.
            rows.append({**rows.pop(0), "updated_at": "2026-01-01T12:00:00"})
        return found

    service.answer = answer
    place.land()
    assert held(place) == ALL


def test_pages_without_an_order_are_refused(office: Callable[..., Place], service: Service) -> None:
    place = office(paging=PAGED, cursor=CURSOR)

    def answer(request: Request) -> Answer:
        turn, number = divmod(len(service.requests) - 1, 4)
        if number == 3:
            return Answer([])
        order = [ROWS[(n * (2 if number == 1 else 1) + 4 * turn) % 9] for n in range(9)]
        return Answer(order[3 * number : 3 * number + 3])

    service.answer = answer
    (refusal,) = place.land().refusals
    assert "the pages shift while they are read" in refusal.problem
    assert place.loads() == []
    assert place.watermark() is None


def test_only_what_is_missing_twice_is_gone(office: Callable[..., Place], service: Service) -> None:
    place = office()
    service.answer = lambda request: Answer(ROWS)
    place.land()
    answers = [ROWS[3:], [*ROWS[:2], *ROWS[4:]]]
    service.answer = lambda request: Answer(answers[len(service.requests) - 2])
    counts = place.land().counts
    assert (counts.deleted_count, held(place)) == (1, [number for number in ALL if number != "03"])
    assert [load["deleted_count"] for load in place.loads()] == [0, 1]


def test_many_deletions_are_refused_with_both_numbers(office: Callable[..., Place], service: Service) -> None:
    many = [{"order_no": str(n)} for n in range(100)]
    place = office()
    service.answer = lambda request: Answer(many)
    place.land()
    before = place.state()
    service.answer = lambda request: Answer(many[:89])
    (refusal,) = place.land().refusals
    assert "11 of the 100 keys that the lake holds are missing, more than `deletes_allowed` (10%)" in refusal.problem
    assert place.state() == before
    assert place.with_entry(deletes_allowed=0.11).land().counts.deleted_count == 11
    # Few are few, whatever their share.
    service.answer = lambda request: Answer(many[:79])
    assert place.with_entry(deletes_allowed=0).land().counts.deleted_count == 10
    assert place.loads()[-1]["deleted_count"] == 10


def test_a_corrected_row_with_the_same_time_of_change_lands(office: Callable[..., Place], service: Service) -> None:
    place = office(cursor=CURSOR)
    rows = [dict(row) for row in ROWS]
    service.answer = lambda request: Answer(
        [row for row in rows if row["updated_at"] >= request.params.get("since", "")]
    )
    place.land()
    rows[-1]["amount"] = 99
    assert place.land().counts.accepted_count == 1
    assert place.rows("order_no, amount")[-2:] == [("09", 9), ("09", 99)]


@pytest.mark.parametrize(
    ("telling", "shown", "asked"),
    [
        ({"tells": "epoch_ms"}, 1774974600000, "1774974600000"),
        ({"tells": "utc"}, "2026-03-31 16:30:00", "2026-03-31T16:30:00Z"),
        ({"tells": "auto"}, "2026-04-01T00:30:00+08:00", "2026-03-31T16:30:00Z"),
        ({"tells": "local"}, "2026-04-01T00:30:00", "2026-04-01T00:30:00"),
        ({"tells": "local", "zone": "Europe/Berlin"}, "2026-03-31 18:30:00", "2026-03-31T18:30:00"),
    ],
)
def test_the_cursor_is_asked_in_the_sources_own_way(
    office: Callable[..., Place], service: Service, telling: dict[str, str], shown: Any, asked: str
) -> None:
    cursor = {"field": "updated_at", "param": "since"}
    place = office(cursor=cursor, moments={"updated_at": telling})
    service.answer = lambda request: Answer([{"order_no": "1", "updated_at": shown}])
    place.land()
    assert place.watermark() == "2026-04-01 00:30:00"
    assert place.land().counts.repeated_count == 1
    assert service.requests[-1].params["since"] == asked
