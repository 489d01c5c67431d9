"""What the checks of a city's files share: faults, reporting, vocabularies, custom properties, scripts of labels."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from open_data_contract_standard.model import CustomProperty

from catalog.vocabulary import Term


@dataclass(frozen=True, order=True)
class Fault:
    """One fault: the file (relative to the city's folder), the place in it, what is wrong, what to do."""

    file: str
    place: str
    problem: str
    fix: str

    def __str__(self) -> str:
        place = f"{self.file}: {self.place}" if self.place else self.file
        return f"{place}: {self.problem}. Fix: {self.fix}"


# Called with (place in the file, problem, fix).
Report = Callable[[str, str, str], None]

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_CHINESE = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_LATIN = re.compile(r"[A-Za-z]")


def has_chinese(text: object) -> bool:
    """Whether the text has at least one Chinese character."""
    return isinstance(text, str) and bool(_CHINESE.search(text))


def has_latin(text: object) -> bool:
    """Whether the text has at least one Latin letter."""
    return isinstance(text, str) and bool(_LATIN.search(text))


def filled(text: object) -> bool:
    """Whether there is a text that is not only blanks."""
    return isinstance(text, str) and bool(text.strip())


def one_of(value: object, terms: Mapping[str, Term], place: str, report: Report) -> None:
    """Report a value that is missing or no term of its vocabulary."""
    if value is None or value == "":
        report(place, "is missing", f"choose one of {list(terms)}")
    elif not isinstance(value, str) or value not in terms:
        report(place, f"{value!r} is unknown", f"choose one of {list(terms)}")


def custom_of(
    properties: Iterable[CustomProperty] | None, known: frozenset[str], place: str, report: Report
) -> dict[str, Any]:
    """Custom properties as a mapping; unknown and repeated ones are reported."""
    own: dict[str, Any] = {}
    for entry in properties or []:
        if entry.property not in known:
            report(f"{place}{entry.property}", "is no property of this project", f"use one of {sorted(known)}")
        elif entry.property in own:
            report(f"{place}{entry.property}", "is given twice", "keep one of them")
        else:
            own[entry.property] = entry.value
    return own
