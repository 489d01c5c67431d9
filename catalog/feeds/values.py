"""Values of a feed as SQL over one row `raw` of its data set.

column                          that column
[a, b]                          the first of these that is there
{is: text}, true, false, 1      a constant; a day is written 2026-03-01
{text: "Grid {code}"}           a text with columns in it; {code:lower} in small letters, {code:1-6} a part of it
{hash: [a, b]}                  what is the same where these columns are the same
{first_seen: column}            the least value that any state of the same thing has
{by: column, cases: {a: value}} a value for each value of a column, empty for others
$shape, $rounded_shape          what is the same where the shape is the same (to the digit, to 0.1 m)
$landed                         when the row landed, UTC
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from catalog.feeds.feed import Feed, FeedError
from warehouse.identifiers import literal

_PLACEHOLDER = re.compile(r"\{([^{}:]+)(?::(lower|[0-9]+-[0-9]+))?\}")
_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS = ("$shape", "$rounded_shape", "$landed")
SQL_TYPES = {"text": "string", "geometry": "{{ column_type('geometry') }}"}


def sql_type(kind: str) -> str:
    """The type of a kind's column in SQL that every engine takes."""
    return SQL_TYPES.get(kind, kind)


@dataclass(frozen=True)
class Values:
    """The values of one feed; `joins` are the mappings that they look into, by the name that the model gives them."""

    feed: Feed
    joins: dict[str, str] = field(default_factory=dict)

    def sql(self, value: Any, kind: str = "text") -> str:
        """One value as an expression; `kind` is the type of the column that it fills.

        Raises:
            FeedError: there is no such value.
        """
        if value is None:
            return "null"
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, date):
            return f"cast({literal(value.isoformat())} as {sql_type(kind)})"
        if isinstance(value, int | float):
            return str(value)
        if isinstance(value, list):
            return f"coalesce({', '.join(self.sql(one, kind) for one in value)})"
        if isinstance(value, dict):
            return self._told(value, kind)
        return self._column(str(value), kind)

    def columns(self, value: Any) -> Iterator[str]:
        """The columns of the data set that a value is made from.

        Raises:
            FeedError: there is no such value.
        """
        if isinstance(value, list):
            for one in value:
                yield from self.columns(one)
        elif isinstance(value, dict):
            yield from self._columns_told(value)
        elif isinstance(value, str) and value in ("$shape", "$rounded_shape"):
            yield self.shape
        elif isinstance(value, str) and value not in _WORDS:
            if value in self.feed.derive:
                yield from self.columns(self.feed.derive[value])
            else:
                yield value

    @property
    def shape(self) -> str:
        """The column that holds the shape."""
        return self.feed.position if isinstance(self.feed.position, str) else "geometry"

    def _column(self, name: str, kind: str) -> str:
        if name == "$landed":
            return "raw._loaded_at"
        if name in ("$shape", "$rounded_shape"):
            rounded = ", is_rounded=true" if name == "$rounded_shape" else ""
            return f"{{{{ geometry_key('raw.{self.shape}'{rounded}) }}}}"
        if name in self.feed.derive:
            return self.sql(self.feed.derive[name], kind)
        if not _COLUMN.fullmatch(name):
            raise self._fault(f"{name!r} is neither a column nor a value", "write a constant as {is: …}")
        return f"raw.{name}"

    def _told(self, value: dict[str, Any], kind: str) -> str:
        match value:
            case {"is": constant, **rest} if not rest:
                text = literal(str(constant))
                return text if kind == "text" else f"cast({text} as {sql_type(kind)})"
            case {"text": str(template), **rest} if not rest:
                return self._text(template)
            case {"hash": list(columns), **rest} if not rest:
                parts = " || '|' || ".join(f"coalesce(cast({self.sql(one)} as string), '')" for one in columns)
                return f"md5({parts})"
            case {"first_seen": column, **rest} if not rest:
                return f"min({self.sql(column, kind)}) over (partition by {self.sql(self.feed.id)})"
            case {"look_up": column, "in": str(mapping), **rest} if not rest:
                name = f"in_{mapping}"
                self.joins[name] = (
                    f"left join {{{{ ref('map_{mapping}') }}}} as {name} on {self.sql(column)} = {name}.source_code"
                )
                return f"{name}.code"
            case {"by": column, "cases": dict(cases), **rest} if not rest:
                branches = "\n        ".join(
                    f"when {literal(str(key))} then cast({self.sql(one, kind)} as {sql_type(kind)})"
                    for key, one in cases.items()
                )
                return f"case {self.sql(column)}\n        {branches}\n    end"
        raise self._fault(f"{value} is no value", "see the values that feeds know")

    def _columns_told(self, value: dict[str, Any]) -> Iterator[str]:
        if "text" in value:
            for found in _PLACEHOLDER.finditer(str(value["text"])):
                yield from self.columns(found[1])
        for key in ("hash", "first_seen", "by", "look_up"):
            yield from self.columns(value.get(key))
        for one in value.get("cases", {}).values():
            yield from self.columns(one)

    def _text(self, template: str) -> str:
        parts, end = [], 0
        for found in _PLACEHOLDER.finditer(template):
            if found.start() > end:
                parts.append(literal(template[end : found.start()]))
            column, how = self.sql(found[1]), found[2]
            if how == "lower":
                column = f"lower({column})"
            elif how:
                first, last = map(int, how.split("-"))
                column = f"substring({column}, {first}, {last - first + 1})"
            parts.append(column)
            end = found.end()
        if end < len(template):
            parts.append(literal(template[end:]))
        if "{" in "".join(part for part in parts if part.startswith("'")):
            raise self._fault(f"{template!r} has a brace that names no column", "write {column} or {column:1-6}")
        return " || ".join(parts) or "''"

    def _fault(self, problem: str, fix: str) -> FeedError:
        return FeedError(problem, where=f"feeds/{self.feed.file.name}", fix=fix)
