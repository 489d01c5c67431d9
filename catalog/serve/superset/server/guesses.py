"""How often a password may be guessed: a limit for each account and for each address.

Kept in Superset's own tables, so that all worker processes and hosts count together and a restart forgets nothing. An
attempt is written down before the password is looked at: many at once do not slip through. Accounts stand here as a
keyed hash, because what is typed for a name may be somebody's password.

A limit must not become a way to lock somebody out: an account that has come in from an address before is judged, from
there, by the wrong passwords from that address alone.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

WINDOW_SECONDS = 15 * 60.0
WRONG_PER_ACCOUNT = 10
WRONG_PER_ADDRESS = 30
_KNOWN_SECONDS = 30 * 86400.0
_TABLE = "gridlake_sign_in"
_LOCK = 0x67_6C_73_69  # any number that is ours


def prepare(engine: Any) -> None:
    """Make the table where it is missing."""
    with engine.begin() as connection:
        connection.execute(
            text(
                f"CREATE TABLE IF NOT EXISTS {_TABLE} (id VARCHAR(64) PRIMARY KEY, at DOUBLE PRECISION NOT NULL,"
                " account VARCHAR(64) NOT NULL, address VARCHAR(64) NOT NULL, is_good INTEGER NOT NULL)"
            )
        )


@dataclass(frozen=True)
class Attempt:
    """One attempt that may go on to the password; `good` tells that the password was right."""

    id: str
    account: str
    address: str


@dataclass(frozen=True)
class Refused:
    """An attempt that comes too soon; after so many seconds the next one may be made."""

    seconds: int


class Guesses:
    """The attempts of all processes, in one table."""

    def __init__(self, engine: Any, key: str, now: Callable[[], float] = time.time) -> None:
        """Keep them in the database of `engine`; `key` is the secret for the hashes of accounts.

        `now` gives seconds since 1970.
        """
        self._engine, self._key, self._now = engine, key.encode(), now

    def begin(self, account: str, address: str) -> Attempt | Refused:
        """Ask whether a password may be tried for this account from this address, and count the attempt."""
        now = self._now()
        name = hmac.new(self._key, account.encode(), hashlib.sha256).hexdigest()
        attempt = Attempt(secrets.token_hex(16), name, address)
        with self._engine.begin() as connection:
            if self._engine.dialect.name == "postgresql":
                # SQLite has one writer at a time anyhow.
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK:d})"))
            self._forget(connection, now)
            if wait := self._wait(connection, attempt, now):
                return Refused(max(1, math.ceil(wait)))
            connection.execute(
                text(f"INSERT INTO {_TABLE} VALUES (:id, :at, :account, :address, 0)"),
                {"id": attempt.id, "at": now, "account": name, "address": address},
            )
        return attempt

    def good(self, attempt: Attempt) -> None:
        """The password was right: nothing is held against the account from this address."""
        with self._engine.begin() as connection:
            connection.execute(
                text(f"DELETE FROM {_TABLE} WHERE account = :account AND address = :address AND id <> :id"),
                {"account": attempt.account, "address": attempt.address, "id": attempt.id},
            )
            connection.execute(text(f"UPDATE {_TABLE} SET is_good = 1 WHERE id = :id"), {"id": attempt.id})

    def is_last(self, attempt: Attempt) -> bool:
        """Whether the next attempt of this account from this address would be refused: the log tells it."""
        with self._engine.begin() as connection:
            return self._wait(connection, attempt, self._now()) is not None

    def _wait(self, connection: Any, attempt: Attempt, now: float) -> float | None:
        """Seconds until one more attempt is allowed; None where it is."""
        pair = {"account": attempt.account, "address": attempt.address, "since": now - WINDOW_SECONDS}
        is_known = connection.execute(
            text(f"SELECT 1 FROM {_TABLE} WHERE account = :account AND address = :address AND is_good = 1"),
            {"account": attempt.account, "address": attempt.address},
        ).first()
        if is_known:
            limits = [("account = :account AND address = :address", WRONG_PER_ACCOUNT)]
        else:
            limits = [("account = :account", WRONG_PER_ACCOUNT), ("address = :address", WRONG_PER_ADDRESS)]
        waits = []
        for condition, limit in limits:
            # The attempt that must leave the window before one more fits in.
            oldest = connection.execute(
                text(
                    f"SELECT at FROM {_TABLE} WHERE {condition} AND is_good = 0 AND at > :since"
                    f" ORDER BY at DESC LIMIT 1 OFFSET {limit - 1:d}"
                ),
                pair,
            ).first()
            if oldest is not None:
                waits.append(oldest[0] + WINDOW_SECONDS - now)
        return max(waits, default=None)

    def _forget(self, connection: Any, now: float) -> None:
        connection.execute(
            text(f"DELETE FROM {_TABLE} WHERE (is_good = 0 AND at < :window) OR at < :known"),
            {"window": now - WINDOW_SECONDS, "known": now - _KNOWN_SECONDS},
        )
