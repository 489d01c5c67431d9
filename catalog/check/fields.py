"""Checking the fields of a contract: names, types, limits, code lists, personal data, the key."""

from __future__ import annotations

import itertools
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
from open_data_contract_standard.model import SchemaProperty

from catalog import vocabulary
from catalog.check.common import NAME, Report, custom_of, filled, has_chinese, has_latin, one_of
from catalog.check.places import check_places
from catalog.codelists import CodeListError, code_list
from catalog.vocabulary import PHYSICAL_TYPES, TYPE_OPTIONS
from warehouse.identifiers import literal
from warehouse.lake.extensions import connect


def check_fields(properties: list[SchemaProperty], report: Report, lists: Path) -> dict[str, str]:
    """Report the faults of all fields; return the usable ones as physical type by name."""
    for name, count in Counter(p.name for p in properties if p.name).items():
        if count > 1:
            report(name, f"is declared {count} times", "keep one of them")
    usable: dict[str, str] = {}
    for number, prop in enumerate(properties):
        place = prop.name or f"properties.{number}"
        _check_names(prop, place, report)
        if _check_types(prop, place, report) and prop.name and NAME.fullmatch(prop.name):
            usable[prop.name] = str(prop.physicalType)
            # Limits only mean something in a known type.
            _check_options(prop, place, report)
        _check_custom(prop, place, report, lists)
    check_places(properties, report)
    _check_key(properties, report)
    return usable


def _check_names(prop: SchemaProperty, place: str, report: Report) -> None:
    name = prop.name or ""
    if not NAME.fullmatch(name):
        report(place, f"{name!r} is no field name", "use lower-case letters, digits and _, starting with a letter")
    elif _is_reserved(name):
        report(place, "is a reserved word of SQL", f"choose another name, for example {name}_value")
    if not has_chinese(prop.businessName):
        report(place, "the Chinese name is missing", "add businessName in Chinese")
    if not has_latin(prop.description):
        report(place, "the English name is missing", "add description: <English name>")


def _check_types(prop: SchemaProperty, place: str, report: Report) -> bool:
    logical, physical = prop.logicalType or "", prop.physicalType or ""
    base = vocabulary.base_type(physical)
    known = sorted(itertools.chain.from_iterable(PHYSICAL_TYPES.values()))
    if logical not in PHYSICAL_TYPES:
        report(place, f"the logical type {logical!r} is unknown", f"choose one of {list(PHYSICAL_TYPES)}")
    if base is None:
        report(place, f"the physical type {physical!r} is unknown", f"choose one of {known}, DECIMAL as DECIMAL(p,s)")
    elif logical in PHYSICAL_TYPES and base not in PHYSICAL_TYPES[logical]:
        report(
            place,
            f"the physical type {physical} does not carry the logical type {logical}",
            f"choose one of {list(PHYSICAL_TYPES[logical])}",
        )
    return logical in PHYSICAL_TYPES and base is not None


def _check_options(prop: SchemaProperty, place: str, report: Report) -> None:
    options = prop.logicalTypeOptions or {}
    for key, value in options.items():
        if key not in TYPE_OPTIONS:
            report(place, f"the option {key!r} is unknown", f"use one of {list(TYPE_OPTIONS)}")
        elif prop.logicalType not in TYPE_OPTIONS[key]:
            report(
                place,
                f"{key} means nothing for the type {prop.logicalType}",
                f"take it out; it belongs to {' and '.join(TYPE_OPTIONS[key])}",
            )
        elif key in ("minimum", "maximum"):
            _check_limit(prop, key, value, place, report)
        elif key == "pattern":
            _check_pattern(value, place, report)
        elif key == "format":
            _check_formats(value, place, report)
        elif isinstance(value, bool) or not isinstance(value, int) or value < 1:
            report(place, f"maxLength {value!r} is no length", "write a whole number from 1")
    _check_order(prop, options, place, report)


def _check_limit(prop: SchemaProperty, key: str, value: object, place: str, report: Report) -> None:
    if prop.logicalType in ("integer", "number"):
        if isinstance(value, bool) or not isinstance(value, int | float):
            report(place, f"{key} {value!r} is no number", "write a number without quotes")
    elif not isinstance(value, str):
        report(place, f"{key} {value!r} is no text", "write the date or time in quotes")
    elif _evaluate(f"SELECT TRY_CAST({literal(value)} AS {prop.physicalType})") is None:
        report(place, f"{key} {value!r} is no {prop.physicalType}", "write it in ISO form")


def _check_order(prop: SchemaProperty, options: dict[str, Any], place: str, report: Report) -> None:
    low, high = options.get("minimum"), options.get("maximum")
    comparable = isinstance(low, int | float) and isinstance(high, int | float)
    if comparable or (isinstance(low, str) and isinstance(high, str)):
        kind = "DOUBLE" if comparable else str(prop.physicalType)
        low_sql, high_sql = (f"TRY_CAST({literal(str(limit))} AS {kind})" for limit in (low, high))
        if _evaluate(f"SELECT {low_sql} > {high_sql}"):
            report(place, f"the minimum {low} is above the maximum {high}", "exchange or correct them")


