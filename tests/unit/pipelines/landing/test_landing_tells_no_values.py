"""Values of a source stand in `raw` and `quarantine` and nowhere else: no message, log, event, count or check."""

from __future__ import annotations

import contextlib
import gzip
import json
import logging
import os
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalog.contract import Rule
from pipelines.assets.raw import raw_assets
from pipelines.connectors.batch import readable
from pipelines.landing.land import land
from pipelines.resources import LakeResource
from quality.contract_checks import contract_checks
from quality.results import record
from tests.unit.pipelines.landing.landings import contract, field, system
from warehouse.lake.extensions import load_extensions
from warehouse.lake.session import open_lake
from warehouse.settings import Settings

# A name, a telephone number and an identity number that nobody else writes.
SECRETS = ("欧阳密", "Zyxwv Qponm", "13977755511", "990102199901019876")
A, B, PHONE, NUMBER = SECRETS
PERSONAL = {"personal_data": "name"}
PEOPLE = contract(
    field("order_no", is_required=True, key_position=1),
    field("caller", max_length=20, **PERSONAL),
    field("phone", pattern="[0-9]{11}", **PERSONAL),
    field("amount", "INTEGER", minimum=0),
    field("taken", "TIMESTAMP"),
    field("price", "DECIMAL(5,2)"),
    rules=(Rule("calm", "caller <> phone", severity="warning"),),
)
HEADER = "order_no,caller,phone,amount,taken,price\n"
ROW = f"1,{A},{PHONE},5,2026-01-01,1.5\n"
GOOD = HEADER + ROW
ROWS: list[dict[str, Any]] = [
    {"order_no": NUMBER, "caller": A, "phone": PHONE, "amount": B, "taken": B, "price": PHONE},
    {"order_no": "2", "caller": B * 9, "phone": B, "amount": "-5", "taken": PHONE, "price": A},
]
FEATURES = [{"type": "Feature", "properties": row, "geometry": {"type": A, "coordinates": [PHONE]}} for row in ROWS]
CSV: dict[str, str | bytes] = {
    "no_header": ROW * 3,
    "no_header_one_column": f"{A}\n{B}\n",
    "bad_rows": GOOD + f"2,{A},{B},{PHONE}x,{B},{NUMBER}\n",
    "ragged": GOOD + f"{A},{B}\n{A},{B},{PHONE},{NUMBER},{A},{B},{PHONE},{A}\n",
    "quote": GOOD + f'3,"{A},{B},{PHONE}\n{NUMBER},x\n',
    "after_quote": GOOD + f'3,"{A}"{B},{PHONE},5,,\n',
    "cut": GOOD + f"3,{A}",
    "open_end": GOOD + f"3,{A},{PHONE},5,2026-01-01,1",
    "mixed_ends": HEADER + f"1,{A},,,,\r\n2,{B},,,,\n",
    "gbk": GOOD.encode("gb18030"),
    "damaged": GOOD.encode() + f"3,{A}{B}欧".encode()[:-1] + b",,,,\n",
    "nul": HEADER + f"1,{A}\0,{PHONE},,,\n",
    "twice": f"order_no,caller,caller\n1,{A},{B}\n",
    "header_of_values": f"order_no,{A},{PHONE}\n1,x,y\n".replace("order_no", "order"),
    "packed_cut": gzip.compress(GOOD.encode() * 50)[:-9],
}
JSON: dict[str, str] = {
    "rows": json.dumps(ROWS, ensure_ascii=False),
    "no_object": json.dumps([A, [B], PHONE], ensure_ascii=False),
    "cut": json.dumps(ROWS, ensure_ascii=False)[:-12],
    "no_array": json.dumps({A: ROWS[0]}, ensure_ascii=False),
    "faulty": f'[{{"order_no": "{A}" "{B}"}}]',
    "bare": f"{A} {B} {PHONE}",
    "other_names": json.dumps([{A: B, PHONE: NUMBER}], ensure_ascii=False),
    "twice": f'[{{"order_no": "{A}"}}]{{"{B}": [{{"order_no": "{B}"}}]}}',
}


def sheet(path: Path, header: bool) -> None:
    book = openpyxl.Workbook()
    book.worksheets[0].title = A
    for row in ([list(ROWS[0])] if header else []) + [list(row.values()) for row in ROWS]:
        book.worksheets[0].append(row)
    book.worksheets[0].append([990102199901019876, A, "=1/0", B, B, B])
    book.save(path)


