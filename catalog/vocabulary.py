"""The closed vocabularies of a contract: every value that is allowed, its Chinese and English name, its origin.

`confidence` says how well the origin is known: `seen` (read in the named document), `memory` (known, not read
again), `own` (this project's choice, from no standard). Does not belong here: code lists of data values,
which are dbt seeds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Term:
    """One allowed value: what the contract writes, its names, where it comes from."""

    key: str
    zh: str
    en: str
    source: str = "GridLake"
    confidence: str = "own"


def _terms(*rows: tuple[str, str, str], source: str = "GridLake", confidence: str = "own") -> dict[str, Term]:
    return {key: Term(key, zh, en, source, confidence) for key, zh, en in rows}


# Regulation on government data sharing: three sharing attributes; a refusal needs a reason.
SHARING_TYPES = _terms(
    ("unconditional", "无条件共享", "shared without conditions"),
    ("conditional", "有条件共享", "shared under conditions"),
    ("not_shared", "不予共享", "not shared"),
    source="政务数据共享条例 (国务院令第809号, 2025); 政务信息资源目录编制指南 (发改高技〔2017〕1272号)",
    confidence="seen",
)

_GRADING = "GB/T 43697-2024 数据安全技术 数据分类分级规则"
DATA_GRADES = {
    # The three levels are normative; the four steps of general data stand in an informative annex.
    **_terms(
        ("general-1", "一般数据 1 级", "general data, step 1 (lowest)"),
        ("general-2", "一般数据 2 级", "general data, step 2"),
        ("general-3", "一般数据 3 级", "general data, step 3"),
        ("general-4", "一般数据 4 级", "general data, step 4 (highest)"),
        source=_GRADING + ", annex H",
        confidence="memory",
    ),
    **_terms(
        ("important", "重要数据", "important data"),
        ("core", "核心数据", "core data"),
        source=_GRADING,
        confidence="seen",
    ),
}

PERSONAL_DATA = _terms(
    ("name", "姓名", "name of a person"),
    ("phone", "电话", "telephone number"),
    ("address", "住址", "address of a person"),
    ("id", "证件号码", "identity or licence number of a person"),
    ("email", "电子邮箱", "e-mail address"),
    ("free_text", "自由文本", "free text that may name a person"),
    ("other", "其他个人信息", "other personal data"),
)

RESTRICTIONS = _terms(
    ("masked", "脱敏", "shown in part"),
    ("hidden", "隐藏", "not shown outside the lake"),
    ("steward_only", "仅数据管理员", "shown to data stewards only"),
)

SHAPES = _terms(
    ("point", "点", "a point, or several"),
    ("line", "线", "a line, or several"),
    ("area", "面", "an area, or several"),
)

DOMAINS = _terms(
    ("hotline", "热线", "hotline orders"),
    ("component", "部件", "city components"),
    ("grid", "单元网格", "unit grid and areas"),
    ("permit", "行政许可", "permits"),
    ("department", "部门", "departments"),
    ("enforcement", "执法", "enforcement"),
    ("performance", "评价", "performance"),
)

STATUSES = _terms(
    ("proposed", "提议", "proposed"),
    ("draft", "草案", "draft"),
    ("active", "有效", "active"),
    ("deprecated", "停用中", "deprecated"),
    ("retired", "已停用", "retired"),
    source="ODCS 3.1",
    confidence="seen",
)

SEVERITIES = _terms(
    ("error", "错误", "the row goes to quarantine"),
    ("warning", "警告", "the row is kept and counted"),
)

DIMENSIONS = _terms(
    ("accuracy", "准确性", "accuracy"),
    ("completeness", "完整性", "completeness"),
    ("conformity", "规范性", "conformity"),
    ("consistency", "一致性", "consistency"),
    ("coverage", "覆盖度", "coverage"),
    ("timeliness", "时效性", "timeliness"),
    ("uniqueness", "唯一性", "uniqueness"),
    source="ODCS 3.1",
    confidence="seen",
)

SPAN_UNITS = _terms(
    ("h", "小时", "hour"),
    ("d", "天", "day"),
    ("w", "周", "week"),
    ("m", "月", "month"),
    ("y", "年", "year"),
)

UNITS = _terms(
    ("mm", "毫米", "millimetre"),
    ("cm", "厘米", "centimetre"),
    ("m", "米", "metre"),
    ("km", "千米", "kilometre"),
    ("m2", "平方米", "square metre"),
    ("km2", "平方千米", "square kilometre"),
    ("ha", "公顷", "hectare"),
    ("m3", "立方米", "cubic metre"),
    ("ft", "英尺", "foot"),
    ("ft2", "平方英尺", "square foot"),
    ("in", "英寸", "inch"),
    ("mi", "英里", "mile"),
    ("mi2", "平方英里", "square mile"),
    ("acre", "英亩", "acre"),
    ("deg", "度", "degree of arc, WGS 84"),
    ("s", "秒", "second"),
    ("ms", "毫秒", "millisecond"),
    ("min", "分钟", "minute"),
    ("h", "小时", "hour"),
    ("d", "天", "day"),
    ("a", "年", "year"),
    ("%", "百分比", "per cent"),
    ("1", "计数", "number of things"),
    ("person", "人", "persons"),
    ("score", "分", "points"),
    ("CNY", "元", "yuan"),
    ("USD", "美元", "US dollar"),
    ("kg", "千克", "kilogram"),
    ("t", "吨", "tonne"),
    ("W", "瓦", "watt"),
    ("V", "伏", "volt"),
    ("dB", "分贝", "decibel"),
    ("Cel", "摄氏度", "degree Celsius"),
    ("kPa", "千帕", "kilopascal"),
    ("ppm", "百万分比", "parts per million"),
    ("ug/m3", "微克每立方米", "microgram per cubic metre"),
    ("mg/m3", "毫克每立方米", "milligram per cubic metre"),
    ("km/h", "千米每小时", "kilometre per hour"),
)

# Logical type -> the DuckDB types that carry it. DECIMAL stands for DECIMAL(p,s).
PHYSICAL_TYPES: dict[str, tuple[str, ...]] = {
    "string": ("VARCHAR",),
    "integer": ("SMALLINT", "INTEGER", "BIGINT"),
    "number": ("DOUBLE", "DECIMAL"),
    "boolean": ("BOOLEAN",),
    "date": ("DATE",),
    "timestamp": ("TIMESTAMP",),
    "object": ("GEOMETRY",),
}

# `logicalTypeOptions` that the project compiles, and the logical types each one means something for.
TYPE_OPTIONS: dict[str, tuple[str, ...]] = {
    "pattern": ("string",),
    "maxLength": ("string",),
    "minimum": ("integer", "number", "date", "timestamp"),
    "maximum": ("integer", "number", "date", "timestamp"),
    "format": ("date", "timestamp"),
}

CONTRACT_PROPERTIES = frozenset(
    {
        "titleZh",
        "titleEn",
        "purposeZh",
        "usageZh",
        "limitationsZh",
        "grainZh",
        "directoryItem",
        "directorySubItem",
        "sharingType",
        "sharingReason",
        "dataGrade",
        "quarantineShareAllowed",
        "quarantineShareReason",
    }
)
FIELD_PROPERTIES = frozenset(
    {
        "futureAllowed",
        "unit",
        "codeList",
        "shapes",
        "extent",
        "pointWith",
        "personalData",
        "restriction",
        "restrictionReason",
    }
)
RULE_PROPERTIES = frozenset({"descriptionZh"})

_DECIMAL = re.compile(r"DECIMAL\((\d{1,2}),\s?(\d{1,2})\)")


def base_type(physical_type: str) -> str | None:
    """The name in `PHYSICAL_TYPES` of a written physical type, or None if it is no allowed type."""
    decimal = _DECIMAL.fullmatch(physical_type)
    if decimal:
        precision, scale = int(decimal[1]), int(decimal[2])
        return "DECIMAL" if 1 <= precision <= 38 and scale <= precision else None
    known = {name for names in PHYSICAL_TYPES.values() for name in names} - {"DECIMAL"}
    return physical_type if physical_type in known else None
