"""One page load reads one version, whatever is published meanwhile."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.serve.superset.server import page_loads as versions
from catalog.serve.superset.server.page_loads import (
    Pages,
    VersionGone,
    layers_with_token,
    refreshed_chart,
    token_of,
    with_token,
)


def publish(folder: Path, name: str) -> None:
    """Switch as the publisher does: the file first, then the symlink in one step."""
    (folder / name).write_text("")
    temporary = folder / "new"
    temporary.symlink_to(name)
    temporary.replace(folder / "city.duckdb")


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    publish(tmp_path, "city-1.duckdb")
    return Pages(tmp_path / "pages", tmp_path / "city.duckdb")


def test_charts_of_a_page_keep_its_version_after_a_publish(pages: Pages, tmp_path: Path) -> None:
    token = pages.new_token()
    publish(tmp_path, "city-2.duckdb")
    assert pages.version(token) == "city-1.duckdb"
    assert pages.version(None) == "city-2.duckdb"
    assert pages.version(pages.new_token()) == "city-2.duckdb"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the clock forward by seconds."""
    now = [versions.time.time()]
    monkeypatch.setattr(versions.time, "time", lambda: now[0])
    return lambda seconds: now.__setitem__(0, now[0] + seconds)


def test_a_refresh_moves_the_page_on_once_for_all_its_charts(
    pages: Pages, tmp_path: Path, clock: Callable[[float], None]
) -> None:
    token = pages.new_token()
    publish(tmp_path, "city-2.duckdb")
    clock(60)
    assert pages.version(token, refreshed="1") == "city-2.duckdb"
    publish(tmp_path, "city-3.duckdb")
    # The other charts of the same refresh, forced and not, and one that is loaded later when it is scrolled into view.
    # A slow machine may take its time, as long as one follows the other.
    for chart in ("2", "3", "4"):
        clock(15)
        assert pages.version(token, refreshed=chart) == "city-2.duckdb"
    assert pages.version(token) == "city-2.duckdb"
    clock(60)
    assert pages.version(token) == "city-2.duckdb"
    assert pages.version(token, refreshed="5") == "city-3.duckdb"


def test_the_same_chart_again_is_another_refresh(pages: Pages, tmp_path: Path, clock: Callable[[float], None]) -> None:
    token = pages.new_token()
    clock(60)
    assert [pages.version(token, refreshed=chart) for chart in ("1", "2", "3")] == ["city-1.duckdb"] * 3
    publish(tmp_path, "city-2.duckdb")
    clock(1)
    assert [pages.version(token, refreshed=chart) for chart in ("2", "1", "3")] == ["city-2.duckdb"] * 3


def test_charts_without_a_name_are_one_refresh(pages: Pages, tmp_path: Path, clock: Callable[[float], None]) -> None:
    token = pages.new_token()
    clock(60)
    assert pages.version(token, refreshed="") == "city-1.duckdb"
    publish(tmp_path, "city-2.duckdb")
    assert pages.version(token, refreshed="") == "city-1.duckdb"


def test_forced_charts_of_a_fresh_page_keep_its_version(pages: Pages, tmp_path: Path) -> None:
    token = pages.new_token()
    publish(tmp_path, "city-2.duckdb")
    assert pages.version(token, refreshed="1") == "city-1.duckdb"


def test_a_page_whose_version_is_gone_is_told_to_refresh(
    pages: Pages, tmp_path: Path, clock: Callable[[float], None]
) -> None:
    token = pages.new_token()
    publish(tmp_path, "city-2.duckdb")
    (tmp_path / "city-1.duckdb").unlink()
    with pytest.raises(VersionGone, match="refresh"):
        pages.version(token)
    clock(60)
    assert pages.version(token, refreshed="1") == "city-2.duckdb"


@pytest.mark.parametrize("token", ["", "../../etc/passwd", "0" * 31, "G" * 32, "0" * 32])
def test_a_token_that_nobody_was_given_reads_the_newest(pages: Pages, token: str) -> None:
    assert pages.version(token) == "city-1.duckdb"


def test_a_token_that_was_written_by_half_reads_the_newest(pages: Pages, tmp_path: Path) -> None:
    token = pages.new_token()
    file = tmp_path / "pages" / token
    file.write_text(file.read_text()[:20])
    publish(tmp_path, "city-2.duckdb")
    assert pages.version(token, refreshed="1") == "city-2.duckdb"


def test_before_the_first_publish_there_is_no_version(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Pages(tmp_path / "pages", tmp_path / "city.duckdb").version(None)


def test_old_tokens_are_forgotten(pages: Pages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = pages.new_token()
    os.utime(tmp_path / "pages" / token, (0, 0))
    monkeypatch.setattr(versions.secrets, "randbelow", lambda _: 0)
    kept = pages.new_token()
    assert [file.name for file in (tmp_path / "pages").iterdir()] == [kept]


@pytest.mark.parametrize(
    "body",
    [
        {"form_data": {"url_params": {"page": "t"}}},
        {"queries": [{"url_params": {"page": "t"}}]},
        {"url_params": {"page": "t"}},
    ],
)
def test_the_token_is_found_where_superset_puts_it(body: object) -> None:
    assert token_of(body) == "t"


@pytest.mark.parametrize("body", [None, [], {}, {"form_data": None}, {"url_params": {"page": 1}}, {"queries": None}])
def test_a_body_without_token_has_none(body: object) -> None:
    assert token_of(body) is None


@pytest.mark.parametrize(
    ("body", "chart"),
    [
        ({"force": True, "form_data": {"slice_id": 7}}, "7"),
        ({"force": True, "form_data": {"slice_id": 7, "native_filter_id": "NATIVE_FILTER-1"}}, "NATIVE_FILTER-1"),
        ({"force": True}, ""),
        # A layer of a map: its form data are the body.
        ({"force": True, "slice_id": 8}, "8"),
        ({"form_data": {"force": True, "slice_id": 7}}, "7"),
        ({"force": False, "form_data": {"slice_id": 7}}, None),
        ({"form_data": {"slice_id": 7}}, None),
        (None, None),
    ],
)
def test_a_refresh_is_known_by_the_chart_that_it_asks_for(body: object, chart: str | None) -> None:
    assert refreshed_chart(body) == chart


def test_every_chart_of_a_dashboard_carries_the_token_and_keeps_its_own_parameters() -> None:
    answer = json.dumps({"result": [{"form_data": {"url_params": {"a": "1"}, "metric": "案件数"}}, {"id": 2}]})
    charts = json.loads(with_token(answer, "t"))["result"]
    assert charts[0]["form_data"] == {"url_params": {"a": "1", "page": "t"}, "metric": "案件数"}
    assert charts[1]["form_data"] == {"url_params": {"page": "t"}}


def test_every_layer_of_a_map_carries_the_token() -> None:
    answer = json.dumps({"data": {"slices": [{"form_data": {"metric": "案件数"}}, {}]}, "other": 1})
    document = json.loads(layers_with_token(answer, "t"))
    assert [layer["form_data"]["url_params"] for layer in document["data"]["slices"]] == [{"page": "t"}] * 2
    assert document["other"] == 1
    for other in ({"data": []}, {"data": {"features": []}}, {}):
        assert layers_with_token(json.dumps(other), "t") == json.dumps(other)


def test_a_layer_without_a_row_is_empty_and_no_error() -> None:
    empty = json.dumps({"data": None, "status": "success"})
    assert json.loads(layers_with_token(empty, "t"))["data"] == {"features": []}
    failed = json.dumps({"data": None, "status": "failed"})
    assert layers_with_token(failed, "t") == failed
