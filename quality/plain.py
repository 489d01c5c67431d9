"""Plain texts: values written as most sources write them, known at the cost of one look.

What else a text may be (a null value, blank at its ends, a time with an offset, a number in another form) is dear to
find out, so it is asked only of texts that are not plain. A plain text has passed all of these questions; whether it
is right (`rules`) is asked of it as of any other.

Does not belong here: what becomes of a text that is not plain.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from catalog.contract import Field
from quality.moments import COUNTED, Telling, has_local_form
from warehouse.identifiers import literal

INTEGERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"})
YEARS = "BETWEEN TIMESTAMP '1000-01-01' AND TIMESTAMP '9999-12-31 23:59:59.999998'"
"""Times whose year has four digits, so that infinity is none of them."""
# A pattern out of characters that are seen, and classes of such; between two of ASCII there is no blank.
_SEEN = re.compile(r"(?:[\w/:^$|*+?)-]|\((?!\?)|\[[A-Za-z0-9_/:,;.+-]+\]|\{[0-9,]+\})+")

# A row of characters and classes of characters, each so many times.
_UNIT = r"[A-Za-z0-9_-]|\[(?:[A-Za-z0-9](?:-[A-Za-z0-9])?)+\]"
_PART = re.compile(rf"({_UNIT})(?:\{{([0-9])(?:,([0-9]))?\}})?")
_ROW = re.compile(rf"(?:(?:{_UNIT})(?:\{{[0-9](?:,[0-9])?\}})?)+")
# With more classes or forms than these GLOB is no quicker than the expression.
_MOST_CLASSES, _MOST_FORMS = 4, 2


def is_plain(field: Field, value: str, reading: str, telling: Telling, nulls: Sequence[str]) -> str | None:
    """A condition, never unknown, that a text is plain; None where no look at it is cheap enough.

    Args:
        field: whose text it is.
        value: the text as it came.
        reading: column with DuckDB's own cast of it, as `rules.plain_cast` makes it.
        telling: how the source tells times of this field.
        nulls: texts that mean nothing.
    """
    kind = field.physical_type.upper()
    if kind.startswith("VARCHAR"):
        if not is_seen_by_pattern(field):
            return None
        looks, known = [_fits(value, str(field.pattern))], [null for null in nulls if null]
    elif kind in ("DATE", "TIMESTAMP"):
        if telling.tells in COUNTED:
            return None
        looks = [f"{reading} {YEARS}", has_local_form(value, kind)]
        known = _with_digits(nulls)
    elif kind in INTEGERS or kind.startswith(("DECIMAL", "NUMERIC")):
        # One byte that is a number is a digit.
        is_digit = f"strlen({value}) = 1 AND {reading} IS NOT NULL"
        looks = [f"({is_digit} OR CAST({reading} AS VARCHAR) = {value})"]
        known = _with_digits(nulls)
    else:
        return None
    if known:
        looks.append(f"NOT list_contains([{', '.join(map(literal, known))}], {value})")
    return f"CASE WHEN {' AND '.join(looks)} THEN true ELSE false END"


def is_seen_by_pattern(field: Field) -> bool:
    """Whether a text is known as plain by the pattern of its field: what fits is filled and has no blank in it."""
    pattern = field.pattern
    if pattern is None or not field.physical_type.upper().startswith("VARCHAR") or _SEEN.fullmatch(pattern) is None:
        return False
    try:
        return re.fullmatch(pattern, "") is None
    except re.error:
        return False  # DuckDB's expressions differ a little from Python's


def _fits(text: str, pattern: str) -> str:
    """A condition: the text fits the pattern, which is asked by its forms where these are short."""
    forms = _forms(pattern)
    if not forms:
        return f"regexp_full_match({text}, {literal(pattern)})"
    return f"({' OR '.join(f'{text} GLOB {literal(form)}' for form in forms)})"


def _forms(pattern: str) -> list[str]:
    """The forms of GLOB that a pattern stands for; none where it is more than a short row of characters and classes."""
    row = pattern.removeprefix("^").removesuffix("$")
    if _ROW.fullmatch(row) is None:
        return []
    forms = [""]
    for unit, least, most in _PART.findall(row):
        counts = range(int(least or 1), int(most or least or 1) + 1)
        forms = [form + unit * count for form in forms for count in counts]
        if len(forms) > _MOST_FORMS:
            return []
    return forms if all(form.count("[") <= _MOST_CLASSES for form in forms) else []


def _with_digits(nulls: Sequence[str]) -> list[str]:
    """Texts that may be a number or a time; others are no plain value anyway."""
    return [null for null in nulls if re.search("[0-9]", null)]
