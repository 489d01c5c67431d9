"""Scores, coverage, weights and grades, computed a second time without any code of the models.

What is expected is written here by hand: the rules of scoring as dbt/README.md tells them, and the grades.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import polars as pl
import pytest
from lakes import REPOSITORY, BuiltLake

SEEDS = REPOSITORY / "dbt" / "seeds" / "standards"
LEVELS = ("city", "district", "street", "community", "grid")
PLACE = ["area_level", "area_id", "dept_id", "period_kind", "period_start"]
ENOUGH = 0.6
GRADES = ((90.0, "A"), (80.0, "B"), (70.0, "C"), (60.0, "D"), (0.0, "E"))


def definitions(folder: Path = SEEDS) -> pl.DataFrame:
    """The definitions in force; the made-up city has one version of each."""
    frame = pl.read_csv(folder / "indicator_definition.csv", infer_schema=False)
    assert frame["code"].is_unique().all()
    numbers = [pl.col(name).cast(pl.Float64) for name in ("factor", "floor", "target", "weight", "min_n")]
    return frame.with_columns(*numbers)


def score(value: float | None, floor: float, target: float) -> float | None:
    """0 at the floor, 100 at the target, a straight line between, never outside."""
    if value is None:
        return None
    share = (value - floor) / (target - floor)
    return 100.0 * min(1.0, max(0.0, share))


def grade(mean: float | None, coverage: float) -> str:
    """The letter of a mean score; none where less than ENOUGH of the weight could be judged."""
    if mean is None or coverage < ENOUGH:
        return "数据不足"
    return next(letter for least, letter in GRADES if mean >= least)


def lowest(level: str) -> int:
    return LEVELS.index(level)


@pytest.mark.parametrize(
    ("value", "floor", "target", "expected"),
    [
        (95.0, 60.0, 95.0, 100.0),
        (77.5, 60.0, 95.0, 50.0),
        (12.0, 60.0, 95.0, 0.0),
        (99.0, 60.0, 95.0, 100.0),
        (22.5, 40.0, 5.0, 50.0),
        (50.0, 40.0, 5.0, 0.0),
        (0.0, 20.0, 0.0, 100.0),
        (132.0, 240.0, 24.0, 50.0),
    ],
)
def test_the_rule_itself_gives_what_is_worked_out_by_hand(
    value: float, floor: float, target: float, expected: float
) -> None:
    assert score(value, floor, target) == pytest.approx(expected)


def test_the_grades_have_the_limits_that_the_list_says() -> None:
    listed = pl.read_csv(SEEDS / "index_grade.csv", infer_schema=False)
    told = [(float(row["min_score"]), row["code"]) for row in listed.iter_rows(named=True)]
    assert tuple(told) == GRADES
    assert {float(least) for least in listed["min_coverage"]} == {ENOUGH}
    assert [grade(m, 0.6) for m in (90.0, 89.9999, 80.0, 70.0, 60.0, 59.9999)] == ["A", "B", "B", "C", "D", "E"]
    assert grade(100.0, 0.5999) == grade(None, 1.0) == "数据不足"


def figures(lake: BuiltLake) -> pl.DataFrame:
    """Every row of indicator_score beside its definition."""
    columns = ["indicator_code", *PLACE, "numerator", "denominator", "value", "status", "score"]
    rows = lake.query(f"SELECT {', '.join(columns)} FROM lake.indicator.indicator_score")
    frame = pl.DataFrame(rows, schema=columns, orient="row", infer_schema_length=None)
    return frame.join(definitions(), left_on="indicator_code", right_on="code", how="left")


def judged(frame: pl.DataFrame) -> pl.DataFrame:
    """The same with the status and the score that the sums should have."""
    counted = pl.col("denominator_measure").is_null()
    value = (
        pl.when(counted)
        .then(pl.col("factor") * pl.col("numerator"))
        .otherwise(
            pl.when(pl.col("denominator") > 0).then(pl.col("factor") * pl.col("numerator") / pl.col("denominator"))
        )
    )
    status = (
        pl.when(pl.col("numerator").is_null() | (~counted & ~(pl.col("denominator") > 0).fill_null(value=False)))
        .then(pl.lit("not_applicable"))
        .when(~counted & (pl.col("denominator") < pl.col("min_n")))
        .then(pl.lit("small_n"))
        .otherwise(pl.lit("ok"))
    )
    share = (value - pl.col("floor")) / (pl.col("target") - pl.col("floor"))
    is_scored = (status == "ok") & pl.col("direction").is_in(["higher", "lower"])
    return frame.with_columns(
        own_value=value, own_status=status, own_score=pl.when(is_scored).then(100 * share.clip(0, 1))
    )


def test_every_value_status_and_score_follows_from_its_sums(demo_lake: BuiltLake) -> None:
    found = judged(figures(demo_lake))
    assert set(found["area_level"]) == set(LEVELS)
    assert set(found["period_kind"]) == {"day", "month"}
    assert {"ok", "small_n", "not_applicable"} <= set(found["status"])
    wrong_status = found.filter(pl.col("status") != pl.col("own_status"))
    assert wrong_status.is_empty(), wrong_status.head(3)
    for name in ("value", "score"):
        apart = found.filter(
            (pl.col(name).is_null() != pl.col(f"own_{name}").is_null())
            | ((pl.col(name) - pl.col(f"own_{name}")).abs() > 1e-4)
        )
        assert apart.is_empty(), apart.head(3)


def test_every_index_is_the_weighted_mean_of_its_scores(demo_lake: BuiltLake) -> None:
    """Of every node, area, unit and period: the mean over the weight judged, its share of all, the letter."""
    scored = judged(figures(demo_lake)).filter((pl.col("weight") > 0) & (pl.col("area_level") != "grid"))
    scored = scored.with_columns(own_score=pl.col("own_score").round(4))
    ok = pl.col("own_score").is_not_null()
    sums = [
        pl.col("weight").filter(ok).sum().alias("ok_weight"),
        (pl.col("weight") * pl.col("own_score")).filter(ok).sum().alias("total"),
    ]
    by_node = pl.concat(
        [
            scored.group_by(["node", *PLACE]).agg(sums),
            scored.group_by(PLACE).agg(sums).with_columns(node=pl.lit("overall")),
        ],
        how="diagonal",
    )
    weights = definitions().filter(pl.col("weight") > 0)

    def possible(node: str, level: str, is_unit: bool, kind: str) -> float:
        lowest_column = "lowest_level_day" if kind == "day" else "lowest_level"
        return sum(
            row["weight"]
            for row in weights.iter_rows(named=True)
            if node in ("overall", row["node"])
            and lowest(level) <= lowest(row[lowest_column])
            and (not is_unit or "department" in row["object"])
        )

    columns = ["node", *PLACE, "score", "coverage", "grade"]
    rows = demo_lake.query(f"SELECT {', '.join(columns)} FROM lake.indicator.index_score")
    shown = pl.DataFrame(rows, schema=columns, orient="row", infer_schema_length=None)
    both = shown.join(by_node, on=["node", *PLACE], how="full", coalesce=True)
    assert both.height == shown.height == by_node.height
    wholes = {
        key: possible(*key)
        for key in both.select("node", "area_level", pl.col("dept_id") != "*", "period_kind").unique().iter_rows()
    }
    assert len(wholes) > 50
    for row in both.iter_rows(named=True):
        whole = wholes[(row["node"], row["area_level"], row["dept_id"] != "*", row["period_kind"])]
        mean = row["total"] / row["ok_weight"] if row["ok_weight"] else None
        coverage = float((Decimal(row["ok_weight"]) / Decimal(whole)).quantize(Decimal("0.0001"), ROUND_HALF_UP))
        assert row["coverage"] == pytest.approx(coverage, abs=1.01e-4), row
        letter = grade(None if mean is None else round(mean, 4), row["coverage"])
        assert row["grade"] == letter, row
        assert (row["score"] is None) == (letter == "数据不足"), row
        if row["score"] is not None:
            assert row["score"] == pytest.approx(mean, abs=2e-4), row


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_the_first_page_shows_the_index_that_the_made_up_city_has(demo_lake: BuiltLake, page: str) -> None:
    shown = re.findall(r"^│ (\w+) +│ ([\d.]+) │ ([\d.]+) +│ (\S+) +│$", (REPOSITORY / page).read_text("utf-8"), re.M)
    rows = demo_lake.query(
        "SELECT node, score, coverage, grade FROM lake.indicator.index_score"
        " WHERE area_level = 'city' AND dept_id = '*' AND period_kind = 'month'"
        " AND period_start = DATE '2026-03-01' ORDER BY score DESC"
    )
    assert shown == [(node, str(mean), str(coverage), letter) for node, mean, coverage, letter in rows]
