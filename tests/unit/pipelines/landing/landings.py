"""A small data set and its source, landed into a real lake, in few words."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from catalog.contract import Contract, Field, Rule
from pipelines.landing.land import LandingResult, land
from pipelines.sources.declared import SourceSystem
from warehouse.lake.session import open_lake
from warehouse.settings import Settings

DATASET = "orders"


def field(name: str, kind: str = "VARCHAR", **more: Any) -> Field:
    return Field(name=name, name_zh=name, name_en=name, logical_type="", physical_type=kind, **more)


def contract(*fields: Field, rules: tuple[Rule, ...] = (), name: str = DATASET) -> Contract:
    # What landing does not look at is filled by type, so that a contract may gain parts.
    values: dict[str, Any] = {
        part.name: "x" if part.type == "str" else None for part in dataclasses.fields(Contract) if part.name != "path"
    }
    values |= {"name": name, "city": "demo", "version": "1.0.0", "fields": fields, "rules": rules}
    return Contract(path=Path(f"contracts/demo/{name}.yml"), **values)


ORDERS = contract(
    field("order_no", is_required=True, key_position=1),
    field("amount", "INTEGER", minimum=0, maximum=100),
    field("reported_at", "TIMESTAMP"),
    field("status", pattern="[a-z]+"),
)
KEYED = contract(
    field("order_no", is_required=True, key_position=1), field("amount", "INTEGER"), field("updated_at", "TIMESTAMP")
)


def system(kind: str, block: dict[str, Any], *entries: dict[str, Any]) -> SourceSystem:
    return SourceSystem.model_validate(
        {
            "city": "demo",
            "system": "office",
            "title_zh": "办公室",
            "title_en": "Office",
            "owner": "office",
            "kind": kind,
            # The rows of tests are of 2026, whatever the clock of the machine says.
            "as_of": "2026-12-31",
            kind: block,
            "datasets": [{"dataset": DATASET, **entry} for entry in entries],
        }
    )


@dataclass
class Place:
    """A lake, a source and a contract; every method opens the lake anew, as separate runs would."""

    settings: Settings
    source: SourceSystem
    contract: Contract
    root: Path

    def drop(self, name: str, content: str | bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def land(self, **options: Any) -> LandingResult:
        result = land(self.settings, self.source, self.contract.name, self.contract, **options)
        self.check_books()
        return result

    def with_entry(self, **entry: Any) -> Place:
        first = self.source.datasets[0].model_dump() | entry
        changed = self.source.model_dump() | {"datasets": [first]}
        return replace(self, source=SourceSystem.model_validate(changed))

    def with_contract(self, changed: Contract) -> Place:
        return replace(self, contract=changed)

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        with open_lake(self.settings, read_only=True) as lake:
            return lake.execute(query).fetchall()

    def rows(self, columns: str = "*", *, order: str = "_load_seq, _delivery_id, _source_row") -> list[tuple[Any, ...]]:
        return self.sql(f"SELECT {columns} FROM lake.raw.{self.contract.name} ORDER BY {order}")

    def quarantine(self) -> list[tuple[dict[str, Any], list[str], int]]:
        found = self.sql(
            f"SELECT original, broken_rules, _source_row FROM lake.quarantine.{self.contract.name}"
            " ORDER BY _load_seq, _delivery_id, _source_row"
        )
        return [(json.loads(original), sorted(rules), row) for original, rules, row in found]

    def loads(self) -> list[dict[str, Any]]:
        with open_lake(self.settings, read_only=True) as lake:
            result = lake.execute("SELECT * FROM lake.ops.load ORDER BY load_seq, uri")
            names = [column[0] for column in result.description]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def watermark(self) -> str | None:
        found = self.sql("SELECT cursor_value FROM lake.ops.watermark")
        return str(found[0][0]) if found else None

    def snapshot(self) -> int:
        return int(self.sql("SELECT max(snapshot_id) FROM lake.snapshots()")[0][0])

    def state(self) -> dict[str, Any]:
        """Everything landing writes, without what differs from run to run."""
        name = self.contract.name
        with open_lake(self.settings, read_only=True) as lake:

            def rows(table: str, columns: str = "* EXCLUDE (_loaded_at)") -> list[tuple[Any, ...]]:
                return sorted(lake.execute(f"SELECT {columns} FROM lake.{table}").fetchall(), key=repr)

            found = lake.execute(
                "SELECT table_name FROM duckdb_tables() WHERE database_name = 'lake' AND schema_name = 'raw'"
            ).fetchall()
            return {
                "raw": rows(f"raw.{name}") if (name,) in found else [],
                "quarantine": rows(f"quarantine.{name}") if (name,) in found else [],
                "loads": rows("ops.load", "* EXCLUDE (started_at, loaded_at)"),
                "watermark": rows("ops.watermark", "* EXCLUDE (updated_at)"),
            }

    def check_books(self) -> None:
        """The invariants of every delivery, and that the tables hold what the load record says."""
        with open_lake(self.settings, read_only=True) as lake:
            assert_books(lake, self.contract.name)


def assert_books(lake: duckdb.DuckDBPyConnection, name: str) -> None:
    tables = lake.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE database_name = 'lake' AND schema_name = 'raw' AND table_name = ?",
        [name],
    ).fetchall()
    if tables == [(0,)]:
        return
    wrong = lake.execute(
        f"""
        SELECT uri, read_count, accepted_count, quarantined_count, fetched_count, repeated_count, rows, refused, gone
        FROM lake.ops.load l,
             LATERAL (SELECT count(*) AS rows, count(DISTINCT _source_row) AS places FROM lake.raw.{name} r
                      WHERE r._delivery_id = l.delivery_id AND NOT _is_deleted) a,
             LATERAL (SELECT count(*) AS gone FROM lake.raw.{name} r
                      WHERE r._delivery_id = l.delivery_id AND _is_deleted) g,
             LATERAL (SELECT count(*) AS refused FROM lake.quarantine.{name} q WHERE q._delivery_id = l.delivery_id) b
        WHERE l.dataset = '{name}' AND (
            read_count <> accepted_count + quarantined_count OR fetched_count <> read_count + repeated_count
            OR rows <> accepted_count - coalesce(withdrawn_count, 0) OR gone <> coalesce(deleted_count, gone)
            OR places <> rows
            OR refused <> quarantined_count)"""
    ).fetchall()
    assert wrong == []


def files(settings: Settings, root: Path, described: Contract = ORDERS, **entry: Any) -> Place:
    root.mkdir(parents=True, exist_ok=True)
    source = system("files", {"root": str(root)}, {"path": "*.csv", **entry})
    return Place(settings, source, described, root)


@contextmanager
def failing_at(monkeypatch: Any, module: Any, name: str, *, after: bool) -> Iterator[None]:
    """Let a function of landing raise before or after it has done its work."""
    original: Callable[..., Any] = getattr(module, name)

    def broken(*args: Any, **options: Any) -> Any:
        if after:
            original(*args, **options)
        raise KeyboardInterrupt(name)

    with monkeypatch.context() as patch:
        patch.setattr(module, name, broken)
        yield
