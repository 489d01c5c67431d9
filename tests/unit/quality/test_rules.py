"""Contracts compiled to SQL: what a source value becomes, and what is refused because it would be changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.codelists import CodeListError
from catalog.contract import ContractError, Rule
from quality.conditions import MAX_COUNTED
from quality.rules import cast, compile_contract, plain_cast
from tests.unit.pipelines.landing.landings import contract, field
from warehouse.lake.extensions import connect

QUICK = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


@pytest.fixture(scope="module")
def db() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = connect(extensions=("spatial",))
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET threads = 1")
    yield connection
    connection.close()


def read(
    db: duckdb.DuckDBPyConnection,
    kind: str,
    values: list[Any],
    *,
    formats: tuple[str, ...] = (),
    source: str = "VARCHAR",
) -> list[Any]:
    """What the values (text, or of the type `source`) become in a field of a type."""
    target, is_text = field("x", kind, formats=formats), source == "VARCHAR"
    plain = plain_cast(target, "_s", is_text=is_text)
    rows = db.execute(
        f"SELECT {cast(target, '_s', '_p', is_text=is_text)} FROM (SELECT *, {plain} AS _p FROM"
        f" (SELECT CAST(unnest(CAST($values AS VARCHAR[])) AS {source}) AS _s))",
        {"values": values},
    ).fetchall()
    return [value for (value,) in rows]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        *[("INTEGER", text, 12) for text in ("12", "12.0", "12.", "012", "+12", " 12 ", "12\t")],
        *[
            ("INTEGER", text, None)
            for text in ("12.5", "1e3", "1_000", "0x1F", "0b1", "1 2", "１２", "9" * 11, "-", "nan")
        ],
        ("BIGINT", "9223372036854775807", 9223372036854775807),
        ("BIGINT", "9007199254740993.00", 9007199254740993),
        ("BIGINT", "9007199254740993.5", None),
        ("BIGINT", "9223372036854775808", None),
        ("SMALLINT", "-32768", -32768),
        ("SMALLINT", "32768", None),
        ("DOUBLE", "1e3", 1000.0),
        ("DOUBLE", "-0.5", -0.5),
        *[("DOUBLE", text, None) for text in ("nan", "inf", "-Infinity", "1e400", "1_0", "1,5", "12 m", "0x1F")],
        ("DECIMAL(10,2)", "12.340", Decimal("12.34")),
        ("DECIMAL(10,2)", ".5", Decimal("0.50")),
        *[("DECIMAL(10,2)", text, None) for text in ("12.345", "999999999", "1e2", "1_0", "-", "nan")],
        *[("BOOLEAN", text, True) for text in ("是", "Y", "yes", "TRUE", "t", "1", " 1 ")],
        *[("BOOLEAN", text, False) for text in ("否", "N", "no", "False", "f", "0")],
        *[("BOOLEAN", text, None) for text in ("2", "", "x", "对", "1.0")],
        *[("DATE", text, date(2024, 1, 5)) for text in ("2024-01-05", "2024-1-5", "2024/01/05", " 2024-01-05 ")],
        ("DATE", "2024-01-05T00:00:00.000Z", date(2024, 1, 5)),
        ("DATE", "2024-02-29", date(2024, 2, 29)),
        *[
            ("DATE", text, None)
            for text in ("2024-01-05 10:00:00", "2024-01-05 x", "2024-02-30", "24-01-05", "20240105")
        ],
        *[("DATE", text, None) for text in ("epoch", "infinity", " epoch", "2024-01-05 (BC)", "2024-01", "5", "10:00")],
        ("TIMESTAMP", "2024-01-05T10:00:00", datetime(2024, 1, 5, 10)),
        ("TIMESTAMP", " 2024/1/5 10:00 ", datetime(2024, 1, 5, 10)),
        ("TIMESTAMP", "2024-01-05T10:00:00+08:00", datetime(2024, 1, 5, 2)),
        ("TIMESTAMP", "9999-12-31 23:59:59", datetime(9999, 12, 31, 23, 59, 59)),
        *[
            ("TIMESTAMP", text, None)
            for text in ("epoch", "-infinity", "24-01-05 10:00", "2024-01-05 25:00", "0999-01-01")
        ],
        *[("VARCHAR", text, text) for text in ("0101", " 0101", "1e3", "", "NULL", "㐀")],
    ],
)
def test_a_text_becomes_exactly_what_it_says_or_nothing(
    db: duckdb.DuckDBPyConnection, kind: str, text: str, value: object
) -> None:
    (found,) = read(db, kind, [text])
    assert found == value
    assert type(found) is type(value)


def test_declared_formats_are_tried_after_iso(db: duckdb.DuckDBPyConnection) -> None:
    formats = ("%d/%m/%Y", "%Y%m%d", "%Y年%m月%d日", "%Y-%m-%d %H:%M:%S")
    texts = ["05/01/2024", "20240105", "2024年1月5日", "2024-01-05", "2024-01-05 10:00:00"]
    # A declared format may cut the time off a date: that is how a contract says that it means nothing.
    assert read(db, "DATE", texts, formats=formats) == [date(2024, 1, 5)] * 5
    assert read(db, "DATE", ["05/01/24", "13/13/2024", "x"], formats=formats) == [None] * 3
    assert read(db, "TIMESTAMP", ["20240105"], formats=formats) == [datetime(2024, 1, 5)]


@pytest.mark.parametrize(
    ("source", "kind", "text", "value"),
    [
        ("DOUBLE", "INTEGER", "5.0", 5),
        ("DOUBLE", "INTEGER", "5.5", None),
        ("DOUBLE", "INTEGER", "nan", None),
        ("HUGEINT", "INTEGER", "99999999999", None),
        ("DECIMAL(10,3)", "DECIMAL(10,2)", "1.500", Decimal("1.50")),
        ("DECIMAL(10,3)", "DECIMAL(10,2)", "1.505", None),
        ("DOUBLE", "DECIMAL(10,2)", "0.1", Decimal("0.10")),
        ("DOUBLE", "DOUBLE", "inf", None),
        ("INTEGER", "BOOLEAN", "1", True),
        ("INTEGER", "BOOLEAN", "2", None),
        ("TIMESTAMP", "DATE", "2024-01-05 00:00", date(2024, 1, 5)),
        ("TIMESTAMP", "DATE", "2024-01-05 10:00", None),
        ("DATE", "TIMESTAMP", "2024-01-05", datetime(2024, 1, 5)),
        ("TIMESTAMP", "TIMESTAMP", "infinity", None),
        ("TIMESTAMPTZ", "TIMESTAMP", "2024-01-05 10:00:00+08", datetime(2024, 1, 5, 2)),
        ("DATE", "INTEGER", "2024-01-05", None),
        ("INTEGER[]", "DOUBLE", "[1]", None),
        ("INTEGER", "DATE", "20240105", None),
        ("INTEGER", "VARCHAR", "7", "7"),
    ],
)
def test_a_typed_value_keeps_its_value_or_is_refused(
    db: duckdb.DuckDBPyConnection, source: str, kind: str, text: str, value: object
) -> None:
    assert read(db, kind, [text], source=source) == [value]


NUMBERS = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.decimals(allow_nan=True, allow_infinity=True, places=None).map(str),
    st.floats().map(repr),
    st.text("0123456789+-.eE_ x", max_size=12),
)


def exact(text: str) -> Decimal | None:
    """The number a text says, read by Python: no underscores, no infinity."""
    if "_" in text or not text.isascii():
        return None
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


@QUICK
@given(st.lists(NUMBERS, min_size=1, max_size=30))
def test_no_number_is_changed(db: duckdb.DuckDBPyConnection, texts: list[str]) -> None:
    for kind in ("INTEGER", "BIGINT", "DECIMAL(18,3)", "DOUBLE"):
        for text, found in zip(texts, read(db, kind, texts), strict=True):
            if found is None:
                continue
            said = exact(text)
            assert said is not None, (kind, text, found)
            assert found == (float(said) if kind == "DOUBLE" else said), (kind, text, found)


@QUICK
@given(st.integers(-(2**31), 2**31 - 1), st.sampled_from(["{}", " {}", "{} ", "{}.0", "{}.", "{}.000"]))
def test_every_whole_number_in_range_is_read(db: duckdb.DuckDBPyConnection, number: int, shape: str) -> None:
    assert read(db, "INTEGER", [shape.format(number)]) == [number]


@QUICK
@given(st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31)), st.sampled_from("T "))
def test_every_time_is_read_and_only_midnight_is_a_date(
    db: duckdb.DuckDBPyConnection, moment: datetime, separator: str
) -> None:
    text = moment.isoformat(sep=separator)
    assert read(db, "TIMESTAMP", [text]) == [moment]
    is_midnight = moment == datetime(moment.year, moment.month, moment.day)
    assert read(db, "DATE", [text]) == [moment.date() if is_midnight else None]
    assert read(db, "DATE", [moment.date().isoformat()]) == [moment.date()]


@QUICK
@given(st.lists(st.text("0123456789-/: TZepochinfty()BC", max_size=24), min_size=1, max_size=30))
def test_a_text_that_becomes_a_time_says_its_year_month_and_day(
    db: duckdb.DuckDBPyConnection, texts: list[str]
) -> None:
    for kind in ("DATE", "TIMESTAMP"):
        for text, found in zip(texts, read(db, kind, texts), strict=True):
            if found is not None:
                said = re.match(r"\s*([0-9]{4})[-/ ]([0-9]{1,2})[-/ ]([0-9]{1,2})(?![0-9])", text)
                assert said, (kind, text, found)


@QUICK
@given(st.lists(st.text(max_size=20), min_size=1, max_size=20))
def test_text_stays_as_it_is(db: duckdb.DuckDBPyConnection, texts: list[str]) -> None:
    assert read(db, "VARCHAR", texts) == texts


def broken(db: duckdb.DuckDBPyConnection, value: object, **declared: Any) -> list[str]:
    kind = declared.pop("kind", "VARCHAR")
    compiled = compile_contract(contract(field("x", kind, **declared)), {"x": True})
    values = "SELECT *, _t0 AS _s0 FROM (SELECT $v::VARCHAR AS _t0)"
    for step in (*compiled.read, compiled.plain):
        values = f"SELECT *{''.join(f', {expression} AS {name}' for name, expression in step)} FROM ({values})"
    ((_, typed),) = compiled.typed
    found = []
    for condition in compiled.errors:
        query = f"SELECT {condition.broken} FROM (SELECT *, {typed} AS x FROM ({values}))"
        if db.execute(query, {"v": value}).fetchall()[0][0]:
            found.append(condition.rule)
    return found


def test_rules_of_a_field(db: duckdb.DuckDBPyConnection) -> None:
    assert broken(db, None, is_required=True) == ["required:x"]
    assert broken(db, "a", is_required=True) == []
    assert broken(db, "ab", pattern="a") == ["pattern:x"]
    assert broken(db, "ab", pattern="a|ab") == []
    assert broken(db, None, pattern="a", code_list="case_channel", max_length=1) == []
    assert broken(db, "12", pattern="[0-9]", kind="INTEGER") == ["pattern:x"]
    assert broken(db, "部件部件部件", max_length=5) == ["length:x"]
    assert broken(db, "部件部件部", max_length=5) == []
    assert broken(db, "5", kind="INTEGER", minimum=5, maximum=5) == []
    assert broken(db, "5.1", kind="DOUBLE", minimum=0, maximum=5) == ["range:x"]
    assert broken(db, "x", kind="DOUBLE", minimum=0, maximum=5) == ["type:x"]
    assert broken(db, "2019-12-31", kind="DATE", minimum="2020-01-01") == ["range:x"]
    assert broken(db, "2019-12-31", kind="DATE", minimum=date(2020, 1, 1)) == ["range:x"]
    assert broken(db, "public", code_list="case_channel") == []
    assert broken(db, "Public", code_list="case_channel") == ["code_list:x"]
    assert broken(db, "'; DROP TABLE x; --", pattern="'.*", code_list="case_channel") == ["code_list:x"]


def test_a_code_list_that_is_not_there_is_named() -> None:
    with pytest.raises(CodeListError, match="no_such_list"):
        compile_contract(contract(field("x", code_list="no_such_list")), {"x": True})


def test_more_warnings_than_can_be_counted_are_refused() -> None:
    rules = tuple(Rule(f"r{n}", "x > 0", severity="warning") for n in range(MAX_COUNTED + 1))
    compile_contract(contract(field("x", "INTEGER"), rules=rules[:-1]), {"x": True})
    with pytest.raises(ContractError, match="more than 62 rules of severity warning"):
        compile_contract(contract(field("x", "INTEGER"), rules=rules), {"x": True})


def test_a_field_that_the_source_lacks_is_null_and_breaks_nothing() -> None:
    compiled = compile_contract(contract(field("x", "DATE", is_required=True)), {})
    assert compiled.typed == (("x", "CAST(NULL AS DATE)"),)
    assert compiled.errors == ()
