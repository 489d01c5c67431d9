"""Whether every row that was read is held, once: what `ops.load` counts against what `raw` and `quarantine` hold."""

from __future__ import annotations

import duckdb

from catalog.contract import Contract
from quality.raw_result import raw_result
from quality.results import MAX_FAILED_KEYS, CheckResult
from quality.texts import CheckText
from warehouse.identifiers import checked, literal
from warehouse.lake.layout import row_count


def balance(connection: duckdb.DuckDBPyConnection, contract: Contract, position: int) -> CheckResult:
    """No delivery may lose or double a row: counts agree with each other and with the tables. Counts deliveries.

    Deliveries that have balanced once are not read again, as long as both tables hold as many rows in all as their
    deliveries brought, which the catalogue tells.
    """
    seen = _balanced_until(connection, contract.name)
    if seen and not _totals_agree(connection, contract.name):
        seen = 0
    count, failed, wrong = _differing(connection, contract.name, seen)
    return raw_result(
        contract,
        "balance",
        kind="delivery",
        severity="error",
        checked_count=count,
        failed_count=failed,
        text=CheckText.of("unbalanced", failed) if failed else CheckText.of("balanced"),
        position=position,
        failed_keys=tuple(f"delivery={delivery}" for delivery in wrong),
    )


def _balanced_until(connection: duckdb.DuckDBPyConnection, dataset: str) -> int:
    """The landing up to which the last recorded balance was right; 0 where it was not, or there is none."""
    row = connection.execute(
        "SELECT CASE WHEN is_passed THEN data_position ELSE 0 END FROM lake.ops.quality_result"
        f" WHERE kind = 'delivery' AND rule = 'balance' AND dataset = {literal(dataset)}"
        " ORDER BY data_position DESC, checked_at DESC LIMIT 1"
    ).fetchone()
    return int(row[0]) if row else 0


def _totals_agree(connection: duckdb.DuckDBPyConnection, dataset: str) -> bool:
    ((held, refused),) = connection.execute(
        "SELECT coalesce(sum(accepted_count - coalesce(withdrawn_count, 0) + coalesce(deleted_count, 0)), -1),"
        " coalesce(sum(quarantined_count), -1)"
        f" FROM lake.ops.load WHERE dataset = {literal(dataset)}"
    ).fetchall()
    found = (row_count(connection, "raw", dataset), row_count(connection, "quarantine", dataset))
    return found == (int(held), int(refused))


def _differing(connection: duckdb.DuckDBPyConnection, name: str, seen: int) -> tuple[int, int, list[str]]:
    """How many deliveries there are, how many of those after landing `seen` do not balance, and the first of them."""
    dataset = checked(name)
    # Unknown counts are wrong counts, hence IS DISTINCT FROM. But lakes of earlier layouts did not count deletions.
    ((count, failed, wrong),) = connection.execute(
        f"""
        SELECT count(*), count(*) FILTER (is_wrong), coalesce(list(delivery_id ORDER BY delivery_id)
               FILTER (is_wrong), [])[1:{MAX_FAILED_KEYS}]
        FROM (SELECT delivery_id, load_seq > {seen:d} AND (
                        read_count IS DISTINCT FROM accepted_count + quarantined_count
                     OR fetched_count IS DISTINCT FROM read_count + repeated_count
                     OR accepted_count - coalesce(withdrawn_count, 0) IS DISTINCT FROM coalesce(r.n, 0)
                     OR quarantined_count IS DISTINCT FROM coalesce(q.n, 0)
                     OR coalesce(deleted_count, r.gone, 0) IS DISTINCT FROM coalesce(r.gone, 0)) AS is_wrong
              FROM lake.ops.load l
              LEFT JOIN (SELECT _delivery_id, count(*) FILTER (NOT _is_deleted) AS n,
                                count(*) FILTER (_is_deleted) AS gone
                         FROM lake.raw.{dataset} WHERE _load_seq > {seen:d} OR {seen:d} = 0
                         GROUP BY ALL) r ON r._delivery_id = l.delivery_id
              LEFT JOIN (SELECT _delivery_id, count(*) AS n FROM lake.quarantine.{dataset}
                         WHERE _load_seq > {seen:d} OR {seen:d} = 0
                         GROUP BY ALL) q ON q._delivery_id = l.delivery_id
              WHERE l.dataset = {literal(name)})"""
    ).fetchall()
    return int(count), int(failed), list(wrong)
