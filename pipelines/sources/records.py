"""What a source system records: the things whose absence in its rows means that they did not happen.

What a system does not record is unknown in its rows, not zero: no indicator counts it. Belongs here: the words a source
file may use under `records`, and what they demand of each other. What the indicators make of them stands in dbt.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Literal

from pydantic import model_validator

from pipelines.sources.parts import Strict

# The words for people stand in the seed code_label, list `record`.
Record = Literal[
    "public",
    "collector",
    "acceptance",
    "filing",
    "dispatch",
    "handling",
    "checking",
    "closing",
    "filing_due",
    "dispatch_due",
    "handling_due",
    "closing_due",
    "urgency",
    "supervision",
    "rework",
    "return",
    "unit_grid",
    "permit_application",
    "permit_due",
    "permit_decision",
    "permit_validity",
]
# A time limit says nothing where nobody records whether it was met; a count belongs to its stage.
_NEEDS: dict[Record, Record] = {
    "filing_due": "filing",
    "dispatch_due": "dispatch",
    "handling_due": "handling",
    "closing_due": "closing",
    "rework": "handling",
    "return": "dispatch",
    "permit_due": "permit_decision",
}


class Recorded(Strict):
    """One thing that a system records: for all of its cases, or for those reported from the day `since` on.

    In a source file: the word alone, or `word: 2026-02-01`.
    """

    code: Record
    since: date | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_a_word(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"code": value}
        if isinstance(value, dict) and len(value) == 1 and "code" not in value:
            ((code, since),) = value.items()
            if not isinstance(since, date) or isinstance(since, datetime):
                raise ValueError(f"`{code}` must be followed by the day from which it is recorded, as 2026-02-01")
            return {"code": code, "since": since}
        return value


def check_records(recorded: Sequence[Recorded]) -> None:
    """Check that no thing is named twice and that each stands with what it needs, and not before it.

    Raises:
        ValueError: they do not fit together; the message names the word and the fix.
    """
    since = {entry.code: entry.since or date.min for entry in recorded}
    if len(since) < len(recorded):
        raise ValueError("names a thing twice; name each once")
    for code, needed in _NEEDS.items():
        if code in since and since[code] < since.get(needed, date.max):
            raise ValueError(f"`{code}` says nothing without `{needed}`; add `{needed}`, from the same day or earlier")
