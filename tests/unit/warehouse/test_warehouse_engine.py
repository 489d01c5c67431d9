"""Threads are a wish that the memory grants: DuckDB needs some for each of them."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from pipelines.build import dbt_environment
from pipelines.services.superset import options
from warehouse.lake.engine import engine_threads, memory_bytes
from warehouse.lake.session import open_lake
from warehouse.settings import Settings, load_settings


@pytest.mark.parametrize(
    ("memory", "wished", "given"),
    [
        ("1400MB", 2, 2),
        ("1400MB", 8, 8),
        ("1400MB", 16, 8),
        ("1400MB", 256, 8),
        ("4GB", 16, 16),
        ("350 MB", 16, 2),
        ("0.7GB", 16, 4),
        ("100MB", 16, 1),
    ],
)
def test_no_more_threads_than_the_memory_is_enough_for(memory: str, wished: int, given: int) -> None:
    assert engine_threads(load_settings(memory=memory, threads=wished)) == given


def test_a_size_is_read_in_its_own_unit() -> None:
    sizes = {"1400MB": 1_400_000_000, "1.5GiB": 1_610_612_736, "2 GB": 2_000_000_000, "512KiB": 524_288}
    assert {text: memory_bytes(load_settings(memory=text)) for text in sizes} == sizes


def test_every_session_is_opened_with_the_threads_it_is_given(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, memory="525MB", threads=32)
    with open_lake(settings) as lake:
        assert lake.execute("SELECT current_setting('threads')").fetchall() == [(3,)]
    assert dbt_environment(settings)["GRIDLAKE_DBT_THREADS"] == "3"
    assert options(settings).threads == 3


class _Told(logging.Handler):
    """What a logger is told, whatever other handlers a command has given it in this process."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def test_a_process_tells_once_that_threads_are_left_out(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    told, logger = _Told(), logging.getLogger("gridlake")
    monkeypatch.setattr(logger, "handlers", [told])
    monkeypatch.setattr(logger, "propagate", False)
    before = logger.level
    logger.setLevel(logging.INFO)
    request.addfinalizer(lambda: logger.setLevel(before))

    def tell(settings: Settings) -> list[str]:
        told.messages.clear()
        engine_threads(settings)
        return list(told.messages)

    few = load_settings(memory="701MB", threads=64)
    assert tell(few) == [
        "DuckDB works with 4 threads instead of 64, because 701MB are not enough for more. Set GRIDLAKE_MEMORY to"
        " 11200 MB or more to use all."
    ]
    assert tell(few) == []
    assert tell(load_settings(memory="701MB", threads=4)) == []
