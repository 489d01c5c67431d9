"""Pulling from PostgreSQL and SQLite: cursor increments, whole tables with change detection, a database that goes."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import pytest

from pipelines.connectors.database import connector as database
from pipelines.sources.declared import SourceError
from tests.unit.pipelines.connectors.databases import Execute, executor, office
from tests.unit.pipelines.landing.landings import Place, contract, field
from warehouse.lake.postgres import local_postgres
from warehouse.settings import Settings

CURSOR = {"field": "updated_at", "overlap": "PT10M"}


def test_a_cursor_brings_only_what_changed(source: tuple[Place, Execute]) -> None:
    place, execute = source
    place = place.with_entry(cursor=CURSOR)
    first = place.land().counts
    assert (first.accepted_count, first.quarantined_count, place.watermark()) == (2, 1, "2026-01-01 11:00:00")
    assert place.loads()[0]["unknown_columns"] == ["note"]
    snapshot = place.snapshot()
    assert place.land().counts.repeated_count == 2
    assert place.snapshot() == snapshot

    execute(
        "INSERT INTO office.permit VALUES ('3', 3, '2026-01-01 10:55:00', NULL), ('4', 4, '2026-01-01 09:00:00', NULL)",
        "UPDATE office.permit SET amount = 22, updated_at = '2026-01-01 12:00:00' WHERE order_no = '2'",
    )
    third = place.land().counts
    assert (third.fetched_count, third.repeated_count, third.accepted_count) == (3, 1, 2)
    assert place.rows("order_no, amount", order="_load_seq, 1") == [("1", 1), ("2", 2), ("2", 22), ("3", 3)]
    assert place.watermark() == "2026-01-01 12:00:00"


def test_a_whole_table_gives_its_changes(source: tuple[Place, Execute]) -> None:
    place, execute = source

    def changes() -> list[tuple[Any, ...]]:
        counts = place.land().counts
        if not counts.delivery_count:
            return []
        return place.sql(
            "SELECT order_no, amount, _is_deleted FROM lake.raw.orders WHERE _load_seq ="
            " (SELECT max(load_seq) FROM lake.ops.load) ORDER BY 1"
        )

    assert changes() == [("1", 1, False), ("2", 2, False)]
    snapshot = place.snapshot()
    assert changes() == []
    assert place.snapshot() == snapshot
    execute("UPDATE office.permit SET amount = 11 WHERE order_no = '1'", "DELETE FROM office.permit WHERE amount = 2")
    assert changes() == [("1", 11, False), ("2", 2, True)]
    assert changes() == []
    execute("UPDATE office.permit SET amount = 1 WHERE order_no = '1'")
    assert changes() == [("1", 1, False)]
    execute("INSERT INTO office.permit VALUES ('2', 2, '2026-01-01 11:00:00', 'x')")
    assert changes() == [("2", 2, False)]
    execute("UPDATE office.permit SET note = 'y' WHERE order_no = '2'")
    assert changes() == [("2", 2, False)]
    assert len(place.quarantine()) == 1
    assert place.watermark() is None


def test_an_emptied_table_is_refused_unless_it_may_be(source: tuple[Place, Execute]) -> None:
    place, execute = source
    place.land()
    before = place.state()
    execute("DELETE FROM office.permit")
    (refusal,) = place.land().refusals
    assert "empty although the lake holds rows of it" in refusal.problem
    assert "may_be_empty" in refusal.problem
    assert place.state() == before
    result = place.with_entry(may_be_empty=True).land()
    assert (result.counts.deleted_count, result.refusals) == (2, ())


def test_a_source_that_gives_a_key_twice_does_not_grow_the_lake(source: tuple[Place, Execute]) -> None:
    place, execute = source
    execute("INSERT INTO office.permit VALUES ('1', 7, '2026-01-01 10:00:00', NULL)")
    place.land()
    assert place.land().counts.delivery_count == 0
    execute("UPDATE office.permit SET amount = 8 WHERE amount = 7")
    assert place.land().counts.accepted_count == 2
    assert place.land().counts.delivery_count == 0


def test_a_missing_table_and_a_missing_cursor_column_are_named(source: tuple[Place, Execute]) -> None:
    place, _ = source
    place.land()
    before = place.state()
    table = place.source.datasets[0].table
    with pytest.raises(SourceError, match=r"permitt.*check that the database answers and that the table"):
        place.with_entry(table=table + "t").land()
    wrong = place.with_entry(cursor=CURSOR, fields={"updated_at": "changed_at"})
    with pytest.raises(SourceError, match=r"no cursor column.*changed_at.*name one of \['amount', 'note'"):
        wrong.land(since="2026-01-01")
    assert place.state() == before


def test_names_and_values_that_look_like_sql_are_inert(source: tuple[Place, Execute]) -> None:
    place, execute = source
    evil = "'); DROP TABLE permit; --"
    execute(
        f'ALTER TABLE office.permit ADD COLUMN "{evil}" VARCHAR(99)',
        f"UPDATE office.permit SET \"{evil}\" = '{evil.replace(chr(39), chr(39) * 2)}' WHERE order_no = '1'",
    )
    place.land()
    ((extra,),) = place.sql("SELECT _extra FROM lake.raw.orders WHERE order_no = '1'")
    assert evil in extra
    assert place.land().counts.delivery_count == 0


def test_a_value_of_another_type_in_sqlite_is_one_row_in_quarantine(sqlite_settings: Settings, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/office.db"
    execute = executor("sqlite", url)
    execute(
        "CREATE TABLE permit (order_no VARCHAR(20), amount INTEGER, updated_at TIMESTAMP)",
        "INSERT INTO permit VALUES ('1', 1, '2026-01-01 10:00:00'), ('2', 'many', '2026-01-01 10:00:00'),"
        " ('3', 3, 'yesterday')",
    )
    place = office(sqlite_settings, "sqlite", url, tmp_path)
    place.land()
    assert place.rows("order_no, amount") == [("1", 1)]
    assert [rules for _, rules, _ in place.quarantine()] == [["type:amount"], ["type:updated_at"]]
    assert place.quarantine()[0][0]["amount"] == "many"
    assert place.land().counts.delivery_count == 0


def test_a_missing_sqlite_file_is_named(sqlite_settings: Settings, tmp_path: Path) -> None:
    place = office(sqlite_settings, "sqlite", f"sqlite:///{tmp_path}/no.db", tmp_path)
    with pytest.raises(SourceError, match=r"the database file is not there.*no\.db"):
        place.land()


def test_a_database_that_goes_away_leaves_the_lake_as_it_was(
    sqlite_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server = ExitStack()
    plain = server.enter_context(local_postgres(tmp_path / "pg"))
    execute = executor("postgres", plain)
    execute(
        "CREATE SCHEMA office",
        "CREATE TABLE office.permit (order_no TEXT, amount INTEGER, updated_at TIMESTAMP)",
        "INSERT INTO office.permit VALUES ('1', 1, '2026-01-01 10:00:00')",
    )
    url = plain.replace("postgres@", "postgres:h%2Fdd%40n@")
    place = office(sqlite_settings, "postgres", url, tmp_path)
    place.land()
    before = place.state()
    execute("UPDATE office.permit SET amount = 2")
    attached = database.typed_batch

    def stop_after_attach(*args: Any, **options: Any) -> Any:
        batch = attached(*args, **options)
        server.close()
        return batch

    with monkeypatch.context() as patch:
        patch.setattr(database, "typed_batch", stop_after_attach)
        messages = [refusal.problem for refusal in place.land().refusals]
    assert len(messages) == 1
    with pytest.raises(SourceError) as caught:
        place.land()
    messages.append(str(caught.value))
    assert place.state() == before
    assert all("Fix: see `url` of the source file, and the variables that it names" in text for text in messages)
    shown = " ".join([*messages, caplog.text])
    assert "h%2Fdd%40n" not in shown
    assert "h/dd@n" not in shown


def test_types_of_a_database_keep_their_values(
    postgres_database: str, sqlite_settings: Settings, tmp_path: Path
) -> None:
    execute = executor("postgres", postgres_database)
    execute(
        "CREATE SCHEMA office",
        "CREATE TABLE office.permit (order_no BIGINT, price NUMERIC(12,3), seen TIMESTAMPTZ, is_open BOOLEAN,"
        " code UUID, tags TEXT[], data JSONB)",
        "INSERT INTO office.permit VALUES (1, 1.500, '2026-01-01 08:00:00+08', true,"
        " 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{a,b}', '{\"k\": 1}'), (2, 1.505, NULL, NULL, NULL, NULL, NULL)",
    )
    described = contract(
        field("order_no", is_required=True, key_position=1),
        field("price", "DECIMAL(10,2)"),
        field("seen", "TIMESTAMP"),
        field("is_open", "BOOLEAN"),
        field("code"),
        field("tags"),
        field("data"),
    )
    place = office(sqlite_settings, "postgres", postgres_database, tmp_path).with_contract(described)
    place.land()
    assert place.rows("order_no, price::varchar, seen::varchar, is_open, code, tags, data") == [
        ("1", "1.50", "2026-01-01 08:00:00", True, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "[a, b]", '{"k": 1}')
    ]
    assert [rules for _, rules, _ in place.quarantine()] == [["type:price"]]


def test_why_a_database_cannot_be_reached_is_told_without_its_secrets(
    sqlite_settings: Settings, tmp_path: Path
) -> None:
    with TemporaryDirectory(prefix="gridlake-pg-") as folder, local_postgres(Path(folder) / "pg") as plain:
        execute = executor("postgres", plain)
        execute("CREATE ROLE clerk LOGIN PASSWORD 'right'")
        (rules,) = Path(folder).rglob("pg_hba.conf")
        rules.write_text("local all postgres trust\nlocal all clerk scram-sha-256\n", encoding="utf-8")
        execute("SELECT pg_reload_conf()")
        path = urlsplit(plain).path

        def told(url: str) -> str:
            with pytest.raises(SourceError) as caught:
                office(sqlite_settings, "postgres", url, tmp_path).land()
            assert "Fix: see `url` of the source file, and the variables that it names" in str(caught.value)
            return str(caught.value)

        wrong = told(plain.replace("postgres@", "clerk:wr0ng@"))
        assert "the database refuses the user name or the password" in wrong
        assert "wr0ng" not in wrong
        assert "refuses the user name or the password" in told(plain.replace("postgres@", "clerk@"))
        assert "the server has no database of that name" in told(plain.replace(f"{path}?", "/elsewhere?"))
    assert "no database answers" in told("postgresql://clerk:wr0ng@127.0.0.1:1/city")
    assert "nobody knows the database's host name" in told("postgresql://clerk:wr0ng@nowhere.invalid/city")
