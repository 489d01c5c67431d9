"""Forms that a chart's options take, so that a wrong one is told before Superset silently ignores it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from catalog.serve.superset.charts.colours import BY_WORD


@dataclass(frozen=True)
class Form:
    """What an option may be. `says` completes "must be …"; `names` gives the columns and metrics that it names."""

    says: str
    fits: Callable[[Any], bool]
    names: Callable[[Any], list[str]] = lambda _: []


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(name, str) for name in value)


_WORDS = ", ".join(BY_WORD)
FLAG = Form("true or false", lambda value: isinstance(value, bool))
NUMBER = Form("a number", _is_number)
SPAN = Form("[from, to]", lambda value: isinstance(value, list) and len(value) == 2 and all(map(_is_number, value)))
TEXT = Form("{zh: …, en: …}", lambda value: isinstance(value, dict) and set(value) == {"zh", "en"})
COLOUR = Form(f"one of {_WORDS}", lambda value: value in BY_WORD)
KEYS = Form("a list of charts", _is_names)
NAME = Form("a column", lambda value: isinstance(value, str), lambda value: [value])
NAMES = Form("a list of columns or metrics", _is_names, lambda value: list(value))
COLOURS = Form(
    f"metric: colour, a colour being one of {_WORDS}",
    lambda value: isinstance(value, dict) and all(word in BY_WORD for word in value.values()),
    lambda value: list(value),
)
