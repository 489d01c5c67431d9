"""Checking contract files: every fault of every file, told at once with its fix.

Belongs here: what a contract must say and how files agree with each other. The single fields are checked in
`fields`, the cross-field rules in `rules`; testing data against a contract is `quality`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from open_data_contract_standard.model import OpenDataContractStandard, SchemaObject

from catalog import vocabulary
from catalog.check.common import NAME, Fault, Report, custom_of, filled, has_chinese, has_latin, one_of
from catalog.check.fields import check_fields
from catalog.check.lenient import read
from catalog.check.rules import check_rules

API_VERSION = "v3.1.0"
_VERSION = re.compile(r"\d+\.\d+\.\d+")


def check_contracts(folder: Path, city: str) -> list[Fault]:
    """All faults of all contract files of a city, ordered by file; empty when all are sound.

    Args:
        folder: the city's; it has `contracts/<dataset>.yml` and, in `lists`, its own code lists.
        city: the city's key.
    """
    faults: list[Fault] = []
    for path in _files(folder / "contracts"):
        file = path.relative_to(folder).as_posix()

        def report(field: str, problem: str, fix: str, file: str = file) -> None:
            faults.append(Fault(file, field, problem, fix))

        if path.parent != folder / "contracts" or path.suffix != ".yml":
            report("", "is not found by the project", "put it at contracts/<dataset>.yml")
        document = read(path, report)
        if document is not None:
            _check_document(document, path, city, report, folder / "lists")
    return sorted(dict.fromkeys(faults))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in (".yml", ".yaml"))


def _check_document(document: OpenDataContractStandard, path: Path, city: str, report: Report, lists: Path) -> None:
    _check_head(document, path, city, report)
    own = custom_of(document.customProperties, vocabulary.CONTRACT_PROPERTIES, "", report)
    _check_directory(own, report)
    _check_owner(document, report)
    _check_texts(document, report)
    _check_times(document, report)
    tables = document.schema_ or []
    if len(tables) != 1:
        report("schema", f"has {len(tables)} tables, a data set has one", "describe one table")
    for table in tables[:1]:
        _check_table(table, document.name or "", report)
        fields = check_fields(table.properties or [], report, lists)
        check_rules(table.quality or [], fields, report)


def _check_head(document: OpenDataContractStandard, path: Path, city: str, report: Report) -> None:
    if document.apiVersion != API_VERSION:
        report("apiVersion", f"is {document.apiVersion!r}", f"write apiVersion: {API_VERSION}")
    if document.kind != "DataContract":
        report("kind", f"is {document.kind!r}", "write kind: DataContract")
    if not document.version or not _VERSION.fullmatch(document.version):
        report("version", f"is {document.version!r}, not three numbers", "write for example version: 1.0.0")
    one_of(document.status, vocabulary.STATUSES, "status", report)
    one_of(document.domain, vocabulary.DOMAINS, "domain", report)
    name = document.name or ""
    if not NAME.fullmatch(name):
        report("name", f"{name!r} is no table name", "use lower-case letters, digits and _, starting with a letter")
    if path.stem != name:
        report("name", f"{name!r} differs from the file name {path.stem!r}", "give both the same name")
    if document.tenant != city:
        report("tenant", f"{document.tenant!r} differs from the key of the city", f"write tenant: {city}")
    expected = f"gridlake:{document.tenant}:{name}"
    if document.id != expected:
        report("id", f"is {document.id!r}", f"write id: {expected}")


def _check_directory(own: Mapping[str, Any], report: Report) -> None:
    for key, what in (
        ("titleZh", "title"),
        ("purposeZh", "purpose"),
        ("usageZh", "usage"),
        ("limitationsZh", "text of limitations"),
        ("directoryItem", "directory item (数据大项)"),
        ("directorySubItem", "directory sub-item (数据小项)"),
    ):
        value = own.get(key)
        if not value:
            report(key, f"the Chinese {what} is missing", f"add {key} to customProperties")
        elif not has_chinese(value):
            report(key, f"{value!r} has no Chinese", "write it in Chinese")
    grain = own.get("grainZh")
    if not grain:
        report("grainZh", "the Chinese text of what one row is is missing", "add grainZh to customProperties: 每行为…")
    elif not str(grain).startswith("每行为"):
        report("grainZh", f"{grain!r} does not say what one row is", "begin it with 每行为")
    elif str(grain).endswith("。"):
        report("grainZh", f"{grain!r} ends with a full stop, which pages add", "leave the full stop out")
    if not has_latin(own.get("titleEn")):
        report("titleEn", "the English title is missing", "add titleEn to customProperties")
    one_of(own.get("sharingType"), vocabulary.SHARING_TYPES, "sharingType", report)
    one_of(own.get("dataGrade"), vocabulary.DATA_GRADES, "dataGrade", report)
    allowed = own.get("quarantineShareAllowed")
    if allowed is not None:
        if not isinstance(allowed, int | float) or isinstance(allowed, bool) or not 0 <= allowed <= 1:
            report("quarantineShareAllowed", f"{allowed!r} is not a share", "give a number from 0 to 1")
        if not filled(own.get("quarantineShareReason")):
            report("quarantineShareReason", "a share of its own gives no reason", "add quarantineShareReason")
    if own.get("sharingType") not in (None, "unconditional") and not filled(own.get("sharingReason")):
        report("sharingReason", "a data set that is not shared freely gives no reason", "add sharingReason")


def _check_owner(document: OpenDataContractStandard, report: Report) -> None:
    team = document.team
    if team is None or isinstance(team, list) or not filled(team.name):
        report("team", "the owner is missing", "write team: {name: <owner>, description: <Chinese / English name>}")
        return
    if not NAME.fullmatch(team.name or ""):
        report("team.name", f"{team.name!r} is no key of an owner", "use lower-case letters, digits and _")
    if not (has_chinese(team.description) and has_latin(team.description)):
        report(
            "team.description",
            "does not name the owner in Chinese and English",
            "write description: <Chinese / English>",
        )


def _check_texts(document: OpenDataContractStandard, report: Report) -> None:
    texts = document.description
    for key in ("purpose", "usage", "limitations"):
        if texts is None or not filled(getattr(texts, key)):
            report(f"description.{key}", "is missing", f"say the {key} in a sentence")


def _check_times(document: OpenDataContractStandard, report: Report) -> None:
    entries = {entry.property: entry for entry in document.slaProperties or []}
    for key, what in (("frequency", "update frequency"), ("latency", "allowed lateness")):
        place = f"slaProperties.{key}"
        entry = entries.get(key)
        if entry is None:
            report(place, f"the {what} is missing", f"add {{property: {key}, value: 1, unit: d}}")
            continue
        if isinstance(entry.value, bool) or not isinstance(entry.value, int | float) or entry.value < 0:
            report(place, f"the value {entry.value!r} is no span", "write a number, not negative")
        elif key == "frequency" and entry.value == 0:
            report(place, "the value 0 is no frequency", "write the span between two deliveries")
        one_of(entry.unit, vocabulary.SPAN_UNITS, f"{place}.unit", report)


def _check_table(table: SchemaObject, name: str, report: Report) -> None:
    if table.name != name:
        report("schema.name", f"{table.name!r} differs from the data set name {name!r}", f"write name: {name}")
    if table.physicalType != "table":
        report("schema.physicalType", f"is {table.physicalType!r}", "write physicalType: table")
    if not filled(table.dataGranularityDescription):
        report("grain", "is missing", "add dataGranularityDescription: one row is …")
    elif not str(table.dataGranularityDescription).lower().startswith("one row is"):
        report("grain", "does not say what one row is", "begin dataGranularityDescription with: one row is")
    if not table.properties:
        report("schema.properties", "the data set has no fields", "add them")
