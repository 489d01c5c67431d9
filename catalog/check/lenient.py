"""Reading a contract file in spite of its faults, so that all of them can be told at once.

`contract.parse` stops at the first fault; here a faulty value is reported, taken out, and reading goes on.
Does not belong here: what the values mean (`contracts`, `fields`).
"""

from __future__ import annotations

import types
import typing
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml
from open_data_contract_standard.model import OpenDataContractStandard
from pydantic import BaseModel, ValidationError

from catalog.check.common import Report

_ROUNDS = 20


class _Loader(yaml.CSafeLoader):
    """CSafeLoader that remembers keys written twice, of which YAML would silently keep the last."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.repeated: list[tuple[str, int]] = []

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen:
                self.repeated.append((name, key.start_mark.line + 1))
            seen.add(name)
        return super().construct_mapping(node, deep)


def read(path: Path, report: Report) -> OpenDataContractStandard | None:
    """The document as far as it can be read, or None; every fault met is reported."""
    document = _load(path, report)
    if document is None:
        return None
    _unknown_keys(document, OpenDataContractStandard, "", report)
    for _ in range(_ROUNDS):
        try:
            return OpenDataContractStandard.model_validate(document)
        except ValidationError as error:
            for entry in error.errors():
                report(_place(document, entry["loc"]), f"is not ODCS 3.1: {entry['msg']}", "give a value of that type")
            if not _without(document, [entry["loc"] for entry in error.errors()]):
                return None
    return None


def _load(path: Path, report: Report) -> dict[str, Any] | None:
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
        document = loader.get_single_data()
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}" if mark is not None else ""
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        report(place, f"is not readable YAML: {reason}", "correct the file (UTF-8, YAML)")
        return None
    for name, line in loader.repeated:
        report(f"line {line}", f"the key {name!r} is written twice in one mapping", "keep one of them")
    if not isinstance(document, dict):
        report("", "is not a contract", "start from another contract of the folder")
        return None
    return document


def _place(document: Any, location: tuple[int | str, ...]) -> str:
    """A location as a person reads it: list entries by their name where they have one."""
    parts: list[str] = []
    here = document
    for part in location:
        try:
            here = here[part]
        except (KeyError, IndexError, TypeError):
            here = None
        if isinstance(part, int):
            own = (here.get("name") or here.get("property")) if isinstance(here, dict) else None
            parts.append(str(own or part))
        else:
            parts.append(part)
    return ".".join(parts)


def _without(document: dict[str, Any], locations: list[tuple[int | str, ...]]) -> bool:
    """Blank the values at these places; False if that did not change anything."""
    changed = False
    for location in locations:
        # A location of a union ends in names of types that are no keys of the document.
        for depth in range(len(location), 0, -1):
            parent: Any = document
            try:
                for part in location[: depth - 1]:
                    parent = parent[part]
                if parent[location[depth - 1]] is None:
                    continue
                # An entry of a list stays as an empty one, so that the places of the others keep.
                parent[location[depth - 1]] = {} if isinstance(parent, list) else None
            except (KeyError, IndexError, TypeError):
                continue
            changed = True
            break
    return changed


def _unknown_keys(value: Any, model: type[BaseModel], place: str, report: Report) -> None:
    """Report keys that ODCS does not know; the reader would silently drop them."""
    if not isinstance(value, dict):
        return
    fields = {(info.alias or name): info.annotation for name, info in model.model_fields.items()}
    for key, child in value.items():
        here = f"{place}.{key}" if place else str(key)
        if key not in fields:
            report(here, "is no key of ODCS 3.1 and would be ignored", f"use one of {sorted(fields)}")
            continue
        inner = _model_of(fields[key])
        if inner is None:
            continue
        for number, entry in enumerate(child if isinstance(child, list) else [child]):
            name = entry.get("name") or entry.get("property") if isinstance(entry, dict) else None
            inside = f"{here}.{name or number}" if isinstance(child, list) else here
            _unknown_keys(entry, inner, inside, report)


def _model_of(annotation: Any) -> type[BaseModel] | None:
    """The ODCS model inside an annotation such as `list[SchemaProperty] | None`, if there is exactly one."""
    found: set[type[BaseModel]] = set()
    waiting = [annotation]
    while waiting:
        current = waiting.pop()
        if isinstance(current, type) and not isinstance(current, types.GenericAlias) and issubclass(current, BaseModel):
            found.add(current)
        waiting += typing.get_args(current)
    return found.pop() if len(found) == 1 else None
