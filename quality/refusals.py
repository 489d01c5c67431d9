"""Deliveries that were refused whole, kept in `ops.refusal` from the first time on until they are mended.

Belongs here: remembering them, closing them, accepting them by hand. Why a delivery is refused: the connectors and
landing. A refusal closes when the same place has given a delivery that could be landed, or when a steward accepts it;
never because another delivery came.

A pull that failed (the service does not answer, the password is wrong, its rows do not add up) is kept like a file. It
has no content of its own, so it is known by its place, however the failure is worded, and the next good pull closes it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from warehouse.errors import GridLakeError
from warehouse.identifiers import literal
from warehouse.lake.layout import row_count
from warehouse.lake.session import open_lake, transact
from warehouse.settings import Settings

_OPEN = "closed_at IS NULL"
_DIGITS = re.compile(r"\d+")
_COLUMNS = "refusal_id, source, dataset, uri, content_hash, problem, first_seq, seen_at, outcome, reason"


class RefusalError(GridLakeError):
    """A refusal that somebody names is not there, or is no longer open."""


@dataclass(frozen=True)
class Refused:
    """A delivery as it was refused: `content_hash` is empty where it came from no file, but from a pull."""

    dataset: str
    uri: str
    content_hash: str
    problem: str

    @property
    def refusal_id(self) -> str:
        """Eight hex digits: the same delivery with the same content keeps them, other content gets others."""
        text = "\0".join((self.dataset, self.uri, self.content_hash))
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    @property
    def is_of_a_pull(self) -> bool:
        """Whether no file was refused, but a service or database could not be read."""
        return not self.content_hash

    def says_other_than(self, other: Refused) -> bool:
        """Whether people are told something else by it; numbers (of attempts, rows, seconds) do not count."""
        return _DIGITS.sub("", self.problem) != _DIGITS.sub("", other.problem)


@dataclass(frozen=True)
class KeptRefusal(Refused):
    """A refusal as the lake remembers it.

    `first_seq` is the number of the lake's newest landing when it was first seen, `seen_at` that moment in UTC.
    `outcome` is None while it is open, else `landed`, `replaced` or `accepted`; `reason` is a steward's word.
    `kept_id` is the id by which the lake knows it: an earlier release told pulls apart by their words.
    """

    kept_id: str
    source: str
    first_seq: int
    seen_at: datetime
    outcome: str | None = None
    reason: str | None = None


def open_refusals(connection: duckdb.DuckDBPyConnection, dataset: str | None = None) -> list[KeptRefusal]:
    """The refusals that nobody has mended or accepted yet, by data set and place; none in a lake without the table."""
    return _kept(connection, _OPEN + ("" if dataset is None else f" AND dataset = {literal(dataset)}"))


def settle(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    source: str,
    dataset: str,
    found: Sequence[Refused],
    is_whole: Callable[[str], bool],
) -> list[Refused]:
    """Bring the kept refusals of a data set to what a landing that went to its end has found.

    Nothing is written where nothing changed. Returns what was found without what a steward has accepted.

    Args:
        connection: a session of the lake that may write.
        settings: of the lake.
        source: the source system.
        dataset: the data set.
        found: every delivery that was refused this time.
        is_whole: whether the place of a formerly refused delivery, which was not refused now, gives one that landed.
    """
    of_these = f"source = {literal(source)} AND dataset = {literal(dataset)}"
    kept_ones = _kept(connection, f"{of_these} AND ({_OPEN} OR outcome = 'accepted')")
    accepted = {kept.refusal_id for kept in kept_ones if kept.outcome}
    standing = {refused.uri: refused for refused in found if refused.refusal_id not in accepted}
    known = {kept.uri: kept for kept in kept_ones if not kept.outcome}
    mended = [kept for uri, kept in known.items() if uri not in standing and is_whole(uri)]
    replaced = [kept for uri, kept in known.items() if uri in standing and standing[uri].refusal_id != kept.refusal_id]
    fresh = [r for uri, r in standing.items() if uri not in known or known[uri].refusal_id != r.refusal_id]
    reworded = [r for uri, r in standing.items() if uri in known and r not in fresh and r.says_other_than(known[uri])]
    if mended or replaced or fresh or reworded:

        def write(lake: duckdb.DuckDBPyConnection) -> None:
            _close(lake, [kept.kept_id for kept in mended], "landed")
            _close(lake, [kept.kept_id for kept in replaced], "replaced")
            for refused in reworded:
                lake.execute(
                    f"UPDATE lake.ops.refusal SET problem = {literal(refused.problem)}"
                    f" WHERE {_OPEN} AND refusal_id = {literal(refused.refusal_id)}"
                )
            for refused in fresh:
                values = (refused.refusal_id, source, dataset, refused.uri, refused.content_hash, refused.problem)
                lake.execute(
                    "INSERT INTO lake.ops.refusal (refusal_id, source, dataset, uri, content_hash, problem, first_seq,"
                    f" seen_at) SELECT {', '.join(literal(value) for value in values)},"
                    f" (SELECT coalesce(max(load_seq), 0) FROM lake.ops.load), {_now()}"
                )

        transact(connection, settings, write, message=f"refusals of {dataset}")
    return list(standing.values())


def accept(settings: Settings, refusal_id: str, reason: str) -> KeptRefusal:
    """Close a refusal by a steward's word: that delivery is no longer told, and is not landed either.

    Raises:
        RefusalError: no open refusal has this id, there is no reason, or it is one of a pull: accepting it would hide
            every later failure of that source.
        LakeError: there is no lake.
    """
    if not reason.strip():
        raise RefusalError("is empty", where="--reason", fix="say why the delivery may be left out")
    with open_lake(settings, spatial=False) as connection:
        found = [kept for kept in open_refusals(connection) if kept.refusal_id == refusal_id]
        if not found:
            known = [kept.refusal_id for kept in open_refusals(connection)]
            fix = f"use one of {', '.join(known)}" if known else "nothing is open: `gridlake refusals list`"
            raise RefusalError("no open refusal has this id", where="refusal", value=refusal_id, fix=fix)
        if found[0].is_of_a_pull:
            raise RefusalError(
                "is no file, but a source that could not be read",
                where="refusal",
                value=refusal_id,
                fix="it goes with the next pull that succeeds: mend the source, then `gridlake run`",
            )
        transact(
            connection,
            settings,
            lambda lake: _close(lake, [found[0].kept_id], "accepted", reason.strip()),
            message=f"accepted: refusal {refusal_id}",
        )
        return found[0]


def _close(lake: duckdb.DuckDBPyConnection, ids: Sequence[str], outcome: str, reason: str | None = None) -> None:
    if not ids:
        return
    listing = ", ".join(literal(one) for one in ids)
    said = "NULL" if reason is None else literal(reason)
    lake.execute(
        f"UPDATE lake.ops.refusal SET closed_at = {_now()}, outcome = {literal(outcome)}, reason = {said}"
        f" WHERE {_OPEN} AND refusal_id IN ({listing})"
    )


def _kept(connection: duckdb.DuckDBPyConnection, condition: str) -> list[KeptRefusal]:
    if not row_count(connection, "ops", "refusal"):
        return []
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM lake.ops.refusal WHERE {condition} ORDER BY dataset, uri, first_seq"
    ).fetchall()
    return [
        KeptRefusal(dataset, uri, content_hash, problem, kept_id, source, int(first), seen_at, outcome, reason)
        for kept_id, source, dataset, uri, content_hash, problem, first, seen_at, outcome, reason in rows
    ]


def _now() -> str:
    return f"CAST({literal(datetime.now(UTC).replace(tzinfo=None).isoformat())} AS TIMESTAMP)"
