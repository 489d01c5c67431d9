"""A lake of an earlier release goes on as if it had always been of this one."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from tests.unit.pipelines.landing.landings import ORDERS, Place, files
from tests.unit.warehouse.layout_1 import LAYOUT_1, lay_out
from warehouse.settings import Settings

FIRST = "order_no,amount,reported_at,status\n1,5,2026-03-01 08:00:00,open\n2,many,2026-03-01 09:00:00,open\n"
SECOND = "order_no,amount,reported_at,status\n1,5,2026-03-01 08:00:00,closed\n3,7,2026-03-02 10:00:00,open\n"


def landed_by_layout_1() -> str:
    """SQL of what that release wrote when it landed the first file."""
    content_hash = hashlib.sha256(FIRST.encode()).hexdigest()
    identity = hashlib.sha256(f"orders\0a.csv\0{content_hash}".encode()).hexdigest()[:20]
    own = f"'orders-{identity}'"
    return f"""
CREATE TABLE lake.raw.orders (
    order_no VARCHAR, amount INTEGER, reported_at TIMESTAMP, status VARCHAR,
    _extra VARCHAR, _delivery_id VARCHAR, _source_row BIGINT, _load_seq BIGINT, _loaded_at TIMESTAMP,
    _is_deleted BOOLEAN);
CREATE TABLE lake.quarantine.orders (
    original VARCHAR, broken_rules VARCHAR[], _delivery_id VARCHAR, _source_row BIGINT, _load_seq BIGINT,
    _loaded_at TIMESTAMP);
INSERT INTO lake.raw.orders VALUES
    ('1', 5, '2026-03-01 08:00:00', 'open', NULL, {own}, 1, 1, '2026-03-01 12:00:00', false);
INSERT INTO lake.quarantine.orders VALUES (
    '{{"order_no":"2","amount":"many","reported_at":"2026-03-01 09:00:00","status":"open"}}', ['type:amount'],
    {own}, 2, 1, '2026-03-01 12:00:00');
INSERT INTO lake.ops.load VALUES (
    {own}, 'demo', 'office', 'orders', '1.0.0', 'a.csv', '{content_hash}', {len(FIRST)}, 1, 2, 0, 2, 1, 1, '{{}}',
    '{{}}', [], [], NULL, NULL, 1, '2026-03-01 12:00:00', '2026-03-01 12:00:00');
"""


def held(place: Place) -> dict[str, list[tuple[Any, ...]]]:
    """All that the lake holds, but for the time of landing and the place within it, which the first rows lack."""
    landed = "order_no, amount, reported_at, status, _extra, _delivery_id, _source_row, _load_seq, _is_deleted"
    counts = "read_count, accepted_count, quarantined_count"
    return {
        "raw": place.sql(f"SELECT {landed} FROM lake.raw.orders ORDER BY ALL"),
        "quarantine": place.sql("SELECT * EXCLUDE (_loaded_at) FROM lake.quarantine.orders ORDER BY ALL"),
        "load": place.sql(
            f"SELECT delivery_id, uri, content_hash, size_bytes, load_seq, fetched_count, {counts}"
            " FROM lake.ops.load ORDER BY load_seq"
        ),
        "sequence": place.sql("FROM lake.ops.sequence"),
    }


def test_upgraded_lake_lands_as_a_new_one_does(settings: Settings, sqlite_settings: Settings, tmp_path: Path) -> None:
    fresh = sqlite_settings.model_copy(update={"home": tmp_path / "fresh"})
    lay_out(settings, LAYOUT_1 + landed_by_layout_1())
    upgraded = files(settings, tmp_path / "drops", ORDERS)
    new = files(fresh, tmp_path / "drops", ORDERS)
    upgraded.drop("a.csv", FIRST)
    assert upgraded.land().counts.delivery_count == 0, "what had landed before the upgrade is known"
    assert new.land().counts.delivery_count == 1
    assert held(upgraded) == held(new)
    upgraded.drop("b.csv", SECOND)
    assert upgraded.land().counts == new.land().counts
    assert held(upgraded) == held(new)
