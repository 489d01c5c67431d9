"""The limit on wrong passwords: for whom it holds, for how long, and for whom it does not."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import Engine

from catalog.serve.superset.server.guesses import (
    WINDOW_SECONDS,
    WRONG_PER_ACCOUNT,
    WRONG_PER_ADDRESS,
    Attempt,
    Guesses,
    Refused,
    prepare,
)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = create_engine(f"sqlite:///{tmp_path / 'own.db'}", connect_args={"timeout": 30})
    prepare(made)
    prepare(made)  # a second start finds it there
    yield made
    made.dispose()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def wrong(guesses: Guesses, account: str, address: str, times: int) -> list[Attempt | Refused]:
    return [guesses.begin(account, address) for _ in range(times)]


def test_an_account_is_guessed_at_ten_times_and_then_waits(engine: Engine, clock: Clock) -> None:
    guesses = Guesses(engine, "key", clock)
    made = wrong(guesses, "wang", "10.0.0.1", WRONG_PER_ACCOUNT)
    assert all(isinstance(attempt, Attempt) for attempt in made)
    # Another address does not help: it is the account that is guessed at.
    refused = guesses.begin("wang", "10.0.0.2")
    assert isinstance(refused, Refused)
    assert 0 < refused.seconds <= WINDOW_SECONDS
    assert isinstance(guesses.begin("li", "10.0.0.2"), Attempt)
    clock.now += refused.seconds
    assert isinstance(guesses.begin("wang", "10.0.0.2"), Attempt)


def test_waiting_is_not_prolonged_by_asking_again(engine: Engine, clock: Clock) -> None:
    guesses = Guesses(engine, "key", clock)
    wrong(guesses, "wang", "10.0.0.1", WRONG_PER_ACCOUNT)
    waits = [found.seconds for found in wrong(guesses, "wang", "10.0.0.1", 5) if isinstance(found, Refused)]
    assert len(waits) == 5
    assert waits == sorted(waits, reverse=True)


def test_an_address_tries_thirty_accounts_and_then_waits(engine: Engine, clock: Clock) -> None:
    guesses = Guesses(engine, "key", clock)
    for number in range(WRONG_PER_ADDRESS):
        assert isinstance(guesses.begin(f"name {number}", "10.0.0.1"), Attempt)
    assert isinstance(guesses.begin("another", "10.0.0.1"), Refused)
    assert isinstance(guesses.begin("another", "10.0.0.2"), Attempt)


def test_nobody_is_locked_out_by_strangers_where_they_come_in_from(engine: Engine, clock: Clock) -> None:
    guesses = Guesses(engine, "key", clock)
    first = guesses.begin("wang", "10.0.0.1")
    assert isinstance(first, Attempt)
    guesses.good(first)
    wrong(guesses, "wang", "203.0.113.9", WRONG_PER_ACCOUNT + 5)
    wrong(guesses, "nobody", "10.0.0.1", WRONG_PER_ADDRESS + 5)
    assert isinstance(guesses.begin("wang", "10.0.0.1"), Attempt)
    assert isinstance(guesses.begin("wang", "203.0.113.9"), Refused)
    # From there it has a limit of its own: nine more wrong ones, and it waits like everybody.
    wrong(guesses, "wang", "10.0.0.1", WRONG_PER_ACCOUNT - 1)
    assert isinstance(guesses.begin("wang", "10.0.0.1"), Refused)


def test_a_right_password_forgets_the_wrong_ones_before_it(engine: Engine, clock: Clock) -> None:
    guesses = Guesses(engine, "key", clock)
    for _ in range(3):
        wrong(guesses, "wang", "10.0.0.1", WRONG_PER_ACCOUNT - 1)
        attempt = guesses.begin("wang", "10.0.0.1")
        assert isinstance(attempt, Attempt)
        guesses.good(attempt)


def test_many_at_once_do_not_slip_through(engine: Engine) -> None:
    guesses = Guesses(engine, "key")
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: guesses.begin("wang", "10.0.0.1"), range(60)))
    assert sum(isinstance(attempt, Attempt) for attempt in made) == WRONG_PER_ACCOUNT


def test_a_restart_forgets_nothing_and_no_name_is_kept(engine: Engine, clock: Clock, tmp_path: Path) -> None:
    wrong(Guesses(engine, "key", clock), "name hunter2", "10.0.0.1", WRONG_PER_ACCOUNT)
    engine.dispose()
    again = create_engine(f"sqlite:///{tmp_path / 'own.db'}")
    assert isinstance(Guesses(again, "key", clock).begin("name hunter2", "10.0.0.1"), Refused)
    again.dispose()
    assert b"hunter2" not in b"".join(file.read_bytes() for file in tmp_path.glob("own.db*"))