def _check_pattern(value: object, place: str, report: Report) -> None:
    if not isinstance(value, str) or not value:
        report(place, f"the pattern {value!r} is no text", "write a regular expression in quotes")
        return
    try:
        _connection().execute(f"SELECT regexp_full_match('', {literal(value)})").fetchall()
    except duckdb.Error as error:
        report(
            place,
            f"the pattern {value!r} does not compile: {first_line(error)}",
            "write a pattern of RE2, which knows neither look-ahead nor back references",
        )


def _check_formats(value: object, place: str, report: Report) -> None:
    for pattern in value if isinstance(value, list) else [value]:
        if not isinstance(pattern, str) or "%" not in pattern:
            report(place, f"the format {pattern!r} is no strptime pattern", 'write for example format: "%Y%m%d"')
            continue
        try:
            _connection().execute(f"SELECT try_strptime('', {literal(pattern)})").fetchall()
        except duckdb.Error as error:
            report(
                place,
                f"the format {pattern!r} does not compile: {first_line(error)}",
                "write it as strptime wants it, such as %Y-%m-%d",
            )


def _check_custom(prop: SchemaProperty, place: str, report: Report, lists: Path) -> None:
    own = custom_of(prop.customProperties, vocabulary.FIELD_PROPERTIES, f"{place}.", report)
    for key, terms in (
        ("unit", vocabulary.UNITS),
        ("personalData", vocabulary.PERSONAL_DATA),
        ("restriction", vocabulary.RESTRICTIONS),
    ):
        if key in own:
            one_of(own[key], terms, f"{place}.{key}", report)
    if "unit" in own and prop.logicalType not in ("integer", "number"):
        report(f"{place}.unit", f"means nothing for the type {prop.logicalType}", "take it out")
    if "futureAllowed" in own and own["futureAllowed"] is not True:
        report(f"{place}.futureAllowed", f"{own['futureAllowed']!r} is not true", "write true, or take it out")
    if "futureAllowed" in own and prop.logicalType not in ("date", "timestamp"):
        report(f"{place}.futureAllowed", f"means nothing for the type {prop.logicalType}", "take it out")
    if own.get("personalData") and not own.get("restriction"):
        report(place, "personal data without a restriction", f"add restriction: one of {list(vocabulary.RESTRICTIONS)}")
    if own.get("restriction") and not filled(own.get("restrictionReason")):
        report(place, "a restriction without a reason", "add restrictionReason")
    if own.get("restrictionReason") and not own.get("restriction"):
        report(place, "a restrictionReason without a restriction", "add restriction, or take the reason out")
    if "codeList" in own:
        _check_code_list(own["codeList"], prop, place, report, lists)


def _check_code_list(name: object, prop: SchemaProperty, place: str, report: Report, lists: Path) -> None:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        report(
            f"{place}.codeList",
            f"{name!r} is no name of a code list",
            "name a list of the standards, or a CSV in the folder lists, without .csv",
        )
        return
    if prop.logicalType != "string":
        report(f"{place}.codeList", f"codes are text, the field is {prop.logicalType}", "make the field a string")
    try:
        if not code_list(name, lists):
            report(f"{place}.codeList", f"the list {name!r} has no codes", "add them to its CSV")
    except CodeListError as error:
        report(f"{place}.codeList", f"{error.problem}: {name!r}", error.fix)


def _check_key(properties: list[SchemaProperty], report: Report) -> None:
    keyed = [p for p in properties if p.primaryKey]
    if not keyed:
        report("key", "the data set has no key", "mark its fields with primaryKey: true")
    for prop in properties:
        place = prop.name or "key"
        if prop.primaryKey and not prop.required:
            report(place, "a key field is not required", "add required: true")
        if prop.primaryKey and prop.logicalType == "object":
            report(place, "a geometry is no key", "choose another key")
        if prop.primaryKeyPosition is not None and not prop.primaryKey:
            report(place, "has a key position and is no key field", "add primaryKey: true, or take the position out")
    positions = sorted(p.primaryKeyPosition or 1 for p in keyed)
    if keyed and positions != list(range(1, len(keyed) + 1)):
        report("key", f"the positions of the key fields are {positions}", f"number them 1 to {len(keyed)}")


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    return connect()


def _is_reserved(name: str) -> bool:
    """Whether SQL does not take the plain name as a column's; asked of the parser, whose list is not complete."""
    try:
        _connection().extract_statements(f"CREATE TABLE t ({name} INTEGER); SELECT {name} FROM t WHERE {name} = 1")
    except duckdb.ParserException:
        return True
    return False


def _evaluate(query: str) -> object:
    ((value,),) = _connection().execute(query).fetchall()
    return value


def first_line(error: Exception) -> str:
    """The first line of DuckDB's message, without the kind of the error."""
    return str(error).splitlines()[0].partition(": ")[2] or str(error).splitlines()[0]
