"""A lake that an earlier release laid out is brought up to date; one of a later release is left alone."""

from __future__ import annotations

import pytest

from tests.unit.warehouse.helpers import read, write
from tests.unit.warehouse.layout_1 import LAYOUT_1, lay_out
from warehouse.errors import LakeError
from warehouse.lake.layout import LAYOUT_VERSION
from warehouse.lake.session import next_load_seq, open_lake, transact
from warehouse.settings import Settings

ORDERS = """
INSERT INTO lake.ops.load (delivery_id, dataset, city, source, read_count, accepted_count, load_seq)
    VALUES ('a', 'orders', 'demo', 'office', 2, 2, 41), ('b', 'orders', 'demo', 'office', 1, 1, 42);
CREATE TABLE lake.raw.orders (order_no VARCHAR, _load_seq BIGINT);
INSERT INTO lake.raw.orders VALUES ('1', 41), ('2', 41), ('3', 42);
"""


def test_lake_of_layout_1_is_brought_up_to_date_whole(settings: Settings) -> None:
    lay_out(settings, LAYOUT_1 + ORDERS)
    with (
        pytest.raises(LakeError, match=r"layout 1, not .*gridlake maintain"),
        open_lake(settings, read_only=True),
    ):
        pass
    with open_lake(settings) as connection:
        assert transact(connection, settings, next_load_seq, message="land") == 43
    with open_lake(settings) as connection:  # nothing is done twice
        assert transact(connection, settings, next_load_seq, message="land") == 44
    with open_lake(settings, read_only=True) as connection:
        ask = connection.execute
        assert ask("SELECT city, layout_version, created_at::VARCHAR FROM lake.ops.lake").fetchall() == [
            ("demo", LAYOUT_VERSION, "2026-01-01 08:00:00")
        ]
        assert ask("SELECT delivery_id, read_count, load_seq FROM lake.ops.load ORDER BY 1").fetchall() == [
            ("a", 2, 41),
            ("b", 1, 42),
        ]
        assert ask("FROM lake.raw.orders ORDER BY ALL").fetchall() == [("1", 41), ("2", 41), ("3", 42)]


def test_upgraded_lake_has_the_tables_and_columns_of_a_new_one(sqlite_settings: Settings) -> None:
    lay_out(sqlite_settings, LAYOUT_1 + ORDERS)
    new = sqlite_settings.model_copy(update={"home": sqlite_settings.home_path / "new"})
    columns = (
        "SELECT table_name, column_name, column_type FROM __ducklake_metadata_lake.ducklake_column c"
        " JOIN __ducklake_metadata_lake.ducklake_table t USING (table_id)"
        " WHERE c.end_snapshot IS NULL AND t.end_snapshot IS NULL AND table_name <> 'orders' ORDER BY ALL"
    )
    # What a layout no longer uses stays, empty from then on.
    assert set(read(new, columns)) <= set(read(sqlite_settings, columns))


def test_column_that_a_lake_of_this_layout_lacks_is_added(sqlite_settings: Settings) -> None:
    with open_lake(sqlite_settings) as connection:
        connection.execute("ALTER TABLE lake.ops.load DROP COLUMN warning_counts")
        connection.execute("DROP TABLE lake.ops.watermark")
    write(sqlite_settings, "INSERT INTO lake.ops.load (warning_counts) VALUES ('{}')")
    assert read(sqlite_settings, "SELECT count(*) FROM lake.ops.watermark") == [(0,)]


def test_lake_of_a_later_release_is_refused(sqlite_settings: Settings) -> None:
    with open_lake(sqlite_settings) as connection:
        connection.execute(f"UPDATE lake.ops.lake SET layout_version = {LAYOUT_VERSION + 1}")
    for read_only in (True, False):
        with (
            pytest.raises(LakeError, match="a later release laid out this lake"),
            open_lake(sqlite_settings, read_only=read_only),
        ):
            pass
