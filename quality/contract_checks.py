"""Contract rules on landed data, as checks of each data set: what was refused, what was warned of, what is late.

Rows were judged once, when they landed; here that is read from `ops.load` and `quarantine`, not judged again.
Does not belong here: tests of the tables themselves (`suites`, dbt).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb

from catalog.contract import Contract, load_contracts
from quality import told
from quality.balance import balance
from quality.delivery_checks import last_runs, newest_times, refused_whole, share_refused, silence
from quality.raw_result import raw_result, share_text
from quality.refusals import open_refusals
from quality.register_checks import collapse
from quality.results import MAX_FAILED_KEYS, CheckResult, Severity, key_texts
from quality.texts import CheckText
from warehouse.identifiers import checked, literal
from warehouse.lake.session import open_lake
from warehouse.settings import Settings


@dataclass(frozen=True)
class _Load:
    """One delivery as `ops.load` has it."""

    delivery_id: str
    load_seq: int
    read_count: int
    accepted_count: int
    quarantined_count: int
    warnings: dict[str, int]
    unknown_columns: tuple[str, ...]


@dataclass(frozen=True)
class _Reach:
    """How far a data set's data goes: newest landing, newest cursor value (None without a time cursor).

    `loaded_at` is by the lake's sequence: a landing cannot be later than the one after it, so where its clock said so
    the clock was ahead, and the next one's time holds for it.
    """

    loaded_at: datetime
    cursor_at: datetime | None
    load_seq: int


def contract_checks(
    settings: Settings,
    contracts: Iterable[Contract] | None = None,
    *,
    connection: duckdb.DuckDBPyConnection | None = None,
    now: datetime | None = None,
) -> list[CheckResult]:
    """The results for the data sets of the lake's city, ordered by data set.

    Each delivery that no recorded result has seen yet is judged on its own; where there is none, the newest
    delivery is judged again, which gives the same results.

    Args:
        settings: of the lake.
        contracts: those to check; all of the city if absent.
        connection: an open lake session; without it one is opened.
        now: the wall clock, UTC without zone.

    Raises:
        LakeError: there is no lake.
    """
    if connection is None:
        with open_lake(settings, read_only=True, spatial=False) as opened:
            return contract_checks(settings, contracts, connection=opened, now=now)
    moment = now or datetime.now(UTC).replace(tzinfo=None)
    chosen = list(load_contracts(settings.city_path).values()) if contracts is None else list(contracts)
    reaches = _reaches(connection)
    loads, runs = _unseen_loads(connection), last_runs(connection)
    refusals = open_refusals(connection)
    # The city's newest data may be those of a data set that is not checked now.
    everything = {c.name: c for c in [*load_contracts(settings.city_path).values(), *chosen]}
    newest = newest_times(connection, everything.values())
    results: list[CheckResult] = []
    for contract in sorted(chosen, key=lambda c: c.name):
        position = reaches[contract.name].load_seq if contract.name in reaches else 0
        results += _freshness(contract, reaches, moment)
        results.append(refused_whole(contract, refusals, position))
        if contract.name in reaches:
            results += _delivery_results(connection, contract, loads[contract.name])
            results.append(share_refused(contract, runs[contract.name], position))
            results += silence(contract, newest, position)
            results.append(balance(connection, contract, position))
            results += collapse(connection, contract, position)
    return results


def covered(settings: Settings, contracts: Iterable[Contract]) -> Callable[[CheckResult], bool]:
    """Of which checks `contract_checks` of these contracts gives all; a data set without a contract has none."""
    judged = {contract.name for contract in contracts}
    known = set(load_contracts(settings.city_path))

    def covers(result: CheckResult) -> bool:
        if result.layer != "raw":
            return False
        return result.dataset not in known or (result.dataset in judged and result.kind in ("contract", "delivery"))

    return covers


def _reaches(connection: duckdb.DuckDBPyConnection) -> dict[str, _Reach]:
    rows = connection.execute(
        "SELECT dataset, max_by(landed_at, load_seq), max(TRY_CAST(cursor_to AS TIMESTAMP)), max(load_seq)"
        " FROM (SELECT *, min(loaded_at) OVER (ORDER BY load_seq DESC) AS landed_at FROM lake.ops.load)"
        " GROUP BY dataset"
    ).fetchall()
    return {dataset: _Reach(loaded_at, cursor_at, load_seq) for dataset, loaded_at, cursor_at, load_seq in rows}


def _freshness(contract: Contract, reaches: dict[str, _Reach], now: datetime) -> list[CheckResult]:
    """Late by the clock (a warning: the lake may simply not have run), and behind the other data (an error)."""
    if contract.frequency is None or contract.lateness is None:
        return []
    reach = reaches.get(contract.name)
    if reach is None:
        return [
            raw_result(
                contract,
                "freshness:clock",
                severity="warning",
                checked_count=0,
                failed_count=1,
                text=CheckText.of("never_delivered"),
                position=0,
            )
        ]
    allowed = timedelta(hours=contract.frequency.hours + contract.lateness.hours)
    # A cursor tells the time of the data; files and whole tables only the time of their landing.
    if reach.cursor_at is not None:
        reached = reach.cursor_at
        horizon = max(r.cursor_at for r in reaches.values() if r.cursor_at is not None)
    else:
        reached = reach.loaded_at
        horizon = max(r.loaded_at for r in reaches.values())
    comparisons: list[tuple[str, Severity, datetime, datetime, str]] = [
        ("freshness:clock", "warning", reach.loaded_at, now, "behind_clock"),
        ("freshness:horizon", "error", reached, horizon, "behind_horizon"),
    ]
    results = []
    for rule, severity, since, until, code in comparisons:
        late = until - since > allowed
        results.append(
            raw_result(
                contract,
                rule,
                severity=severity,
                checked_count=1,
                failed_count=int(late),
                text=CheckText.of(code, _hours(until - since), _hours(allowed)),
                position=reach.load_seq,
            )
        )
    return results


def _hours(span: timedelta) -> str:
    return f"{span.total_seconds() / 3600:.1f}"


def _unseen_loads(connection: duckdb.DuckDBPyConnection) -> dict[str, list[_Load]]:
    """By data set the deliveries that no recorded result has seen, oldest first; else those of the newest landing."""
    rows = connection.execute(
        """
        WITH seen AS (
            SELECT dataset, max(data_position) AS position FROM lake.ops.quality_result
            WHERE kind = 'delivery' GROUP BY dataset
        ), newest AS (SELECT dataset, max(load_seq) AS position FROM lake.ops.load GROUP BY dataset)
        SELECT dataset, delivery_id, load_seq, read_count, accepted_count, quarantined_count, warning_counts,
               unknown_columns
        FROM lake.ops.load JOIN newest USING (dataset) LEFT JOIN seen USING (dataset)
        WHERE load_seq >= least(coalesce(seen.position, 0) + 1, newest.position)
        ORDER BY load_seq, delivery_id"""
    ).fetchall()
    found: dict[str, list[_Load]] = {}
    for dataset, delivery_id, load_seq, read, accepted, refused, warnings, unknown in rows:
        load = _Load(delivery_id, load_seq, read, accepted, refused, json.loads(warnings or "{}"), tuple(unknown or ()))
        found.setdefault(dataset, []).append(load)
    return found


def _delivery_results(
    connection: duckdb.DuckDBPyConnection, contract: Contract, loads: Sequence[_Load]
) -> list[CheckResult]:
    """The results of the deliveries, those of one landing transaction taken together."""
    landings: dict[int, list[_Load]] = {}
    for load in loads:
        landings.setdefault(load.load_seq, []).append(load)
    broken = _broken_rules(connection, contract.name, list(landings))
    ever_told = _ever_told(connection, contract.name)
    results: list[CheckResult] = []
    for load_seq, group in landings.items():
        results += _quarantine(contract, load_seq, group, broken)
        results += _warnings(contract, load_seq, group, ever_told)
        results.append(_columns(contract, load_seq, group))
    return results


def _broken_rules(
    connection: duckdb.DuckDBPyConnection, dataset: str, positions: list[int]
) -> dict[str, dict[int, tuple[int, tuple[str, ...]]]]:
    """Rows refused by rule and landing, with the places of the first of them; every rule ever broken is a key.

    Only the quarantine of these landings is read; which rules were broken before stands in the recorded results.
    """
    if not positions:
        return {}
    recorded = connection.execute(
        "SELECT DISTINCT rule FROM lake.ops.quality_result WHERE kind = 'contract' AND layer = 'raw'"
        f" AND dataset = {literal(dataset)} AND text_code = 'refused_by_rule' ORDER BY rule"
    ).fetchall()
    rows = connection.execute(
        f"""
        SELECT rule, _load_seq, count(*),
               list({{'delivery': _delivery_id, 'row': _source_row}} ORDER BY _delivery_id, _source_row)
                   [1:{MAX_FAILED_KEYS}]
        FROM (SELECT unnest(broken_rules) AS rule, _load_seq, _delivery_id, _source_row
              FROM lake.quarantine.{checked(dataset)} WHERE _load_seq >= {min(positions):d})
        GROUP BY ALL ORDER BY rule, _load_seq"""
    ).fetchall()
    found: dict[str, dict[int, tuple[int, tuple[str, ...]]]] = {rule: {} for (rule,) in recorded}
    for rule, load_seq, count, places in rows:
        by_landing = found.setdefault(rule, {})
        if load_seq in positions:
            by_landing[load_seq] = (count, key_texts(places))
    return found


def _quarantine(
    contract: Contract,
    load_seq: int,
    group: Sequence[_Load],
    broken: dict[str, dict[int, tuple[int, tuple[str, ...]]]],
) -> list[CheckResult]:
    read = sum(load.read_count for load in group)
    refused = sum(load.quarantined_count for load in group)
    results = [
        raw_result(
            contract,
            "quarantine",
            kind="delivery",
            severity="warning",
            checked_count=read,
            failed_count=refused,
            text=CheckText.of("refused", *share_text(refused, read), len(group)),
            position=load_seq,
            failed_keys=tuple(f"delivery={load.delivery_id}" for load in group if load.quarantined_count),
        ),
    ]
    for rule, by_landing in broken.items():
        count, places = by_landing.get(load_seq, (0, ()))
        results.append(
            raw_result(
                contract,
                rule,
                severity="warning",  # the rows are in quarantine, so the tables are not wrong
                checked_count=read,
                failed_count=count,
                text=CheckText.of("refused_by_rule", *share_text(count, read)),
                position=load_seq,
                failed_keys=places,
            )
        )
    return results


def _ever_told(connection: duckdb.DuckDBPyConnection, dataset: str) -> frozenset[str]:
    """What was ever told of the data set's deliveries; a later landing without it makes its check pass again."""
    rows = connection.execute(
        "SELECT DISTINCT name FROM (SELECT unnest(json_keys(warning_counts)) AS name FROM lake.ops.load"
        " WHERE dataset = ? AND warning_counts <> '{}') WHERE starts_with(name, ?)",
        [dataset, told.PREFIX],
    ).fetchall()
    return frozenset(name for (name,) in rows)


