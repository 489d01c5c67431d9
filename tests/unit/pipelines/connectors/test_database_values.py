"""What a value of a database becomes: exact, or refused as it stands there; and what is gone, or corrected."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.pipelines.connectors.databases import Execute, executor, office
from tests.unit.pipelines.landing.landings import Place, contract, field
from warehouse.settings import Settings


def test_numbers_of_postgres_are_exact_or_refused(
    postgres_database: str, sqlite_settings: Settings, tmp_path: Path
) -> None:
    execute = executor("postgres", postgres_database)
    execute(
        "CREATE SCHEMA office",
        "CREATE DOMAIN office.code AS NUMERIC",
        "CREATE TABLE office.permit (order_no NUMERIC, ref office.code, fee MONEY, price NUMERIC, big NUMERIC(38,0),"
        " share DOUBLE PRECISION, size REAL, parts NUMERIC[])",
        "INSERT INTO office.permit VALUES"
        " (990102202603050001, 990102202603050001, '1234.50', 0.125, 12345678901234567890123456789012345678, 7, 2.5,"
        " '{1.23456789012345678901}'),"
        " (990102202603050002, NULL, NULL, NULL, NULL, 123456789.25, NULL, NULL),"
        " (990102202603050003, NULL, NULL, NULL, NULL, 990102202603050001, NULL, NULL),"
        " (4, NULL, NULL, 'NaN', NULL, NULL, NULL, NULL), (5, NULL, NULL, NULL, NULL, 'Infinity', NULL, NULL),"
        " ('NaN', NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    )
    described = contract(
        field("order_no", is_required=True, key_position=1, pattern="[0-9]+"),
        field("ref", "BIGINT"),
        field("fee"),
        field("price", "DECIMAL(10,3)"),
        field("big"),
        field("share"),
        field("size"),
        field("parts"),
    )
    place = office(sqlite_settings, "postgres", postgres_database, tmp_path).with_contract(described)
    place.land()
    assert place.rows("order_no, ref, fee, price::varchar, big, share, size, parts", order="1") == [
        (
            "990102202603050001",
            990102202603050001,
            "$1,234.50",
            "0.125",
            "12345678901234567890123456789012345678",
            "7",
            "2.5",
            "{1.23456789012345678901}",
        ),
        ("990102202603050002", None, None, None, None, "123456789.25", None, None),
    ]
    refused = {original["order_no"]: rules for original, rules, _ in place.quarantine()}
    assert refused == {
        "990102202603050003": ["inexact:share"],
        "4": ["type:price"],
        "5": ["inexact:share"],
        "NaN": ["pattern:order_no"],
    }
    assert place.land().counts.delivery_count == 0


def test_times_without_end_are_refused_as_they_are_written(
    postgres_database: str, sqlite_settings: Settings, tmp_path: Path
) -> None:
    execute = executor("postgres", postgres_database)
    execute(
        "CREATE SCHEMA office",
        "CREATE TABLE office.permit (order_no TEXT, updated_at TIMESTAMP, day DATE)",
        "INSERT INTO office.permit VALUES ('1', '2026-01-01 10:00:00.123456', '2026-01-02'), ('2', 'infinity', NULL),"
        " ('3', '0044-03-15 BC', NULL), ('4', NULL, 'infinity')",
    )
    described = contract(
        field("order_no", is_required=True, key_position=1), field("updated_at", "TIMESTAMP"), field("day", "DATE")
    )
    place = office(sqlite_settings, "postgres", postgres_database, tmp_path).with_contract(described)
    place.land()
    assert place.rows("order_no, updated_at::varchar, day::varchar") == [
        ("1", "2026-01-01 10:00:00.123456", "2026-01-02")
    ]
    assert [original for original, _, _ in place.quarantine()] == [
        {"order_no": "2", "updated_at": "infinity", "day": None},
        {"order_no": "3", "updated_at": "0044-03-15 00:00:00 BC", "day": None},
        {"order_no": "4", "updated_at": None, "day": "infinity"},
    ]


def test_any_value_may_stand_in_any_column_of_sqlite(sqlite_settings: Settings, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/office.db"
    execute = executor("sqlite", url)
    execute(
        "CREATE TABLE permit (order_no, amount DECIMAL(10,2), updated_at TIMESTAMP, note VARCHAR(20), photo BLOB)",
        "INSERT INTO permit VALUES (990102202603050001, 1, '2026-01-01 10:00:00', 'a', x'00ff'),"
        " (990102202603050002, 2.0, NULL, 12, 'text'), (3, 'many', NULL, '好', NULL), (4, 9e999, NULL, NULL, NULL),"
        " (5, 1, NULL, CAST(x'b3c7b9dc' AS TEXT), NULL), (990102202603050006.0, 1, NULL, NULL, NULL),"
        " (7.0, 1e300, NULL, NULL, NULL), (8, 1, 'yesterday', NULL, NULL)",
    )
    described = contract(
        field("order_no", is_required=True, key_position=1),
        field("amount", "INTEGER"),
        field("updated_at", "TIMESTAMP"),
        field("note"),
    )
    place = office(sqlite_settings, "sqlite", url, tmp_path).with_contract(described)
    place.land()
    assert place.rows("order_no, amount, note, _extra") == [
        ("990102202603050001", 1, "a", '{"photo":"0x00FF"}'),
        ("990102202603050002", 2, "12", '{"photo":"text"}'),
    ]
    found = [(original["order_no"], rules) for original, rules, _ in place.quarantine()]
    assert found == [
        ("3", ["type:amount"]),
        ("4", ["type:amount"]),
        ("5", ["unreadable"]),
        ("9.9010220260305e+17", ["unreadable"]),
        ("7", ["type:amount"]),
        ("8", ["type:updated_at"]),
    ]
    # Each as whole as SQLite has it.
    assert place.quarantine()[0][0] == {
        "order_no": "3",
        "amount": "many",
        "updated_at": None,
        "note": "好",
        "photo": None,
    }
    assert place.quarantine()[2][0]["note"] == r"\xB3\xC7\xB9\xDC"
    assert place.land().counts.delivery_count == 0


def test_many_rows_gone_from_a_table_are_refused_and_deletions_are_recorded(source: tuple[Place, Execute]) -> None:
    place, execute = source
    values = ", ".join(f"('n{n}', {n}, NULL, NULL)" for n in range(1000, 1098))
    execute(f"INSERT INTO office.permit VALUES {values}")
    place.land()
    before = place.state()
    execute("DELETE FROM office.permit WHERE amount > 1080")
    (refusal,) = place.land().refusals
    assert "17 of the 100 keys that the lake holds are missing" in refusal.problem
    assert place.state() == before
    assert place.with_entry(deletes_allowed=0.2).land().counts.deleted_count == 17
    assert place.loads()[-1]["deleted_count"] == 17


def test_a_corrected_row_with_the_same_time_of_change_lands(source: tuple[Place, Execute]) -> None:
    place, execute = source
    place = place.with_entry(cursor={"field": "updated_at"})
    place.land()
    execute("UPDATE office.permit SET amount = 22 WHERE order_no = '2'")
    assert place.land().counts.accepted_count == 1
    assert place.rows("order_no, amount", order="_load_seq, 1") == [("1", 1), ("2", 2), ("2", 22)]


def test_instants_of_postgres_are_times_of_the_city_and_pulled_from_there(
    postgres_database: str, sqlite_settings: Settings, tmp_path: Path
) -> None:
    execute = executor("postgres", postgres_database)
    execute(
        "CREATE SCHEMA office",
        "CREATE TABLE office.permit (order_no TEXT, amount INTEGER, updated_at TIMESTAMPTZ)",
        "INSERT INTO office.permit VALUES ('1', 1, '2026-04-01 00:30+08'), ('2', 2, '2026-03-31 16:29Z')",
    )
    place = office(
        sqlite_settings, "postgres", postgres_database, tmp_path, cursor={"field": "updated_at", "overlap": "PT0S"}
    )
    place.land()
    assert place.rows("order_no, updated_at::varchar", order="1") == [
        ("1", "2026-04-01 00:30:00"),
        ("2", "2026-04-01 00:29:00"),
    ]
    assert place.watermark() == "2026-04-01 00:30:00"
    execute("UPDATE office.permit SET amount = 9", "INSERT INTO office.permit VALUES ('3', 3, '2026-03-31 16:30:01Z')")
    counts = place.land().counts
    # Row 2 lies a minute before the watermark.
    assert (counts.fetched_count, counts.accepted_count) == (2, 2)


@pytest.mark.parametrize(
    ("telling", "first", "second"),
    [
        ({"tells": "epoch_s"}, "1774974600", "1774974601"),
        ({"tells": "utc"}, "'2026-03-31 16:30:00'", "'2026-03-31T16:30:01'"),
        ({"tells": "auto"}, "'2026-03-31 16:30:00Z'", "'2026-04-01 00:30:01'"),
    ],
)
def test_a_cursor_of_sqlite_is_read_as_it_is_told(
    sqlite_settings: Settings, tmp_path: Path, telling: dict[str, str], first: str, second: str
) -> None:
    url = f"sqlite:///{tmp_path}/office.db"
    execute = executor("sqlite", url)
    execute(
        "CREATE TABLE permit (order_no TEXT, amount INTEGER, updated_at)",
        f"INSERT INTO permit VALUES ('1', 1, {first}), ('0', 0, '2026-01-01 00:00:00')",
    )
    place = office(
        sqlite_settings, "sqlite", url, tmp_path, cursor={"field": "updated_at"}, moments={"updated_at": telling}
    )
    place.land()
    assert place.watermark() == "2026-04-01 00:30:00"
    execute(f"INSERT INTO permit VALUES ('2', 2, {second})")
    counts = place.land().counts
    assert counts.accepted_count == 1
    assert place.rows("order_no, updated_at::varchar")[-1] == ("2", "2026-04-01 00:30:01")
