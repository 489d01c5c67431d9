"""A source that cannot be read is kept as a refusal until a pull succeeds, and keeps nobody else from their data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from pipelines.assets.raw import WHOLE, raw_assets
from pipelines.look import land_systems
from pipelines.resources import LakeResource
from pipelines.sources.declared import PullError, SourceSystem
from quality.contract_checks import contract_checks
from quality.held_back import holding
from quality.refusals import KeptRefusal, RefusalError, accept, open_refusals
from tests.unit.pipelines.connectors.databases import executor
from tests.unit.pipelines.connectors.service import Answer, Service, running
from tests.unit.pipelines.landing.landings import KEYED, ORDERS, Place, contract, files, system
from warehouse.lake.postgres import create_database
from warehouse.lake.session import open_lake
from warehouse.settings import Settings

ROWS = [{"order_no": "001", "amount": 1, "updated_at": "2026-01-01T01:00:00"}]


@pytest.fixture
def service() -> Iterator[Service]:
    with running() as found:
        yield found


def office(settings: Settings, url: str, root: Path, **entry: Any) -> Place:
    block = {"base_url": url, "attempts": 1, "timeout_seconds": 5, "requests_per_second": 10_000}
    return Place(settings, system("rest", block, {"path": "orders.json", **entry}), KEYED, root)


def kept(settings: Settings) -> list[KeptRefusal]:
    with open_lake(settings, read_only=True, spatial=False) as lake:
        return open_refusals(lake)


def fail(place: Place) -> KeptRefusal:
    with pytest.raises(PullError):
        place.land(pause=lambda seconds: None)
    (refusal,) = kept(place.settings)
    return refusal


def test_it_is_one_refusal_however_it_is_worded_until_a_pull_succeeds(
    sqlite_settings: Settings, service: Service, tmp_path: Path
) -> None:
    with running() as gone:
        pass
    cursor = {"field": "updated_at", "param": "since"}
    place = office(sqlite_settings, service.url, tmp_path, cursor=cursor)
    service.answer = lambda request: Answer(ROWS)
    place.land()
    first = fail(office(sqlite_settings, gone.url, tmp_path, cursor=cursor))
    assert (first.uri, first.is_of_a_pull) == ("office: orders.json", True)
    assert "ConnectError" in first.problem
    for answer, said in ((Answer("", 503), "503"), (Answer("", 401), "check the token"), (Answer({}), "no array")):
        service.answer = lambda request, answer=answer: answer
        found = fail(place)
        assert (found.refusal_id, found.seen_at) == (first.refusal_id, first.seen_at)
        assert said in found.problem
    before = place.snapshot()
    fail(place)
    assert place.snapshot() == before, "the same failure again writes nothing"
    service.answer = lambda request: Answer(ROWS)
    place.land()
    assert kept(sqlite_settings) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://no-such-host.invalid"])
def test_a_service_that_is_not_there_is_kept(sqlite_settings: Settings, tmp_path: Path, url: str) -> None:
    assert "no good answer after 1 attempts: ConnectError" in fail(office(sqlite_settings, url, tmp_path)).problem


def test_a_database_that_refuses_is_kept(sqlite_settings: Settings, postgres_url: str, tmp_path: Path) -> None:
    url = create_database(postgres_url, "unread")
    place = Place(
        sqlite_settings,
        system("database", {"engine": "postgres", "url": url.replace("/unread", "/nowhere")}, {"table": "orders"}),
        KEYED,
        tmp_path,
    )
    refusal = fail(place)
    assert refusal.uri == "office: orders"
    assert "the server has no database of that name" in refusal.problem


def test_a_database_file_or_folder_that_comes_back_closes_it(sqlite_settings: Settings, tmp_path: Path) -> None:
    database = tmp_path / "office.db"
    block = {"engine": "sqlite", "url": f"sqlite:///{database}"}
    place = Place(sqlite_settings, system("database", block, {"table": "orders"}), KEYED, tmp_path)
    assert "is not there" in fail(place).problem
    executor("sqlite", block["url"])("CREATE TABLE orders (order_no TEXT, amount INTEGER, updated_at TEXT)")
    place.land()
    assert kept(sqlite_settings) == []
    dropped = files(sqlite_settings, tmp_path / "drops")
    dropped.root.rmdir()
    assert fail(dropped).uri == f"office: {tmp_path / 'drops'}"
    dropped.root.mkdir()
    dropped.land()
    assert kept(sqlite_settings) == []


def test_it_cannot_be_accepted_because_later_failures_would_be_hidden(
    sqlite_settings: Settings, tmp_path: Path
) -> None:
    refusal = fail(office(sqlite_settings, "http://127.0.0.1:1", tmp_path))
    with pytest.raises(RefusalError, match="goes with the next pull that succeeds"):
        accept(sqlite_settings, refusal.refusal_id, "it is always like this")


def test_its_check_fails_with_an_error_and_holds_nothing_back(sqlite_settings: Settings, tmp_path: Path) -> None:
    fail(office(sqlite_settings, "http://127.0.0.1:1", tmp_path))
    (failed,) = [r for r in contract_checks(sqlite_settings, [KEYED]) if r.rule == "refused_whole"]
    assert (failed.is_passed, failed.severity) == (False, "error")
    assert failed.message.startswith("office: orders.json could not be read, what is held stays as it was")
    assert holding([failed]) == []


def test_the_data_of_the_others_land_and_can_be_built_on(sqlite_settings: Settings, tmp_path: Path) -> None:
    deaf = office(sqlite_settings, "http://127.0.0.1:1", tmp_path)
    folder = files(sqlite_settings, tmp_path / "drops", contract(*ORDERS.fields, name="letters"))
    folder = folder.with_entry(dataset="letters")
    folder.drop("a.csv", "order_no,amount,reported_at,status\n1,2,2026-01-01 08:00:00,new\n")
    known = {"orders": KEYED, "letters": folder.contract}
    landed = land_systems(sqlite_settings, [deaf.source, folder.source], known, None)
    assert landed.results["letters"].counts.accepted_count == 1
    assert landed.is_sound
    (told,) = landed.unread
    assert told.startswith("orders: http://127.0.0.1:1/orders.json: no good answer")
    assert "orders" in landed.to_tell


def test_dagsters_step_ends_well_and_its_check_does_not(
    sqlite_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step that failed would keep the models from what all other sources have brought."""
    monkeypatch.setenv("GRIDLAKE_HOME", str(sqlite_settings.home_path))
    source: SourceSystem = office(sqlite_settings, "http://127.0.0.1:1", tmp_path).source
    run = dg.materialize(raw_assets([source], {"orders": KEYED}), resources={"lake": LakeResource()})
    assert run.success
    (check,) = run.get_asset_check_evaluations()
    assert (check.check_name, check.passed, check.severity) == (WHOLE, False, dg.AssetCheckSeverity.ERROR)
    assert "office: orders.json" in str(check.metadata["refused"].value)