def _warnings(
    contract: Contract, load_seq: int, group: Sequence[_Load], ever_told: frozenset[str]
) -> list[CheckResult]:
    names = [f"rule:{rule.name}" for rule in contract.rules if rule.severity == "warning"]
    names += sorted(({rule for load in group for rule in load.warnings} | ever_told) - set(names))
    read = sum(load.read_count for load in group)
    results = []
    for name in names:
        count = sum(load.warnings.get(name, 0) for load in group)
        results.append(
            raw_result(
                contract,
                name,
                severity="warning",
                checked_count=read,
                failed_count=count,
                text=told.text(name, count) or CheckText.of("kept_with_warning", *share_text(count, read)),
                position=load_seq,
                failed_keys=tuple(f"delivery={load.delivery_id}" for load in group if load.warnings.get(name)),
            )
        )
    return results


def _columns(contract: Contract, load_seq: int, group: Sequence[_Load]) -> CheckResult:
    names = sorted({name for load in group for name in load.unknown_columns})
    failed = sum(1 for load in group if load.unknown_columns)
    return raw_result(
        contract,
        "unknown_columns",
        kind="delivery",
        severity="warning",
        checked_count=len(group),
        failed_count=failed,
        text=CheckText.of("unknown_columns", failed, len(group)),
        position=load_seq,
        failed_keys=tuple(f"column={name}" for name in names[:MAX_FAILED_KEYS]),
    )
