"""A sound contract as a nested mapping, for tests to spoil, and small real seeds."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

from catalog.contract import Contract, load_contract

Document = dict[str, Any]


def custom(**values: Any) -> list[dict[str, Any]]:
    return [{"property": name, "value": value} for name, value in values.items()]


SOUND: Document = {
    "apiVersion": "v3.1.0",
    "kind": "DataContract",
    "id": "gridlake:demo:hotline_case",
    "name": "hotline_case",
    "version": "1.0.0",
    "status": "active",
    "domain": "hotline",
    "tenant": "demo",
    "team": {"name": "hotline_centre", "description": "热线服务中心 / Hotline centre"},
    "description": {"purpose": "Orders.", "usage": "Cases.", "limitations": "None known."},
    "slaProperties": [
        {"property": "frequency", "value": 1, "unit": "d"},
        {"property": "latency", "value": 4, "unit": "h"},
    ],
    "customProperties": custom(
        titleZh="热线工单",
        titleEn="Hotline orders",
        purposeZh="工单。",
        usageZh="案件。",
        limitationsZh="未发现。",
        grainZh="每行为一件工单的一个状态",
        directoryItem="案件数据",
        directorySubItem="热线工单",
        sharingType="conditional",
        sharingReason="callers are in it",
        dataGrade="general-2",
    ),
    "schema": [
        {
            "name": "hotline_case",
            "physicalType": "table",
            "dataGranularityDescription": "one row is one state of one order",
            "properties": [
                {
                    "name": "order_no",
                    "businessName": "工单编号",
                    "description": "Order number",
                    "logicalType": "string",
                    "physicalType": "VARCHAR",
                    "required": True,
                    "primaryKey": True,
                    "primaryKeyPosition": 1,
                    "logicalTypeOptions": {"pattern": "^[A-Z]{1,2}:?[0-9]{4}$", "maxLength": 10},
                },
                {
                    "name": "phone",
                    "businessName": "来电号码",
                    "description": "Caller's number",
                    "logicalType": "string",
                    "physicalType": "VARCHAR",
                    "logicalTypeOptions": {"pattern": "^1[0-9]{10}$"},
                    "customProperties": custom(
                        personalData="phone", restriction="masked", restrictionReason="a person's number"
                    ),
                },
                {
                    "name": "urgency",
                    "businessName": "紧急程度",
                    "description": "Urgency",
                    "logicalType": "integer",
                    "physicalType": "INTEGER",
                    "required": True,
                    "logicalTypeOptions": {"minimum": 0, "maximum": 5},
                },
                {
                    "name": "reported_at",
                    "businessName": "上报时间",
                    "description": "Time of the report",
                    "logicalType": "timestamp",
                    "physicalType": "TIMESTAMP",
                    "logicalTypeOptions": {"minimum": "2020-01-01", "format": ["%Y/%m/%d %H:%M"]},
                },
                {
                    "name": "closed_at",
                    "businessName": "结案时间",
                    "description": "Time of closing",
                    "logicalType": "timestamp",
                    "physicalType": "TIMESTAMP",
                },
                {
                    "name": "location",
                    "businessName": "位置",
                    "description": "Position",
                    "logicalType": "object",
                    "physicalType": "GEOMETRY",
                },
            ],
            "quality": [
                {
                    "name": "closed_after_reported",
                    "type": "custom",
                    "engine": "gridlake",
                    "implementation": "closed_at >= reported_at",
                    "severity": "error",
                    "dimension": "consistency",
                    "description": "A case is closed after it was reported.",
                    "customProperties": custom(descriptionZh="结案时间不早于上报时间"),
                },
                {
                    "name": "in_the_city",
                    "type": "custom",
                    "engine": "gridlake",
                    "implementation": "ST_X(location) BETWEEN 100 AND 130",
                    "severity": "warning",
                    "dimension": "accuracy",
                    "description": "The position lies in the city.",
                    "customProperties": custom(descriptionZh="位置在市域范围内"),
                },
            ],
        }
    ],
}


def sound() -> Document:
    return copy.deepcopy(SOUND)


def field(document: Document, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(p for p in document["schema"][0]["properties"] if p["name"] == name)
    return found


def set_custom(entries: list[dict[str, Any]], name: str, value: Any) -> None:
    entries[:] = [entry for entry in entries if entry["property"] != name]
    if value is not None:
        entries.append({"property": name, "value": value})


def write(folder: Path, document: Document | str, place: str = "contracts/hotline_case.yml") -> Path:
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    text = document if isinstance(document, str) else yaml.safe_dump(document, allow_unicode=True, sort_keys=False)
    path.write_text(text, encoding="utf-8")
    return path


def contract(folder: Path, document: Document | None = None) -> Contract:
    return load_contract(write(folder, document or sound()))
