"""The sums behind the indicators, counted a second time from the rows that landed, without any code of the models.

The rules are those of dbt/README.md, written here by hand for the made-up city: its three systems of cases, what the
words of their states mean, and how each indicator counts a case. Core is not read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl
import pytest
from lakes import BuiltLake

MOMENTS = ("reported_at", "filed_at", "dispatched_at", "handled_at", "checked_at", "closed_at")
LIMITS = ("file_due_at", "dispatch_due_at", "handle_due_at", "close_due_at")
FACTS = ("is_urgent", "is_supervised", "rework_count", "return_count", "updated_at")
# By system: its table, the number of a case, the column of its status and the words for refused, cancelled and closed.
SYSTEMS = {
    "hotline": ("hotline_order", "order_no", "process_status", "REJECTED", "VOID", "FINISHED"),
    "lanting": ("patrol_case_lanting", "case_no", "status", "不予立案", "作废", "已结案"),
    "yunhe": ("patrol_case_yunhe", "case_no", "status", "19", "90", "60"),
}
# Words of a case that has not been filed (yet), and those of channels that mean a collector.
UNFILED = {"RECEIVED", "REJECTED", "VOID", "待立案", "不予立案", "作废", "10", "19", "90"}
COLLECTORS = {"人工巡查", "1"}


def newest_rows(lake: BuiltLake) -> pl.DataFrame:
    """One row a case of any system: the newest state that landed, the later landing among equals."""
    found = []
    for system, (table, number, status, refused, cancelled, closed) in SYSTEMS.items():
        limits = [name if system != "hotline" or name not in LIMITS[:2] else f"NULL AS {name}" for name in LIMITS]
        columns = [number, status, "channel", *MOMENTS, *limits, *FACTS, "_load_seq", "_delivery_no", "_source_row"]
        names = ["number", "status", "channel", *MOMENTS, *LIMITS, *FACTS, "load", "delivery", "row"]
        rows = lake.query(f"SELECT {', '.join(columns)} FROM lake.raw.{table} WHERE NOT _is_deleted")
        frame = pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None)
        frame = frame.with_columns(pl.col(MOMENTS + LIMITS).cast(pl.Datetime("us")))
        frame = frame.sort("updated_at", "load", "delivery", "row").unique("number", keep="last")
        found.append(
            frame.with_columns(
                system=pl.lit(system),
                is_refused=pl.col("status") == refused,
                is_cancelled=pl.col("status") == cancelled,
                is_ended=pl.col("status") == closed,
            )
        )
    return pl.concat(found, how="vertical_relaxed").with_columns(
        is_filed=pl.col("filed_at").is_not_null() | ~pl.col("status").is_in(UNFILED),
        is_collected=pl.col("channel").is_in(COLLECTORS),
    )


@dataclass(frozen=True)
class Rows:
    """The cases and the moment up to which they speak: the newest event that is no later than a day after any state."""

    cases: pl.DataFrame

    @property
    def as_of(self) -> pl.Expr:
        newest = self.cases["updated_at"].max() + pl.duration(days=1)
        return pl.lit(
            self.cases.select(pl.max_horizontal(pl.col(m).filter(pl.col(m) <= newest).max() for m in MOMENTS)).item()
        )

    def by_month(self, of: str, amount: pl.Expr, where: pl.Expr | None = None) -> dict[str, float]:
        """The amounts of the cases by the month of one of their moments; months without a case are absent."""
        cases = self.cases if where is None else self.cases.filter(where)
        cases = cases.filter(pl.col(of).is_not_null() & (pl.col(of).dt.date() <= self.as_of.dt.date()))
        sums = cases.group_by(pl.col(of).dt.strftime("%Y-%m").alias("month")).agg(
            amount.sum().cast(pl.Float64).alias("sum")
        )
        return dict(sums.iter_rows())

    def due(self, limit: str, amount: pl.Expr, where: pl.Expr | None = None) -> dict[str, float]:
        """The amounts of what fell due up to as_of and was not cancelled, by the month of the limit."""
        condition = (pl.col(limit) <= self.as_of) & ~pl.col("is_cancelled")
        return self.by_month(limit, amount, condition if where is None else condition & where)

    def open_at_ends(self, amount: Callable[[pl.Expr], pl.Expr]) -> dict[str, float]:
        """The amounts of the cases open at the end of each month, or at as_of where that is earlier."""
        opened = pl.coalesce("filed_at", "reported_at")
        # a case whose status alone says that it is over ended with its last known moment
        over = pl.coalesce("closed_at", pl.when("is_ended").then(pl.coalesce("checked_at", "handled_at", opened)))
        stock = self.cases.filter(pl.col("is_filed") & ~pl.col("is_cancelled")).with_columns(
            opened_on=opened.dt.date(),
            ended_on=pl.max_horizontal(over, pl.when(over.is_not_null()).then(opened)).dt.date(),
        )
        last = self.cases.select(self.as_of.dt.date()).to_series()[0]
        found = {}
        for month in sorted({day.strftime("%Y-%m") for day in stock["opened_on"] if day <= last}):
            end = pl.lit(f"{month}-01").str.to_date().dt.month_end()
            end = pl.min_horizontal(end, pl.lit(last))
            is_open = (pl.col("opened_on") <= end) & (pl.col("ended_on").is_null() | (pl.col("ended_on") > end))
            found[month] = float(stock.filter(is_open).select(amount(end).sum()).item())
        return found


ONE = pl.col("number").is_not_null()
VALID = ~pl.col("is_cancelled") & ~pl.col("is_refused")
PUBLIC = pl.col("system") == "hotline"
COLLECTED = pl.col("is_collected")


def seconds(earlier: pl.Expr, later: str) -> pl.Expr:
    return (pl.col(later) - earlier).dt.total_microseconds() // 1_000_000


def filed(rows: Rows) -> Rows:
    """The filed cases, with the moment that counts as their filing."""
    return Rows(rows.cases.with_columns(filing_at=pl.when("is_filed").then(pl.coalesce("filed_at", "reported_at"))))


def counted(rows: Rows) -> dict[str, tuple[dict[str, float], dict[str, float] | None]]:
    """By indicator its numerators and denominators of the city by month."""
    handled_from = pl.coalesce("dispatched_at", "filed_at", "reported_at")
    is_timed = handled_from <= pl.col("handled_at")
    filings = filed(rows)
    is_filing_timed = pl.col("reported_at") <= pl.col("filed_at")
    handle_due, close_due = rows.due("handle_due_at", ONE), rows.due("close_due_at", ONE)
    both = rows.by_month("reported_at", VALID & (PUBLIC | COLLECTED))

    def met(moment: str, limit: str, where: pl.Expr | None = None) -> dict[str, float]:
        return rows.due(limit, pl.col(moment) <= pl.col(limit), where)

    def late(moment: str, limit: str) -> dict[str, float]:
        return rows.due(limit, pl.col(moment) > pl.col(limit))

    return {
        "report": (rows.by_month("reported_at", ONE), None),
        "register": (filings.by_month("filing_at", ONE), None),
        "dispose": (rows.by_month("handled_at", ONE), None),
        "archive": (rows.by_month("closed_at", ONE), None),
        "registerRate": (rows.by_month("reported_at", pl.col("is_filed")), rows.by_month("reported_at", ONE)),
        "validReportRate": (rows.by_month("reported_at", VALID), rows.by_month("reported_at", ONE)),
        "publicReportRate": (rows.by_month("reported_at", VALID & PUBLIC), both),
        "patrolReportRate": (rows.by_month("reported_at", VALID & COLLECTED), both),
        "inTimeRegisterRate": (met("filed_at", "file_due_at"), rows.due("file_due_at", ONE)),
        "inTimeDispatchRate": (met("dispatched_at", "dispatch_due_at"), rows.due("dispatch_due_at", ONE)),
        "inTimeDisposeRate": (met("handled_at", "handle_due_at"), handle_due),
        "inTimeArchiveRate": (met("closed_at", "close_due_at"), close_due),
        "x_supervisedOnTime": (
            met("closed_at", "close_due_at", pl.col("is_supervised")),
            rows.due("close_due_at", ONE, pl.col("is_supervised")),
        ),
        "jinhua_urgentInTimeArchiveRate": (
            met("closed_at", "close_due_at", pl.col("is_urgent")),
            rows.due("close_due_at", ONE, pl.col("is_urgent")),
        ),
        "avgRegisterTime": (
            filings.by_month("filing_at", seconds(pl.col("reported_at"), "filed_at"), is_filing_timed),
            filings.by_month("filing_at", ONE, is_filing_timed),
        ),
        "avgHandleTime": (
            rows.by_month("handled_at", seconds(handled_from, "handled_at"), is_timed),
            rows.by_month("handled_at", ONE, is_timed),
        ),
        "disposeRate": (rows.due("handle_due_at", pl.col("handled_at").is_not_null()), handle_due),
        "archiveRate": (rows.due("close_due_at", pl.col("closed_at").is_not_null()), close_due),
        "overtimeDisposeRate": (late("handled_at", "handle_due_at"), handle_due),
        "overTimeArchiveRate": (late("closed_at", "close_due_at"), close_due),
        "overTimeRate": (rows.due("handle_due_at", pl.col("handled_at").is_null()), handle_due),
        "overtimeToArchiveRate": (rows.due("close_due_at", pl.col("closed_at").is_null()), close_due),
        "reworkRate": (
            rows.by_month("handled_at", pl.col("rework_count")),
            rows.by_month("handled_at", pl.col("rework_count").is_not_null()),
        ),
        "returnRate": (
            rows.by_month("dispatched_at", pl.col("return_count")),
            rows.by_month("dispatched_at", pl.col("return_count").is_not_null()),
        ),
        "openCount": (rows.open_at_ends(lambda _: ONE), None),
        "avgOpenAge": (
            rows.open_at_ends(lambda end: (end - pl.col("opened_on")).dt.total_days()),
            rows.open_at_ends(lambda _: ONE),
        ),
    }


@pytest.fixture(scope="module")
def rows(demo_lake: BuiltLake) -> Rows:
    return Rows(newest_rows(demo_lake))


def test_the_rows_are_those_of_three_systems_and_go_over_three_months(rows: Rows) -> None:
    assert set(rows.cases["system"]) == set(SYSTEMS)
    assert {"2026-01", "2026-02", "2026-03"} <= set(rows.by_month("reported_at", ONE))
    for state in ("is_refused", "is_cancelled", "is_ended"):
        assert rows.cases[state].any()


def test_numerators_and_denominators_of_the_city_are_those_counted_from_the_rows(
    demo_lake: BuiltLake, rows: Rows
) -> None:
    shown = demo_lake.query(
        "SELECT indicator_code, strftime(period_start, '%Y-%m'), numerator, denominator"
        " FROM lake.indicator.indicator_value"
        " WHERE area_level = 'city' AND dept_id = '*' AND period_kind = 'month'"
    )
    own = counted(rows)
    assert len(own) >= 26
    differing = [
        (code, month, (numerator, own[code][0].get(month, 0.0)), (denominator, (own[code][1] or {}).get(month, 0.0)))
        for code, month, numerator, denominator in shown
        if code in own
        and (
            numerator != own[code][0].get(month, 0.0)
            or (own[code][1] is not None and denominator != (own[code][1] or {}).get(month, 0.0))
        )
    ]
    assert differing == []
    # and no month that the rows have is missing
    months = {(code, month) for code, month, *_ in shown}
    assert {(code, month) for code, (above, _) in own.items() for month in above} <= months


def test_how_much_is_known_is_counted_from_the_rows_too(demo_lake: BuiltLake, rows: Rows) -> None:
    """The hotline knows no limit of filing or dispatch: those rates rest on the patrols' reports alone."""
    patrol = rows.by_month("reported_at", ~PUBLIC)
    everything = rows.by_month("reported_at", ONE)
    shown = demo_lake.query(
        "SELECT indicator_code, strftime(period_start, '%Y-%m'), recorded_count, reported_count, is_recorded"
        " FROM lake.indicator.indicator_value"
        " WHERE area_level = 'city' AND dept_id = '*' AND period_kind = 'month'"
        " AND indicator_code IN ('inTimeRegisterRate', 'inTimeDispatchRate', 'inTimeDisposeRate', 'registerRate')"
    )
    assert len(shown) >= 12
    for code, month, recorded, reported, is_recorded in shown:
        known = patrol if code in ("inTimeRegisterRate", "inTimeDispatchRate") else everything
        own = (known.get(month, 0.0), everything.get(month, 0.0))
        assert (recorded, reported) == own, (code, month)
        assert is_recorded
