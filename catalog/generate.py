"""What dbt is told of the contracts: `sources.yml`, in which it knows the raw tables, and the seeds `data_set` and
`data_item` (fields and rules in words).

The contracts are the truth; the files are written into the lake's dbt project whenever it is put together.
dbt's own source freshness is left out on purpose: freshness has one judge, `quality.contract_checks`, which
reads `ops.load` (no scan of a raw table) and also compares with the horizon of the city's data.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

import yaml

from catalog.contract import Contract, Field

# Columns that landing adds to the contract's fields.
LANDING_COLUMNS = (
    ("_extra", "VARCHAR", "契约未定义的来源列 / Source columns that the contract does not know, as JSON"),
    ("_delivery_id", "VARCHAR", "入湖批次编号 / Delivery in which the row came"),
    ("_source_row", "BIGINT", "来源行号 / Record number in the delivery, from 1"),
    ("_load_seq", "BIGINT", "入湖序号 / Number of the landing transaction, strictly growing"),
    ("_delivery_no", "INTEGER", "批内序号 / Place of the delivery in its landing transaction, from 0"),
    ("_loaded_at", "TIMESTAMP", "入湖时间 / Time of landing, UTC"),
    ("_is_deleted", "BOOLEAN", "来源已删除 / Whether the row says that its key has gone from the source"),
)


class _Line(dict[str, Any]):
    """A mapping written on one line."""


class _Dumper(yaml.SafeDumper):
    """Block style, with `_Line` mappings on one line each."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


_Dumper.add_representer(
    _Line, lambda dumper, data: dumper.represent_mapping("tag:yaml.org,2002:map", data.items(), flow_style=True)
)


def sources_yaml(contracts: Iterable[Contract]) -> str:
    """The text of `sources.yml`: source `raw`, one table a contract, in the order of their names."""
    tables = [_table(contract) for contract in sorted(contracts, key=lambda c: c.name)]
    document = {
        "version": 2,
        "sources": [
            {
                "name": "raw",
                "database": "lake",
                "schema": "raw",
                "description": "已入湖的来源数据 / Landed source rows, typed by their contracts; withdrawn ones leave",
                "tables": tables,
            }
        ],
    }
    text: str = yaml.dump(document, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=100_000)
    return text


def data_sets_csv(contracts: Iterable[Contract]) -> str:
    """The text of the seed `data_set`: what the models ask of a contract, one row a data set of any city, by name.

    Hours are how often a delivery is due and how late it may be; empty where the contract does not say.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("code", "city", "name_zh", "name_en", "frequency_hours", "lateness_hours"))
    for contract in sorted(contracts, key=lambda c: c.name):
        hours = [f"{span.hours:g}" if span else "" for span in (contract.frequency, contract.lateness)]
        writer.writerow((contract.name, contract.city, contract.title_zh, contract.title_en, *hours))
    return text.getvalue()


def data_items_csv(contracts: Iterable[Contract]) -> str:
    """The text of the seed `data_item`: what checks speak of in words, one row a field or rule of a contract."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("dataset", "kind", "code", "name_zh", "name_en"))
    for contract in sorted(contracts, key=lambda c: c.name):
        for field in contract.fields:
            # A description is the English name, after which remarks may follow.
            writer.writerow((contract.name, "field", field.name, field.name_zh, field.name_en.partition(". ")[0]))
        for rule in contract.rules:
            described = rule.description.removesuffix(".")
            writer.writerow((contract.name, "rule", rule.name, rule.description_zh, described))
    return text.getvalue()


def _table(contract: Contract) -> dict[str, Any]:
    about = {
        "city": contract.city,
        "domain": contract.domain,
        "owner": contract.owner,
        "grain_zh": contract.grain_zh,
        "grain": contract.grain,
        "purpose_zh": contract.purpose_zh,
        "purpose": contract.purpose,
        "usage_zh": contract.usage_zh,
        "usage": contract.usage,
        "limitations_zh": contract.limitations_zh,
        "limitations": contract.limitations,
        "key": list(contract.key),
        "directory_item": contract.directory_item,
        "directory_sub_item": contract.directory_sub_item,
        "sharing_type": contract.sharing_type,
        "sharing_reason": contract.sharing_reason,
        "data_grade": contract.data_grade,
        "contract_version": contract.version,
    }
    columns = [_column(field) for field in contract.fields]
    columns += [_Line(name=name, description=text, data_type=kind) for name, kind, text in LANDING_COLUMNS]
    grain = contract.grain[:1].upper() + contract.grain[1:]
    return {
        "name": contract.name,
        "description": f"{contract.title_zh} / {contract.title_en}. {contract.grain_zh}。 {grain.rstrip('.')}.",
        "config": {"meta": _without_empty(about)},
        "columns": columns,
    }


def _column(field: Field) -> _Line:
    about = _without_empty(
        {
            "unit": field.unit,
            "code_list": field.code_list,
            "personal_data": field.personal_data,
            "restriction": field.restriction,
            "restriction_reason": field.restriction_reason,
        }
    )
    column = _Line(name=field.name, description=f"{field.name_zh} / {field.name_en}", data_type=field.physical_type)
    if about:
        column["config"] = {"meta": about}
    return column


def _without_empty(values: dict[str, Any]) -> _Line:
    return _Line({key: value for key, value in values.items() if value not in (None, "", [])})
