"""What breaks the form of a YAML file, in words: the place, what is wrong, and what to write instead.

pydantic tells what it met; a steward needs what to do. Used by whatever reads files of a city or of dashboards.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

# What stands where it should not -> what to write; the kinds of pydantic's errors by their beginning.
_WANTED = {
    "string": "write a text",
    "int": "write a whole number",
    "float": "write a number",
    "decimal": "write a number",
    "bool": "write true or false",
    "date": "write a day such as 2026-03-01",
    "datetime": "write a time such as 2026-03-01 08:30:00",
    "time_delta": "write a span such as PT1H or P1D",
    "list": "write a list: [a, b]",
    "tuple": "write a list: [a, b]",
    "set": "write a list: [a, b]",
    "dict": "write keys and values: {key: value}",
    "mapping": "write keys and values: {key: value}",
    "model": "write keys and values: {key: value}",
}


@dataclass(frozen=True)
class FormFault:
    """One fault of the form: where it is, what is wrong, what to do."""

    place: str
    problem: str
    fix: str


def form_faults(error: ValidationError, model: type[BaseModel] | None = None) -> list[FormFault]:
    """All faults that pydantic met, in its order; a mistyped key may have meant one of `model`, which was read."""
    return [_fault(entry, model) for entry in error.errors()]


def deepest(error: ValidationError, model: type[BaseModel] | None = None) -> FormFault:
    """The fault that lies deepest: where a value may have several forms, pydantic tells of each that it is none."""
    return _fault(max(error.errors(), key=lambda entry: len(entry["loc"])), model)


def _fault(entry: ErrorDetails, model: type[BaseModel] | None) -> FormFault:
    place = ".".join(str(part) for part in entry["loc"]) or "file"
    kind, context = entry["type"], entry.get("ctx", {})
    name = str(entry["loc"][-1]) if entry["loc"] else "file"
    if kind == "missing":
        return FormFault(place, "is missing", f"add `{name}: …`")
    if kind == "extra_forbidden":
        return FormFault(place, "is no key that is known here", _meant(name, _keys_at(entry["loc"][:-1], model)))
    if kind in ("literal_error", "enum"):
        expected = str(context.get("expected", "")).replace("'", "")
        return FormFault(place, "is none of the words that may stand here", f"write {expected}")
    if kind == "string_pattern_mismatch":
        return FormFault(place, "has another form than it should", f"write what fits {context.get('pattern')}")
    if kind in ("value_error", "assertion_error"):
        return _by_message(place, entry["msg"])
    wanted = next((_WANTED[word] for word in sorted(_WANTED, reverse=True) if kind.startswith(f"{word}_")), None)
    if limit := re.search(r"should (?:be|have) ([^,]+)", entry["msg"]):
        return FormFault(place, f"should be {limit[1]}", wanted or f"write {limit[1]}")
    return FormFault(place, entry["msg"], wanted or f"write another {name}")


def _by_message(place: str, message: str) -> FormFault:
    """What a rule of ours says: the problem, and after a semicolon or `must` what is right."""
    text = re.sub(r"^(Value|Assertion) error, ", "", message)
    problem, found, fix = text.rpartition("; ")
    if found:
        return FormFault(place, problem, fix)
    if must := re.match(r"must (?:be|have) (.+)", text):
        return FormFault(place, f"is not {must[1]}", f"write {must[1]}")
    return FormFault(place, text, f"change {place} so that it holds")


def _keys_at(location: tuple[int | str, ...], model: type[BaseModel] | None) -> list[str]:
    """The keys of the part that a location leads to; none where it cannot be followed."""
    here = model
    for part in location:
        if here is None or isinstance(part, int):
            continue
        field = next((f for name, f in here.model_fields.items() if part in (name, f.alias)), None)
        here = _model_of(field.annotation) if field is not None else None
    return [field.alias or name for name, field in here.model_fields.items()] if here is not None else []


def _model_of(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in getattr(annotation, "__args__", ()) if (found := _model_of(part))), None)


def _meant(name: str, known: Iterable[str]) -> str:
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"use {close[0]}"
    return f"take it out; known are {', '.join(names)}" if names else "take it out"
