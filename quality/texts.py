"""What a check has found, as a text code and its values, to be read in any language.

The sentences stand in the seed `check_text`: the dashboards render them from there (`mart_check`), this module does
it for the command line, Dagster and the report. Belongs here: a text and its rendering. Which text a check gives is
its own matter.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from catalog.codelists import SEEDS
from warehouse.errors import GridLakeError

TEXTS = SEEDS / "check_text.csv"
# As many places {1}, {2} … as the mart fills in.
MAX_VALUES = 4


class CheckTextError(GridLakeError):
    """A check speaks of a text that the seed does not have, or with more values than fit."""


@dataclass(frozen=True)
class CheckText:
    """A sentence by its code; `values` are already texts and stand for {1}, {2} … of the sentence."""

    code: str
    values: tuple[str, ...] = ()

    @classmethod
    def of(cls, code: str, *values: object) -> CheckText:
        """The text with these values, numbers and names alike; none is a value of a field.

        Raises:
            CheckTextError: there is no such text, or there are too many values.
        """
        if code not in sentences():
            raise CheckTextError("there is no such text", where=str(TEXTS), value=code, fix="add it to the seed")
        if len(values) > MAX_VALUES:
            raise CheckTextError("has too many values", where=code, value=len(values), fix=f"use at most {MAX_VALUES}")
        return cls(code, tuple(str(value) for value in values))

    def in_language(self, language: str) -> str:
        """The sentence in `zh` or `en`; the bare code where a later release's text is not known here."""
        sentence = sentences().get(self.code, {}).get(language, self.code)
        for place, value in enumerate(self.values, start=1):
            sentence = sentence.replace(f"{{{place}}}", value)
        return sentence


@cache
def sentences(path: Path = TEXTS) -> Mapping[str, Mapping[str, str]]:
    """All sentences: code -> language -> text with places {1}, {2} …"""
    with path.open(encoding="utf-8", newline="") as handle:
        return {row["code"]: {"zh": row["text_zh"], "en": row["text_en"]} for row in csv.DictReader(handle)}
