"""The staging model of a feed: SQL that a person can read, and could have written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from catalog.feeds.feed import Coded, Feed
from catalog.feeds.kinds import Group
from catalog.feeds.values import Values, sql_type
from warehouse.identifiers import literal

# What landing says of each row; a list of the city's own has landed with nothing.
_LANDING = {
    "_delivery_id": ("string", "null"),
    "_load_seq": ("bigint", "0"),
    "_delivery_no": ("integer", "0"),
    "_source_row": ("bigint", "0"),
    "_is_deleted": ("boolean", "false"),
}


def staging_sql(feed: Feed) -> str:
    """The text of the model: all columns of its kind, in their order, then those of landing.

    Raises:
        FeedError: a value is none.
    """
    made = _Model(feed)
    made.fill()
    columns = [
        f"    cast({made.expressions.get(name) or 'null'} as {sql_type(column.type)}) as {name}"
        for name, column in feed.kind.columns.items()
    ]
    columns += [
        f"    cast({f'raw.{name}' if feed.dataset else otherwise} as {kind}) as {name}"
        for name, (kind, otherwise) in _LANDING.items()
    ]
    if feed.dataset:
        source = f"{{{{ source('raw', '{feed.dataset}') }}}}"
    else:
        source = f"{{{{ ref('{dict(feed.from_)['list']}') }}}}" if isinstance(feed.from_, dict) else ""
    lines = [f"-- {remark}".rstrip() for remark in feed.remarks]
    lines += ["select", ",\n".join(columns), f"from {source} as raw", *made.joins.values()]
    if made.conditions:
        lines.append(f"where {' and '.join(made.conditions)}")
    return "\n".join(lines) + "\n"


@dataclass
class _Model:
    """What a model is made of, as it is put together: column -> expression, joins, and which rows it takes."""

    feed: Feed
    expressions: dict[str, str] = field(default_factory=dict)
    joins: dict[str, str] = field(default_factory=dict)
    conditions: list[str] = field(default_factory=list)

    def fill(self) -> None:
        """All of it."""
        feed, kind, values = self.feed, self.feed.kind, Values(self.feed, self.joins)
        self.expressions["source_system"] = literal(feed.system)
        for name, default in kind.defaults.items():
            if not isinstance(default, dict):
                self.expressions[name] = literal(default) if isinstance(default, str) else str(default).lower()
        for name, value in ((kind.id, feed.id), ("layer", feed.layer), ("version_at", feed.version)):
            if value is not None:
                self.expressions[name] = self._value(name, value, values)
        for name, coded in feed.coded.items():
            self._code(name, kind.coded[name], coded, values)
        self._place(values)
        for name in feed.same:
            self.expressions[name] = f"raw.{name}"
        for name, value in feed.columns.items():
            self.expressions[name] = self._value(name, value, values)
        self._choose(values)
        for name in kind.never_own:
            if name in self.expressions:
                self.expressions[name] = f"nullif({self.expressions[name]}, {self.expressions[kind.id]})"
        for name, default in kind.defaults.items():
            if isinstance(default, dict) and name not in self.expressions:
                ((group, code),) = default.items()
                found = self.expressions.get(kind.coded[group].code)
                self.expressions[name] = f"coalesce({found} = {literal(code)}, false)" if found else "false"

    def _value(self, name: str, value: Any, values: Values) -> str:
        return values.sql(value, self.feed.kind.columns[name].type)

    def _place(self, values: Values) -> None:
        """Where a thing is. Landing has turned whatever the source tells into degrees."""
        position, kind = self.feed.position, self.feed.kind
        if position is None:
            return
        if isinstance(position, str):
            shape = f"raw.{position}"
            found = (f"{{{{ geo('x', ['{shape}']) }}}}", f"{{{{ geo('y', ['{shape}']) }}}}")
        else:
            found = (f"raw.{position[0]}", f"raw.{position[1]}")
            shape = f"{{{{ geo('point', ['{found[0]}', '{found[1]}']) }}}}"
        if kind.position == "geometry":
            self.expressions["geometry"] = shape
        else:
            self.expressions["lon"], self.expressions["lat"] = found

    def _choose(self, values: Values) -> None:
        """One column decides over the values of others; rows of values that are not named are left out."""
        if self.feed.by is None:
            return
        for name in dict.fromkeys(name for given in self.feed.only.values() for name in given):
            cases = {key: given[name] for key, given in self.feed.only.items() if name in given}
            self.expressions[name] = self._value(name, {"by": self.feed.by, "cases": cases}, values)
        self.conditions.append(f"raw.{self.feed.by} in ({', '.join(map(literal, self.feed.only))})")

    def _code(self, name: str, group: Group, coded: Coded, values: Values) -> None:
        """Fill the columns of a group."""
        if coded.is_ is not None:
            self.expressions[group.code] = literal(coded.is_)
            told = ((group.edition, coded.edition), (group.kind, coded.kind), (group.method, coded.method))
            self.expressions |= {column: literal(value) for column, value in told if column and value}
            if group.source and coded.source is not None:
                self.expressions[group.source] = values.sql(coded.source)
            return
        source = values.sql(coded.source)
        otherwise = self._otherwise(group, coded, values)
        method: str | None
        if coded.codes is not None:
            found, method = self._in_place(source, coded.codes, otherwise), literal("exact")
        else:
            found, method = self._mapped(name, group, coded, values, otherwise)
        empty = coded.empty if "empty" in coded.model_fields_set else group.empty
        if empty != "unmapped":
            # A source that gives no code is one thing, a code that nobody has mapped another.
            begin = f"case when {source} is null then {'null' if empty is None else literal(empty)}"
            found = f"{begin} else {found} end"
        self.expressions[group.code] = found
        if group.method and method:
            self.expressions[group.method] = method
        if group.source:
            self.expressions[group.source] = source
        if group.name and coded.name is not None:
            self.expressions[group.name] = values.sql(coded.name)

    def _otherwise(self, group: Group, coded: Coded, values: Values) -> str | None:
        """Our code where no row of the mapping has the source's: a constant, or a value of the feed."""
        given = coded.else_ if "else_" in coded.model_fields_set else group.else_
        if given is None:
            return None
        return literal(given) if isinstance(given, str) else values.sql(given)

    def _in_place(self, source: str, codes: dict[str | bool | int, str], otherwise: str | None) -> str:
        branches = " ".join(
            f"when {str(key).lower() if isinstance(key, bool) else literal(str(key))} then {literal(code)}"
            for key, code in codes.items()
        )
        return f"case {source} {branches} else {otherwise or 'null'} end"

    def _mapped(self, name: str, group: Group, coded: Coded, values: Values, otherwise: str | None) -> tuple[str, str]:
        key = values.sql(coded.source if coded.key is None else coded.key)
        mapping = f"map_{coded.map or f'{self.feed.system}__{name}'}"
        self.joins[name] = f"left join {{{{ ref('{mapping}') }}}} as {name} on {key} = {name}.source_code"
        found = f"coalesce({name}.code, {otherwise})" if otherwise else f"{name}.code"
        if coded.none == "empty":
            found = f"case when {name}.mapping_method = 'none' then null else {found} end"
        if coded.none == "leave_out":
            self.conditions.append(f"coalesce({name}.mapping_method, 'unmapped') <> 'none'")
        for column, taken in ((group.edition, "edition"), (group.kind, "kind")):
            if column:
                self.expressions[column] = f"{name}.{taken}"
        return found, f"coalesce({name}.mapping_method, 'unmapped')"
