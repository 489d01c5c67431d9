"""What the deliveries of a data set say as a whole: too much of the last run refused, some refused whole, or silence.

Does not belong here: what single deliveries and rules say (`contract_checks`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb

from catalog.contract import Contract
from quality.raw_result import raw_result, share_text
from quality.refusals import KeptRefusal
from quality.results import MAX_FAILED_KEYS, CheckResult
from quality.texts import CheckText
from warehouse.identifiers import checked, quoted

# A share of fewer rows says nothing: one bad row of three is a third of them.
LEAST_ROWS = 20
# Enough landings for the newest data of a source to be among them.
_LANDINGS_LOOKED_AT = 20
_AHEAD = timedelta(days=1)


@dataclass(frozen=True)
class LastRun:
    """The deliveries of a data set that the last run landed: their rows, and those with refused rows, worst first."""

    read_count: int
    refused_count: int
    places: tuple[str, ...]


def last_runs(connection: duckdb.DuckDBPyConnection) -> Mapping[str, LastRun]:
    """The last run of each data set: what has landed since the share of the run before was judged."""
    rows = connection.execute(
        f"""
        WITH newest AS (SELECT dataset, max(load_seq) AS position FROM lake.ops.load GROUP BY dataset),
        before AS (
            SELECT dataset, max(data_position) AS position
            FROM lake.ops.quality_result AS r JOIN newest AS n USING (dataset)
            WHERE kind = 'delivery' AND rule = 'quarantine_share' AND data_position < n.position
            GROUP BY dataset
        )
        SELECT dataset, sum(read_count), sum(quarantined_count),
               coalesce(list(coalesce(uri, delivery_id) ORDER BY quarantined_count DESC, delivery_id)
                   FILTER (quarantined_count > 0), [])[1:{MAX_FAILED_KEYS}]
        FROM lake.ops.load LEFT JOIN before USING (dataset)
        WHERE load_seq > coalesce(before.position, 0)
        GROUP BY dataset"""
    ).fetchall()
    return {dataset: LastRun(int(read), int(refused), tuple(places)) for dataset, read, refused, places in rows}


def share_refused(contract: Contract, run: LastRun, position: int) -> CheckResult:
    """Not too large a share of what the last run brought was refused; judged anew when the contract allows more."""
    allowed = contract.quarantine_share_allowed
    is_bad = run.read_count >= LEAST_ROWS and run.refused_count > allowed * run.read_count
    part, whole, percent = share_text(run.refused_count, run.read_count)
    others = f" (+{len(run.places) - 1})" if len(run.places) > 1 else ""
    place = f"{run.places[0]}{others}" if run.places else contract.name
    counts = (f"{part} / {whole}", percent, f"{allowed:.0%}")
    text = CheckText.of("refused_too_many", place, *counts) if is_bad else CheckText.of("refused_share", *counts)
    return raw_result(
        contract,
        "quarantine_share",
        kind="delivery",
        severity="error",
        checked_count=run.read_count,
        failed_count=run.refused_count if is_bad else 0,
        text=text,
        position=position,
        failed_keys=tuple(f"delivery={one}" for one in run.places) if is_bad else (),
    )


def refused_whole(contract: Contract, refusals: Sequence[KeptRefusal], position: int) -> CheckResult:
    """No delivery of the data set is refused and not mended, whatever has landed since, and its source can be read.

    Nothing is held back by it: what the lake holds is as true as before, only older, and freshness tells how old.
    """
    own = [refusal for refusal in refusals if refusal.dataset == contract.name]
    others = f" (+{len(own) - 1})" if len(own) > 1 else ""
    code = "source_unread" if own and own[0].is_of_a_pull else "refused_whole"
    text = CheckText.of(code, f"{own[0].uri}{others}", own[0].problem) if own else CheckText.of("all_read")
    return raw_result(
        contract,
        "refused_whole",
        kind="delivery",
        severity="error",
        checked_count=None,
        failed_count=len(own),
        text=text,
        position=position,
        failed_keys=tuple(f"{refusal.refusal_id}={refusal.uri}" for refusal in own[:MAX_FAILED_KEYS]),
    )


def newest_times(connection: duckdb.DuckDBPyConnection, contracts: Iterable[Contract]) -> dict[str, datetime]:
    """The newest time in the data of each data set that tells times, among its last landings.

    Times beyond the moment of their landing (and a day, for time zones) do not count.
    """
    last = connection.execute(
        "SELECT dataset, min(load_seq) FROM (SELECT dataset, load_seq FROM lake.ops.load WHERE accepted_count > 0"
        f" QUALIFY row_number() OVER (PARTITION BY dataset ORDER BY load_seq DESC) <= {_LANDINGS_LOOKED_AT})"
        " GROUP BY dataset"
    ).fetchall()
    since = dict(last)
    found = {}
    for contract in contracts:
        times = [f.name for f in contract.fields if f.physical_type.upper() == "TIMESTAMP"]
        if not times or contract.name not in since:
            continue
        limit = f"_loaded_at + INTERVAL {_AHEAD.days} DAY"
        newest = ", ".join(f"max({quoted(name)}) FILTER ({quoted(name)} <= {limit})" for name in times)
        place = f"lake.raw.{checked(contract.name)}"
        row = connection.execute(
            f"SELECT {newest} FROM {place} WHERE _load_seq >= {int(since[contract.name])}"
        ).fetchone()
        known = [moment for moment in row or () if moment is not None]
        if known:
            found[contract.name] = max(known)
    return found


def silence(contract: Contract, newest: Mapping[str, datetime], position: int) -> list[CheckResult]:
    """Whether the data's own newest time is far behind that of the city, though something may have landed in time.

    A warning: the matter itself may be quiet. Nothing for a data set that tells no time or no frequency.
    """
    if contract.name not in newest or contract.frequency is None or contract.lateness is None:
        return []
    allowed = timedelta(hours=contract.frequency.hours + contract.lateness.hours)
    behind = max(newest.values()) - newest[contract.name]
    return [
        raw_result(
            contract,
            "freshness:data",
            severity="warning",
            checked_count=1,
            failed_count=int(behind > allowed),
            text=CheckText.of("data_behind", *(f"{span.total_seconds() / 3600:.1f}" for span in (behind, allowed))),
            position=position,
        )
    ]
