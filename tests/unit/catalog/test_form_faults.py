"""What breaks the form of a file is told with what to write instead."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from catalog.form_faults import deepest, form_faults


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")

    number: int = 0
    limit: Annotated[int, Field(ge=1, le=9)] = 1


class Whole(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    kind: Literal["files", "rest"] = "files"
    code: Annotated[str, Field(pattern="^[a-z]+$")] = "a"
    parts: tuple[Part, ...] = ()
    day: date | None = None
    span: timedelta | None = None
    is_open: bool = True
    zone: str = ""

    @field_validator("zone")
    @classmethod
    def _is_known(cls, zone: str) -> str:
        if zone == "must":
            raise ValueError("must be the name of a zone such as Asia/Shanghai")
        if zone == "short":
            raise ValueError("is no zone; use for example Asia/Shanghai")
        if zone == "bare":
            raise ValueError("there is no such zone")
        return zone


def told(**given: Any) -> list[tuple[str, str, str]]:
    with pytest.raises(ValidationError) as caught:
        Whole.model_validate(given)
    return [(fault.place, fault.problem, fault.fix) for fault in form_faults(caught.value, Whole)]


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({}, ("name", "is missing", "add `name: …`")),
        ({"name": "a", "nmae": 1}, ("nmae", "is no key that is known here", "use name")),
        ({"name": "a", "parts": [{"nunber": 1}]}, ("parts.0.nunber", "is no key that is known here", "use number")),
        (
            {"name": "a", "parts": [{"zzz": 1}]},
            ("parts.0.zzz", "is no key that is known here", "take it out; known are number, limit"),
        ),
        ({"name": "a", "kind": "file"}, ("kind", "is none of the words that may stand here", "write files or rest")),
        ({"name": "a", "code": "A1"}, ("code", "has another form than it should", "write what fits ^[a-z]+$")),
        ({"name": 1}, ("name", "should be a valid string", "write a text")),
        ({"name": "a", "parts": [{"number": "many"}]}, ("parts.0.number", "should be a valid integer", None)),
        ({"name": "a", "parts": [{"limit": 10}]}, ("parts.0.limit", None, "write less than or equal to 9")),
        ({"name": "a", "parts": "none"}, ("parts", "should be a valid tuple", "write a list: [a, b]")),
        ({"name": "a", "day": "soon"}, ("day", None, "write a day such as 2026-03-01")),
        ({"name": "a", "is_open": "perhaps"}, ("is_open", None, "write true or false")),
        (
            {"name": "a", "zone": "must"},
            (
                "zone",
                "is not the name of a zone such as Asia/Shanghai",
                "write the name of a zone such as Asia/Shanghai",
            ),
        ),
        ({"name": "a", "zone": "short"}, ("zone", "is no zone", "use for example Asia/Shanghai")),
        ({"name": "a", "zone": "bare"}, ("zone", "there is no such zone", "change zone so that it holds")),
    ],
)
def test_a_fault_says_what_to_write(given: dict[str, Any], fault: tuple[str, str | None, str | None]) -> None:
    (found,) = told(**given)
    assert found[0] == fault[0]
    assert fault[1] is None or found[1] == fault[1], found
    assert fault[2] is None or found[2] == fault[2], found
    assert "correct" not in found[2]


def test_all_are_told_and_the_deepest_can_be_chosen() -> None:
    given = {"kind": "file", "parts": [{"limit": 0}]}
    assert [place for place, _, _ in told(**given)] == ["name", "kind", "parts.0.limit"]
    with pytest.raises(ValidationError) as caught:
        Whole.model_validate(given)
    assert deepest(caught.value, Whole).place == "parts.0.limit"
