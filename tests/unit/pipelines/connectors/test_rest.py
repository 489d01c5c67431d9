"""Pulling from a JSON service: paging, retries, secrets, the cursor and its overlap."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines.sources.declared import SourceError
from tests.unit.pipelines.connectors.service import Answer, Request, Service, running
from tests.unit.pipelines.landing.landings import KEYED, Place, contract, field, system
from warehouse.errors import LakeError
from warehouse.settings import Settings

ROWS = [{"order_no": f"{n:03}", "amount": n, "updated_at": f"2026-01-01T{n:02}:00:00"} for n in range(10)]
CURSOR = {"field": "updated_at", "param": "since", "overlap": "PT1H", "format": "%Y-%m-%dT%H:%M:%S"}
TOKEN = "s3cr3t-token"


@pytest.fixture
def service() -> Iterator[Service]:
    with running() as found:
        yield found


def office(settings: Settings, service: Service, tmp_path: Path, *, timeout: float = 60, **entry: Any) -> Place:
    block = {"base_url": service.url + "/api/", "token": TOKEN, "timeout_seconds": timeout, "attempts": 3}
    source = system("rest", {**block, "requests_per_second": 10_000}, {"path": "/orders.json", **entry})
    return Place(settings, source, KEYED, tmp_path)


@pytest.fixture
def place(sqlite_settings: Settings, service: Service, tmp_path: Path) -> Place:
    return office(sqlite_settings, service, tmp_path, paging={"style": "page", "size": 4, "page_param": "p"})


def page(rows: list[Any], request: Request, *, size: int = 4) -> list[Any]:
    number = int(request.params.get("p", 1))
    return rows[(number - 1) * size : number * size]


def since(rows: list[dict[str, Any]]) -> Any:
    return lambda request: Answer([r for r in rows if r["updated_at"] >= request.params.get("since", "")])


def landed(place: Place) -> list[str]:
    return [number for (number,) in place.rows("order_no", order="order_no")]


ALL = [row["order_no"] for row in ROWS]


def test_pages_by_number(place: Place, service: Service) -> None:
    service.answer = lambda request: Answer(page(ROWS, request))
    place.land()
    assert landed(place) == ALL
    assert [r.params for r in service.requests] == [{"p": str(n), "page_size": "4"} for n in (1, 2, 3, 4)]
    assert {r.path for r in service.requests} == {"/api/orders.json"}
    assert {r.headers["Authorization"] for r in service.requests} == {f"Bearer {TOKEN}"}
    (load,) = place.loads()
    assert (load["uri"], load["fetched_count"], load["read_count"]) == ("/orders.json", 10, 10)


@pytest.mark.parametrize("beyond", [[], "missing", "the last page again"])
def test_a_service_that_caps_the_page_size_loses_no_rows(place: Place, service: Service, beyond: Any) -> None:
    rows = ROWS if beyond != "the last page again" else ROWS[:3]

    def answer(request: Request) -> Answer:
        found = page(rows, request, size=3)
        if found or beyond == []:
            return Answer(found)
        return Answer("no such page", 404) if beyond == "missing" else Answer(rows[:3])

    service.answer = answer
    place.with_entry(paging={"style": "page", "size": 4, "page_param": "p", "end_status": 404}).land()
    assert landed(place) == [row["order_no"] for row in rows]


def test_pages_by_offset_count_what_came(sqlite_settings: Settings, service: Service, tmp_path: Path) -> None:
    place = office(sqlite_settings, service, tmp_path, paging={"style": "offset", "size": 100}, records="$.data.list")

    def answer(request: Request) -> Answer:
        start = int(request.params["offset"])
        return Answer({"data": {"list": ROWS[start : start + 3]}, "at": len(service.requests)})

    service.answer = answer
    place.land()
    assert landed(place) == ALL
    assert [r.params["offset"] for r in service.requests] == ["0", "3", "6", "9", "10"]


def test_pages_by_cursor(sqlite_settings: Settings, service: Service, tmp_path: Path) -> None:
    paging = {"style": "cursor", "size": 4, "cursor_param": "after", "next_path": "$.meta.next"}
    place = office(sqlite_settings, service, tmp_path, paging=paging, records="$.rows", params={"kind": "a b"})

    def answer(request: Request) -> Answer:
        start = int(request.params.get("after", 0))
        more = start + 4 if start + 4 < len(ROWS) else None
        # A page without rows in the middle is not the end.
        return Answer(
            {
                "rows": [] if start == 4 and "skipped" not in request.params else ROWS[start : start + 4],
                "meta": {"next": more},
            }
        )

    service.answer = answer
    place.land()
    assert landed(place) == ALL[:4] + ALL[8:]
    assert [r.params.get("after") for r in service.requests] == [None, "4", "8"]
    assert {r.params["kind"] for r in service.requests} == {"a b"}


def test_pages_by_link(sqlite_settings: Settings, service: Service, tmp_path: Path) -> None:
    place = office(sqlite_settings, service, tmp_path, paging={"style": "link", "size": 4})

    def answer(request: Request) -> Answer:
        start = int(request.params.get("start", 0))
        link = {"Link": f'<orders.json?start={start + 4}>; rel="next"'} if start + 4 < len(ROWS) else {}
        return Answer(ROWS[start : start + 4], headers=link)

    service.answer = answer
    place.land()
    assert landed(place) == ALL


def test_the_token_is_not_sent_to_another_server(sqlite_settings: Settings, service: Service, tmp_path: Path) -> None:
    place = office(sqlite_settings, service, tmp_path, paging={"style": "link"})
    with running() as other:
        service.answer = lambda request: Answer(ROWS, headers={"Link": f'<{other.url}/x>; rel="next"'})
        with pytest.raises(SourceError, match="the next page is on another server"):
            place.land()
        service.answer = lambda request: Answer(None, 302, {"Location": f"{other.url}/x"})
        with pytest.raises(SourceError, match="the service answered 302"):
            place.land()
        assert other.requests == []


def test_pages_in_circles_are_an_error_and_nothing_lands(place: Place, service: Service) -> None:
    service.answer = lambda request: Answer(ROWS[:4])
    with pytest.raises(SourceError, match=r"page 2 repeats an earlier page.*check `paging`"):
        place.land()
    envelope = place.with_entry(records="$.rows")
    service.answer = lambda request: Answer({"rows": ROWS[:4], "answered_at": len(service.requests)})
    with pytest.raises(SourceError, match="page 2 repeats an earlier page"):
        envelope.land()
    assert place.loads() == []


def test_pages_without_end_are_an_error(sqlite_settings: Settings, service: Service, tmp_path: Path) -> None:
    paging = {"style": "page", "size": 1, "page_param": "p", "max_pages": 5}
    place = office(sqlite_settings, service, tmp_path, paging=paging)
    service.answer = lambda request: Answer([{"order_no": request.params["p"]}])
    with pytest.raises(SourceError, match="more than 5 pages"):
        place.land()
    assert place.loads() == []


def test_a_row_on_two_pages_lands_once(place: Place, service: Service) -> None:
    service.answer = lambda request: Answer(page(ROWS[:4] + ROWS[3:6] + [{"order_no": None}] * 2, request))
    counts = place.land().counts
    assert landed(place) == ALL[:6]
    assert (counts.fetched_count, counts.repeated_count, counts.accepted_count, counts.quarantined_count) == (
        9,
        2,
        6,
        1,
    )


def test_a_failing_page_is_tried_again(place: Place, service: Service) -> None:
    def answer(request: Request) -> Answer:
        return Answer("busy", 500) if len(service.requests) in (2, 3) else Answer(page(ROWS, request))

    service.answer = answer
    waits: list[float] = []
    place.land(pause=waits.append)
    assert landed(place) == ALL
    assert len(service.requests) == 6
    assert len([wait for wait in waits if wait > 0.001]) <= 2


@pytest.mark.parametrize("failure", [Answer("busy", 500), Answer("x" * 100, hangs=True), Answer("{no json", 200)])
def test_a_pull_that_breaks_off_leaves_nothing(
    sqlite_settings: Settings, tmp_path: Path, service: Service, failure: Answer
) -> None:
    paging = {"style": "page", "size": 4, "page_param": "p"}
    place = office(sqlite_settings, service, tmp_path, paging=paging, cursor=CURSOR)
    # Each attempt waits this long for the half of an answer that never comes.
    timeout = 0.5 if failure.hangs else 60
    hasty = office(sqlite_settings, service, tmp_path, timeout=timeout, paging=paging, cursor=CURSOR)
    service.answer = lambda request: Answer(page(ROWS[:3], request))
    place.land()
    before, snapshot = place.state(), place.snapshot()
    changed = [row | {"amount": 99} for row in ROWS]
    if failure.body == "{no json":
        failure = Answer(b"{no json")
    service.answer = lambda request: failure if request.params["p"] == "2" else Answer(page(changed, request))
    with pytest.raises(SourceError) as caught:
        hasty.land(pause=lambda seconds: None)
    assert f"{service.url}/api/orders.json" in str(caught.value)
    assert place.state() == before
    assert place.snapshot() == snapshot + 1  # that the pull failed is remembered
    assert list((place.settings.home_path / "spool").glob("*")) == []
    service.answer = lambda request: Answer(page(ROWS, request))
    place.land()
    assert landed(place) == ALL


def test_retry_after_is_obeyed_within_reason(place: Place, service: Service) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    refusals = [Answer("slow", 429, {"Retry-After": "7"}), Answer("slow", 503, {"Retry-After": later})]

    def answer(request: Request) -> Answer:
        return refusals[len(service.requests) - 1] if len(service.requests) <= 2 else Answer(page(ROWS, request))

    service.answer = answer
    waits: list[float] = []
    place.land(pause=waits.append)
    assert 7.0 in waits
    assert [round(wait) for wait in waits if 10 < wait <= 20]
    service.answer = lambda request: Answer("slow", 429, {"Retry-After": "86400"})
    waits.clear()
    with pytest.raises(SourceError, match="no good answer after 3 attempts"):
        place.land(pause=waits.append)
    assert max(waits) == 60.0


def test_a_refused_token_is_named_and_never_shown(
    place: Place, service: Service, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRIDLAKE_SOURCE_KEY", "k3y")
    caplog.set_level(0)
    place = place.with_entry(params={"key": "${GRIDLAKE_SOURCE_KEY}", "kind": "open"})
    service.answer = lambda request: Answer("no", 401)
    with pytest.raises(SourceError, match=r"the service answered 401.*check the token") as caught:
        place.land()
    assert len(service.requests) == 1
    assert service.requests[0].params["key"] == "k3y"
    service.answer = lambda request: Answer(ROWS if request.params["p"] == "1" else [])
    place.land()
    shown = f"{caught.value!r} {caught.value} {place.loads()} {caplog.text}"
    assert "kind=open" in shown
    assert TOKEN not in shown
    assert "k3y" not in shown


def test_an_answer_without_the_array_is_an_error(place: Place, service: Service) -> None:
    for body in ({"rows": []}, {"error": "no"}, None):
        service.answer = lambda request, body=body: Answer(body)
        with pytest.raises(SourceError, match=r"has no array of rows.*correct `records`"):
            place.land()


def test_a_service_that_is_not_there_is_an_error(sqlite_settings: Settings, service: Service, tmp_path: Path) -> None:
    with running() as gone:
        pass
    service.url = gone.url
    place = office(sqlite_settings, service, tmp_path)
    with pytest.raises(SourceError, match=r"no good answer after 3 attempts: ConnectError"):
        place.land(pause=lambda seconds: None)


def test_only_news_lands_and_the_overlap_is_repeated(settings: Settings, service: Service, tmp_path: Path) -> None:
    place = office(settings, service, tmp_path, cursor=CURSOR)
    rows = [*ROWS[:5], {"order_no": "bad", "amount": "x", "updated_at": "2026-01-01T04:00:00"}]
    service.answer = since(rows)
    first = place.land().counts
    assert (first.accepted_count, first.quarantined_count, place.watermark()) == (5, 1, "2026-01-01 04:00:00")

    snapshot = place.snapshot()
    second = place.land().counts
    assert service.requests[-1].params["since"] == "2026-01-01T03:00:00"
    assert (second.fetched_count, second.repeated_count, second.delivery_count) == (3, 3, 0)
    assert place.snapshot() == snapshot

    rows[3] = rows[3] | {"amount": 33}  # changed late, its time is inside the overlap
    rows += ROWS[5:7]
    third = place.land().counts
    assert (third.fetched_count, third.repeated_count, third.accepted_count, third.quarantined_count) == (5, 2, 3, 0)
    assert place.rows("order_no, amount", order="_load_seq, 1")[5:] == [("003", 33), ("005", 5), ("006", 6)]
    assert place.watermark() == "2026-01-01 06:00:00"
    assert len(place.quarantine()) == 1
    load = place.loads()[-1]
    assert (load["cursor_from"], load["cursor_to"]) == ("2026-01-01 03:00:00", "2026-01-01 06:00:00")


def test_a_pull_without_rows_is_no_delivery_and_no_refusal(place: Place, service: Service) -> None:
    place = place.with_entry(cursor=CURSOR)
    for rows in (ROWS, []):
        service.answer = lambda request, rows=rows: Answer(page(rows, request))
        result = place.land()
        assert result.refusals == ()
    assert place.watermark() == "2026-01-01 09:00:00"
    assert len(place.loads()) == 1


def test_a_service_that_rounds_the_time_doubles_nothing(place: Place, service: Service) -> None:
    rows = [{"order_no": str(n), "updated_at": f"2026-01-01T10:00:00.{n}00"} for n in range(1, 9)]
    place = place.with_entry(cursor=CURSOR | {"overlap": "PT0S"}, paging=None)
    service.answer = since(rows)
    place.land()
    assert place.land().counts.repeated_count == 8
    assert service.requests[-1].params["since"] == "2026-01-01T10:00:00"
    assert len(place.rows()) == 8


def test_a_time_in_the_future_does_not_silence_the_source(place: Place, service: Service) -> None:
    place = place.with_entry(cursor=CURSOR, paging=None)
    late = {"order_no": "late", "updated_at": "2999-01-01T00:00:00"}
    broken = {"order_no": None, "updated_at": "2026-06-01T00:00:00"}
    service.answer = since([ROWS[0], late, broken])
    place.land()
    assert place.watermark() == "2026-01-01 00:00:00"
    service.answer = since([ROWS[0], late, broken, ROWS[1]])
    assert place.land().counts.accepted_count == 1
    assert landed(place) == ["000", "001"]
    assert [rules for _, rules, _ in place.quarantine()] == [["future:updated_at"], ["required:order_no"]]


def test_the_watermark_never_moves_back(place: Place, service: Service) -> None:
    place = place.with_entry(cursor=CURSOR, paging=None)
    service.answer = since(ROWS)
    place.land()
    service.answer = lambda request: Answer([ROWS[2] | {"amount": 22}])
    assert place.land(since="2026-01-01").counts.accepted_count == 1
    assert service.requests[-1].params["since"] == "2026-01-01T00:00:00"
    assert place.watermark() == "2026-01-01 09:00:00"


def test_a_cursor_that_is_a_number(sqlite_settings: Settings, service: Service, tmp_path: Path) -> None:
    cursor = {"field": "serial", "param": "above", "start": "0"}
    place = office(sqlite_settings, service, tmp_path, cursor=cursor)
    place = place.with_contract(
        contract(field("order_no", is_required=True, key_position=1), field("serial", "BIGINT"))
    )
    service.answer = lambda request: Answer(
        [{"order_no": str(n), "serial": n} for n in range(8, 12) if n >= int(request.params["above"])]
    )
    place.land()
    assert place.watermark() == "11"
    place.land()
    assert [r.params["above"] for r in service.requests] == ["0", "11"]
    with pytest.raises(SourceError, match="an overlap is a span of time, but the cursor is not a time"):
        place.with_entry(cursor=cursor | {"overlap": "PT1H"}).land()


def test_without_a_cursor_vanished_keys_are_marked_and_come_back(
    sqlite_settings: Settings, service: Service, tmp_path: Path
) -> None:
    place = office(sqlite_settings, service, tmp_path)
    for rows in (ROWS[:3], ROWS[:2], ROWS[:3]):
        service.answer = lambda request, rows=rows: Answer(rows)
        place.land()
    assert place.rows("order_no, _is_deleted", order="_load_seq, 1")[3:] == [("002", True), ("002", False)]
    service.answer = lambda request: Answer([])
    (refusal,) = place.land().refusals
    assert "the table is empty although the lake holds rows" in refusal.problem


@pytest.mark.parametrize("has_news", [True, False])
def test_a_pull_that_another_run_overtook_writes_nothing(place: Place, service: Service, has_news: bool) -> None:
    nested: list[int] = []
    newer = [row | {"amount": 99} for row in ROWS]

    def answer(request: Request) -> Answer:
        if not nested:
            nested.append(1)
            place.land()
            nested.append(2)
        return Answer(page(newer if has_news and len(nested) == 2 else ROWS, request))

    service.answer = answer
    if has_news:
        with pytest.raises(LakeError, match=r"another run landed this data set meanwhile.*run it again"):
            place.land()
    else:
        assert place.land().counts.delivery_count == 0
    assert place.rows("order_no, amount", order="1") == [(row["order_no"], row["amount"]) for row in ROWS]
    assert len(place.loads()) == 1
