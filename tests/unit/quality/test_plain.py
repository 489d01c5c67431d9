"""A text that is known as plain becomes exactly what it would become without that knowledge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.contract import Field
from pipelines.connectors.batch import BLANKS
from quality.conditions import any_of
from quality.moments import Moments, Telling
from quality.place.coordinates import Coordinates
from quality.plain import is_seen_by_pattern
from quality.rules import cast, compile_contract, field_conditions, plain_cast
from tests.unit.pipelines.landing.landings import contract, field
from warehouse.lake.extensions import connect

QUICK = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
CITY = "Asia/Shanghai"
TELLINGS = [Telling(), Telling("local"), Telling("utc"), Telling("offset"), Telling("local", zone="Europe/Berlin")]
# What a text is made of that is nearly a number, a time or a code.
ODD = st.sampled_from([*" \t\n\r\vZz+-:./_eExT05９", "\u3000", "\u00a0", "\ufeff", "UTC", "+08", "infinity", "epoch"])
USUAL = {
    "INTEGER": ["5", "12", "-7", "0", "2147483647"],
    "DECIMAL(10,2)": ["5", "1.20", "-0.05", "12345678.90"],
    "DATE": ["2024-01-05", "1999-12-31", "0999-01-01"],
    "TIMESTAMP": ["2024-01-05 10:11:12", "2024-01-05T10:11:12", "9999-12-31 23:59:59", "0999-01-01 00:00:00"],
    "VARCHAR": ["ST001", "ST0012", "ST12"],
}


@pytest.fixture(scope="module")
def db() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = connect(extensions=("spatial",))
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET threads = 1")
    yield connection
    connection.close()


@st.composite
def nearly(draw: st.DrawFn, usual: Sequence[str]) -> str:
    """A usual text, as it is or with up to two places changed, left out or added to."""
    text = draw(st.sampled_from(usual))
    for _ in range(draw(st.integers(0, 2))):
        place, odd = draw(st.integers(0, len(text))), draw(ODD)
        text = text[:place] + odd + text[place + draw(st.integers(0, 2)) :]
    return text


def meant(text: str, nulls: Sequence[str], described: Field) -> str | None:
    bare = text.strip(BLANKS)
    return None if bare in ("", *nulls) else bare if described.is_code else text


def layered(values: str, *steps: Sequence[tuple[str, str]]) -> str:
    for step in steps:
        values = f"SELECT *{''.join(f', {expression} AS {name}' for name, expression in step)} FROM ({values})"
    return values


def check(
    db: duckdb.DuckDBPyConnection, described: Field, texts: Sequence[str], nulls: Sequence[str], telling: Telling
) -> list[bool]:
    """Compare both ways; gives which texts were taken for plain."""
    moments = Moments(CITY, {"x": telling})
    compiled = compile_contract(contract(described), {"x": True}, moments, nulls=["", *nulls])
    db.execute("CREATE OR REPLACE TEMP TABLE texts (_t0 VARCHAR, _s0 VARCHAR)")
    db.executemany("INSERT INTO texts VALUES (?, ?)", [(text, meant(text, nulls, described)) for text in texts])
    look = compiled.looks["x"]
    warned = any_of([c for c in compiled.warnings if c.rule == "offset:x"])
    quick = layered("FROM texts", *compiled.read, compiled.plain, compiled.typed)
    found = db.execute(f"SELECT _t0, _s0, x, {any_of(compiled.errors)}, {warned}, {look} FROM ({quick})").fetchall()
    plain = plain_cast(described, "_s0", is_text=True, telling=telling)
    typed = cast(described, "_s0", "_p0", is_text=True, moments=moments)
    errors = any_of(field_conditions(described, "_s0"))
    slow = layered("FROM texts", [("_p0", plain)], [("x", typed)])
    expected = db.execute(f"SELECT x, {errors} FROM ({slow})").fetchall()
    for (came, means, x, is_broken, has_told, is_plain), other in zip(found, expected, strict=True):
        assert (x, is_broken) == other, (came, is_plain)
        if is_plain:
            assert (came, has_told) == (means, False)
    return [row[5] for row in found]


@QUICK
@given(st.data(), st.sampled_from(sorted(USUAL)), st.booleans())
def test_plain_texts_become_what_they_would_become_anyway(
    db: duckdb.DuckDBPyConnection, data: st.DataObject, kind: str, is_key: bool
) -> None:
    texts = data.draw(st.lists(nearly(USUAL[kind]), min_size=1, max_size=30))
    nulls = data.draw(st.lists(st.sampled_from(["-", "无", *USUAL[kind], "1"]), max_size=2, unique=True))
    telling = data.draw(st.sampled_from(TELLINGS)) if kind in ("DATE", "TIMESTAMP") else Telling()
    declared: dict[str, Any] = {"pattern": "^ST[0-9]{3,4}$"} if kind == "VARCHAR" else {}
    check(db, field("x", kind, key_position=1 if is_key else None, **declared), texts, nulls, telling)


@pytest.mark.parametrize(
    ("kind", "plain", "other"),
    [
        ("INTEGER", ["0", "7", "-12"], ["07", "+7", " 7", "7 ", "7.", "7.0", "1e3", "-0", "９", "", " ", "x", "-"]),
        ("DECIMAL(10,2)", ["1.20", "7"], ["1.2", ".5", "1.205", ".", "-", "1e2", "nan"]),
        ("DATE", ["2024-01-05"], ["2024-01-5 ", "2024/01/05", " 024-01-05", "2024-02-30", "0024-01-05", "2024-01-05 "]),
        (
            "TIMESTAMP",
            ["2024-01-05 10:11:12", "2024-01-05T10:11:12"],
            [
                "2024-01-05 10:11:1Z",
                "2024-01-05 10:11:1z",
                "2024-01-05 10:11:1 ",
                "2024-01-05 10:11+08",
                "2024-01-05 10:11-08",
                "2024-1-5 10:11:12Z",
                " 024-01-05 10:11:12",
                "2024-01-05 25:11:12",
                "2024-01-05 10:11:12.5",
                "2024-01-05 10:11:12\u3000",
                "infinity",
                "epoch",
            ],
        ),
        ("VARCHAR", ["ST001", "ST0012"], ["ST001 ", "\u3000ST001", "ST01", "st001", "ST001\n", ""]),
    ],
)
@pytest.mark.parametrize("telling", TELLINGS)
def test_what_is_plain_and_what_is_not(
    db: duckdb.DuckDBPyConnection, kind: str, plain: list[str], other: list[str], telling: Telling
) -> None:
    declared: dict[str, Any] = {"pattern": "^ST[0-9]{3,4}$"} if kind == "VARCHAR" else {}
    found = check(db, field("x", kind, key_position=1, **declared), [*plain, *other], [], telling)
    assert found == [True] * len(plain) + [False] * len(other)


PATTERNS = [
    "^ST[0-9]{3,4}$",
    "[A-Z]{2}[0-9a-f]",
    "W[0-9]{2}$",
    "[BS]-[0-9]{1,2}",
    "a{2}_[x-z0]",
    "[0-9]{2,9}",
    "^[1-8]$",
]


@QUICK
@given(
    st.data(),
    st.sampled_from([*PATTERNS, "^(open|closed)$", "[0-9]{11}", "a[b]?c+", "[ab]|c", "x^", "$y", "[0-9]{3,}"]),
)
def test_what_fits_a_pattern_is_plain_and_nothing_else(
    db: duckdb.DuckDBPyConnection, data: st.DataObject, pattern: str
) -> None:
    fitting = st.from_regex(pattern, fullmatch=True) if pattern not in ("x^", "$y") else st.just("xy")
    near = st.lists(fitting, min_size=1, max_size=3).flatmap(nearly)
    texts = data.draw(st.lists(near | st.text(max_size=3), min_size=1, max_size=30))
    found = check(db, field("x", pattern=pattern), texts, [], Telling())
    fits = db.execute("SELECT regexp_full_match(_t0, ?) FROM texts", [pattern]).fetchall()
    assert found == [fit for (fit,) in fits]


@pytest.mark.parametrize("kind", sorted(USUAL))
def test_a_null_value_is_never_plain(db: duckdb.DuckDBPyConnection, kind: str) -> None:
    declared: dict[str, Any] = {"pattern": "^ST[0-9]{3,4}$"} if kind == "VARCHAR" else {}
    first, *more = USUAL[kind][:2]
    assert check(db, field("x", kind, **declared), [first, *more], [first], Telling()) == [False, True]


def test_every_byte_alone_that_is_a_number_is_a_digit(db: duckdb.DuckDBPyConnection) -> None:
    texts = [chr(code) for code in range(1, 128)]
    for kind in ("TINYINT", "BIGINT", "HUGEINT", "DECIMAL(4,1)"):
        found = check(db, field("x", kind), texts, [], Telling())
        assert [text for text, is_plain in zip(texts, found, strict=True) if is_plain] == list("0123456789")


@pytest.mark.parametrize(
    ("pattern", "is_seen"),
    [
        *[(p, True) for p in ("^ST[0-9]{3,4}$", "[0-9]{15}", "^(open|closed)$", "^(完好|破损)$", "[A-Z]{2}-[0-9]+")],
        # It may be nothing, or a blank: said, as any character, as a class, as what is not of a class, as a range.
        *[
            (p, False)
            for p in ("[0-9]*", "(a|)", "^$|a", "a b", "a.c", r"\s+", r"\d{2}", "[^0-9]+", "[a ]", "[一-龥]+")
        ],
        *[(p, False) for p in ("(?i)st", "a\u3000", "[!-龥]", "a\u200b", "[", "")],
    ],
)
def test_which_patterns_leave_no_room_for_blanks(pattern: str, is_seen: bool) -> None:
    assert is_seen_by_pattern(field("x", pattern=pattern)) is is_seen
    assert not is_seen_by_pattern(field("x", "INTEGER", pattern=pattern))


def test_no_blank_counts_as_seen() -> None:
    assert [blank for blank in BLANKS if is_seen_by_pattern(field("x", pattern=f"a{blank}"))] == []


def test_a_short_second_with_an_offset_is_an_instant(db: duckdb.DuckDBPyConnection) -> None:
    text, moments = "2024-01-05 10:11:1Z", Moments(CITY)
    plain, typed = (
        plain_cast(field("x", "TIMESTAMP"), "_s0", is_text=True),
        cast(field("x", "TIMESTAMP"), "_s0", "_p0", is_text=True, moments=moments),
    )
    rows = layered(f"SELECT '{text}' AS _s0", [("_p0", plain)], [("x", typed)])
    assert db.execute(f"SELECT strftime(x, '%d %H:%M:%S') FROM ({rows})").fetchall() == [("05 18:11:01",)]


def test_no_two_columns_of_a_statement_have_one_name() -> None:
    fields = (
        *(field(f"f{n}", kind) for n, kind in enumerate((*USUAL, "DOUBLE", "BOOLEAN"))),
        field("code", pattern="ST[0-9]{3}"),
        field("shape", "GEOMETRY"),
        field("east", "DOUBLE", point_with="north"),
        field("north", "DOUBLE"),
    )
    turned = {name: Coordinates("EPSG:4549") for name in ("shape", "east")}
    compiled = compile_contract(contract(*fields), {f.name: True for f in fields}, coordinates=turned)
    names = [name for step in (*compiled.read, compiled.plain, *compiled.judged) for name, _ in step]
    names += [f"_{letter}{number}" for number in range(len(fields)) for letter in "cts"]
    assert len(names) == len(set(names))