def dropped(root: Path) -> list[dict[str, Any]]:
    """Write a file for every kind of refusal of every reader; the entries that land them, a folder each."""
    entries: list[dict[str, Any]] = []

    def folder(name: str, kind: str, **more: Any) -> Path:
        entries.append({"path": f"{name}/*.{kind}*", "format": kind, **more})
        (root / name).mkdir(parents=True)
        return root / name

    for name, content in CSV.items():
        path = folder(f"csv_{name}", "csv") / ("a.csv.gz" if name.startswith("packed") else "a.csv")
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        # Not as if it were still being written.
        os.utime(path, (1, 1))
    for name, text in JSON.items():
        (folder(f"json_{name}", "json") / "a.json").write_text(text)
        # A name of a JSON object is a name: an unknown one is told. So no line may have a value for a name.
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS) + text.replace("{", "", 1) + "\n"
        (folder(f"ndjson_{name}", "ndjson") / "a.ndjson").write_text(lines)
    gbk = json.dumps(ROWS[0], ensure_ascii=False).encode("gb18030")
    (folder("ndjson_gbk", "ndjson") / "a.ndjson").write_bytes(gbk)
    whole = json.dumps({"type": "FeatureCollection", "features": FEATURES}, ensure_ascii=False)
    (folder("geo", "geojson", fields={"caller": "$geometry"}) / "a.geojson").write_text(whole)
    (folder("geo_cut", "geojson") / "a.geojson").write_text(whole[:-9])
    sheet(folder("xlsx", "xlsx") / "a.xlsx", True)
    sheet(folder("xlsx_no_header", "xlsx") / "a.xlsx", False)
    sheet(folder("xlsx_no_sheet", "xlsx", sheet="none") / "a.xlsx", True)
    (folder("xlsx_damaged", "xlsx") / "a.xlsx").write_text(f"PK{A}{B}")
    values = {name: [str(row[name]) for row in ROWS] for name in ROWS[0]}
    table = pa.table(values | {"amount": [13977755511.5, float("nan")]})
    pq.write_table(table, folder("parquet", "parquet") / "a.parquet")
    (folder("parquet_damaged", "parquet") / "a.parquet").write_text(f"PAR1{A}{B}PAR1")
    return entries


def leaks(said: str) -> list[str]:
    """The lines in which a secret stands, also as JSON or Python escape it."""
    forms = [form for secret in SECRETS for form in (secret, json.dumps(secret)[1:-1], repr(secret.encode())[2:-1])]
    return [line[:400] for line in said.splitlines() if any(form in line for form in forms)]


def test_files_of_every_format_with_every_fault(
    sqlite_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name, value in (("HOME", sqlite_settings.home), ("MEMORY", "600MB"), ("CITY", "demo")):
        monkeypatch.setenv(f"GRIDLAKE_{name}", str(value))
    root = tmp_path / "drops"
    source = system("files", {"root": str(root)}, *dropped(root))
    (asset,) = raw_assets([source], {PEOPLE.name: PEOPLE})
    with caplog.at_level(logging.DEBUG), dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([asset], resources={"lake": LakeResource()}, instance=instance)
        said = [repr(event) for event in result.all_events]
        said += [str(entry) for entry in instance.all_logs(result.run_id)]
    refused = next(e.metadata["refused"].value for e in result.get_asset_check_evaluations())
    for uri in ("csv_no_header", "csv_quote", "csv_gbk", "json_cut", "ndjson_gbk", "xlsx_damaged", "parquet_damaged"):
        assert f"{uri}/" in str(refused)
    described = replace(PEOPLE, quarantine_share_allowed=0.05, frequency=None, lateness=None)
    with open_lake(sqlite_settings) as lake:
        record(sqlite_settings, contract_checks(sqlite_settings, [described], connection=lake), connection=lake)
        assert lake.execute("SELECT count(*) > 20 FROM lake.quarantine.orders").fetchall() == [(True,)]
        for table in ("load", "watermark", "quality_result"):
            said += [repr(row) for row in lake.execute(f"SELECT * FROM lake.ops.{table}").fetchall()]
    said += [record.getMessage() for record in caplog.records]
    assert leaks("\n".join(said)) == []


def test_a_database(sqlite_settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with sqlite3.connect(tmp_path / "a.db") as database:
        database.execute("CREATE TABLE orders (order_no TEXT, caller TEXT, phone TEXT, amount INTEGER, taken TEXT)")
        database.execute("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", ("1", A, B, PHONE + "x", B))
    source = system("database", {"engine": "sqlite", "url": f"sqlite:///{tmp_path / 'a.db'}"}, {"table": "orders"})
    with caplog.at_level(logging.DEBUG):
        result = land(sqlite_settings, source, PEOPLE.name, PEOPLE)
    assert result.counts.quarantined_count == 1
    assert leaks("\n".join([repr(result), *(record.getMessage() for record in caplog.records)])) == []


@pytest.mark.parametrize(
    "query",
    [
        f"SELECT CAST('{A}' AS INTEGER)",
        f"SELECT CAST('{PHONE}' AS TINYINT)",
        f"SELECT CAST({PHONE} AS TINYINT)",
        f"SELECT CAST('it''s {A}' AS DATE)",
        f"SELECT CAST('{B}' AS TIMESTAMP)",
        f"SELECT strptime('{B}', '%Y')",
        f"SELECT error('{A}')",
        f"SELECT CAST('{{\"{A}\": ' AS JSON)",
        f"SELECT ST_GeomFromText('{B}')",
        f"SELECT decode(CAST('{A}' AS BLOB) || '\\xFF'::BLOB)",
    ],
)
def test_messages_of_the_engine_lose_the_values_that_they_quote(query: str) -> None:
    connection = duckdb.connect()
    with contextlib.suppress(duckdb.Error):
        load_extensions(connection, ("spatial",))
    with pytest.raises(duckdb.Error) as caught:
        connection.execute(query).fetchall()
    message = readable(str(caught.value))
    assert leaks(message) == []
    assert "Error" in message
