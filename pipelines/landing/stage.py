"""One pass over a batch: cast every field, judge every row, keep the result in a temporary table.

The temporary table may be larger than memory: DuckDB spills it into the lake's home. Its row ids are the
order of the source, which gives each row its place in the delivery without a window over all rows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

import duckdb

from catalog.contract import Contract, Field
from pipelines.connectors.batch import BLANKS, Batch, UnreadableDelivery, UnusableHeader, not_read
from pipelines.landing.choice import Choice, choose
from pipelines.landing.clock import Clock, latest, latest_column, moments
from pipelines.sources.declared import DatasetSource
from quality.conditions import Condition, any_of, mask_of, names_of
from quality.moments import COUNTED
from quality.place.coordinates import contradicts, named
from quality.rules import CompiledContract, compile_contract
from warehouse.identifiers import literal, quoted

STAGED = "staged_rows"
REPEATED = "staged_repeated"
UNREADABLE = "staged_unreadable"
DELIVERIES = "staged_deliveries"
# What `_refused` holds: the names of the broken rules, and the row as the source wrote it.
RULES = "CAST(json_extract(_refused, '$.rules') AS VARCHAR[])"
ORIGINAL = "json_extract_string(_refused, '$.original')"
# What stands in the key column of a row of totals.
_TOTALS = r"(?i)((合|总|小|共|累)[\s\x{3000}]*计|总数|汇总|本页小计)[:：]?|(grand |sub-?)?total|sum"


@dataclass(frozen=True)
class Staged:
    """What is known of a staged batch besides its rows.

    `latest` is the last time of which its rows can know. `unknown_columns` are those of a header that all deliveries
    share; None where each row may have its own.
    """

    contract: Contract
    batch: Batch
    compiled: CompiledContract
    fix_labels: tuple[str, ...]
    missing_columns: tuple[str, ...]
    unknown_columns: tuple[str, ...] | None
    has_extra: bool
    latest: datetime

    @property
    def extra(self) -> str:
        """Expression of `_extra` over the staged rows."""
        return "_extra" if self.has_extra else "CAST(NULL AS VARCHAR)"


def stage(
    connection: duckdb.DuckDBPyConnection, contract: Contract, entry: DatasetSource, batch: Batch, clock: Clock
) -> Staged:
    """Cast and check all rows of a batch into the temporary table `staged_rows`.

    Its columns: the contract's fields, `_file`, `_refused` (see `RULES` and `ORIGINAL`; NULL where no rule is
    broken) and, where there may be any, `_extra`, `_fixed` and `_warned` (bit masks). A column that is mostly
    NULL costs as much memory and time as a full one, hence so few of them.

    Raises:
        UnreadableDelivery: a required column is missing, the reader failed, a file changed meanwhile, or tells another
            system of coordinates than the source file.
    """
    captures = list(dict.fromkeys(name for d in batch.deliveries for name, _ in d.captures))
    chosen = {f.name: choose(batch, entry.source_names(f.name), captures) for f in contract.fields}
    _refuse_missing_required(contract, entry, batch, chosen)
    replaced = {fix.field for fix in entry.fixes if fix.replacement is not None}
    limits = latest(clock, entry, batch.deliveries)
    times = moments(clock, entry, contract, limits)
    replaced |= {f.name for f in contract.fields if times.of(f.name).tells in COUNTED}
    texts = {f.name for f in contract.fields if f.physical_type.upper().startswith("VARCHAR")}
    shapes = {f.name for f in contract.fields if f.is_geometry}
    _refuse_other_crs(entry, {name: column for name, column in chosen.items() if name in shapes})
    present = {
        name: column.as_shape()
        if name in shapes
        else column.as_text()
        if name in texts
        else column.cast_to_text()
        if name in replaced
        else column
        for name, column in chosen.items()
        if column is not None
    }
    places = {f.name: entry.placing(f.name) for f in contract.fields if f.is_geometry or f.point_with}
    is_text = {name: column.is_text for name, column in present.items()}
    compiled = compile_contract(contract, is_text, times, places, _nulls(entry))
    used = frozenset(name for column in present.values() for name in column.names)
    try:
        connection.execute(_select(contract, entry, batch, present, compiled, used, latest_column(limits)))
    except duckdb.Error as error:
        raise not_read(error, batch.explain(str(error))) from None
    batch.verify()
    unknown = None if batch.names is not None else tuple(dict.fromkeys(c.name for c in batch.columns))
    return Staged(
        contract=contract,
        batch=batch,
        compiled=compiled,
        fix_labels=tuple(fix.label for fix in entry.fixes),
        missing_columns=tuple(name for name, column in chosen.items() if column is None),
        has_extra=batch.rest(used) is not None,
        latest=max(limits),
        unknown_columns=None if unknown is None else tuple(name for name in unknown if name not in used),
    )


def _select(
    contract: Contract,
    entry: DatasetSource,
    batch: Batch,
    present: dict[str, Choice],
    compiled: CompiledContract,
    used: frozenset[str],
    limit: str | None,
) -> str:
    """The statement that fills `staged_rows`: values as they came, as they are meant, and typed; rules over them."""
    values = [
        f"{_value(present[f.name], f, entry)} AS _t{number}"
        for number, f in enumerate(contract.fields)
        if f.name in present
    ]
    sources = [
        f"{_meant(present[f.name], f, f'_t{number}', compiled.looks.get(f.name), entry)} AS _s{number}"
        for number, f in enumerate(contract.fields)
        if f.name in present
    ]
    plain = [f"{expression} AS {column}" for column, expression in compiled.plain]
    typed = [f"{expression} AS {quoted(name)}" for name, expression in compiled.typed]
    errors = [*_doubts(contract, present), *compiled.errors]
    broken, names = any_of(errors), names_of(errors)
    if batch.unread:
        broken = f"(({batch.unread}) OR {broken})"
        names = f"CASE WHEN {batch.unread} THEN ['unreadable'] ELSE {names} END"
    fixed = f", {mask_of(_fix_conditions(entry, present))} AS _fixed" if entry.fixes else ""
    warned = f", {mask_of(compiled.warnings)} AS _warned" if compiled.warnings else ""
    rest = batch.rest(used)
    fields = ", ".join(quoted(f.name) for f in contract.fields)
    rows = f"SELECT *, {', '.join(values)}{fixed}{f', {limit} AS _latest' if limit else ''} FROM {batch.relation}"
    read, judged = (
        [[f"{expression} AS {column}" for column, expression in step] for step in steps]
        for steps in (compiled.read, compiled.judged)
    )
    for step in (*read, sources, *([plain] if plain else []), *judged, typed):
        rows = f"SELECT *, {', '.join(step)} FROM ({rows})"
    # The source row's JSON is built only for broken rows.
    return f"""
        CREATE OR REPLACE TEMP TABLE {STAGED} AS
        SELECT {fields}, CAST(_file AS INTEGER) AS _file,
               CASE WHEN _is_broken THEN
                   CAST(json_object('rules', {names}, 'original', {batch.original}) AS VARCHAR)
               END AS _refused{f", {rest} AS _extra" if rest else ""}{", _fixed" if fixed else ""}{warned}
        FROM (SELECT *, {broken} AS _is_broken FROM ({rows}))"""


def _doubts(contract: Contract, present: dict[str, Choice]) -> list[Condition]:
    """Values that cannot be taken at their word: what is no value at all, and text or keys that a float has changed."""
    found = []
    for number, field in enumerate(contract.fields):
        columns = present[field.name].columns if field.name in present else ()
        is_exact = field.key_position is not None or field.physical_type.upper().startswith("VARCHAR")
        for rule, conditions in (
            ("error_cell", [c.failed for c in columns]),
            ("inexact", [c.inexact for c in columns if is_exact]),
        ):
            told = " OR ".join(condition for condition in conditions if condition)
            if told:
                found.append(Condition(f"{rule}:{field.name}", f"_s{number} IS NOT NULL AND ({told})"))
    return [*found, *_totals(contract, present)]


def _totals(contract: Contract, present: dict[str, Choice]) -> list[Condition]:
    """A row of totals has its word where a thing has its key; as a thing it would be counted twice."""
    keys = [
        field.name
        for field in contract.fields
        if field.key_position is not None and field.name in present and _may_be_total(field)
    ]
    # Only what may be such a word pays for the pattern.
    tests = [
        f"CASE WHEN {key} > '~' OR "
        + " OR ".join(f"ends_with({key}, '{end}')" for end in "lLmM")
        + f" THEN regexp_full_match({key}, {literal(_TOTALS)}) ELSE false END"
        for key in map(quoted, keys)
    ]
    return [Condition("totals_row", " OR ".join(tests))] if tests else []


def _may_be_total(field: Field) -> bool:
    """Whether a text field takes the word; a pattern that does not refuses the row by itself."""
    if not field.physical_type.upper().startswith("VARCHAR"):
        return False
    try:
        return field.pattern is None or any(re.fullmatch(field.pattern, word) for word in ("合计", "Total", "TOTAL"))
    except re.error:
        return True  # DuckDB's expressions differ a little from Python's


def _refuse_missing_required(
    contract: Contract, entry: DatasetSource, batch: Batch, chosen: dict[str, Choice | None]
) -> None:
    """Refuse what lacks a required column: all deliveries of a shared header, else the ones that lack it.

    Raises:
        UnusableHeader: every delivery with rows lacks it.
        UnreadableDelivery: some do; the batch has to be taken apart.
    """
    required = [f.name for f in contract.fields if f.is_required]
    headers = batch.names or (frozenset(c.name for c in batch.columns),)
    missing = [[name for name in required if not _has(names, chosen[name])] for names in headers if names is not None]
    if not any(missing):
        return
    first = next(names for names in missing if names)
    wanted = "; ".join(f"{name} (column {' or '.join(entry.source_names(name))})" for name in first)
    problem = f"required column is missing: {wanted}. {_what_it_has(batch, chosen)}"
    raise UnusableHeader(problem) if all(missing) and len(missing) == len(headers) else UnreadableDelivery(problem)


def _refuse_other_crs(entry: DatasetSource, shapes: dict[str, Choice | None]) -> None:
    """Shapes of which the delivery itself tells another system of coordinates are not where they seem to be.

    Raises:
        UnreadableDelivery: it does.
    """
    for name, choice in shapes.items():
        declared = entry.placing(name)
        told = {crs for column in (choice.columns if choice else ()) for crs in column.crs}
        unknown = sorted(crs for crs in told if named(crs) is None)
        # Where the source file says the system of this field, somebody has looked what an unusual name means.
        if unknown and not entry.coordinates.keys() & {name, "*"}:
            raise UnreadableDelivery(
                f"its shapes are told in {_crs_name(unknown[0])}, which is no system of coordinates that is known here."
                f" Fix: ask the provider for its number and write `coordinates: {{{name}: {{crs: EPSG:<number>}}}}` in"
                " the source file"
            )
        other = sorted(crs for crs in told if contradicts(crs, declared))
        if other:
            system = named(other[0])
            raise UnreadableDelivery(
                f"its shapes are told in {system}, the source file says {declared.crs}. Fix: ask the provider which is"
                f" right; if it is the file, write `coordinates: {{{name}: {{crs: {system}}}}}` in the source file"
            )


def _crs_name(told: str) -> str:
    """What a system of coordinates is called, of a long description of it the name alone."""
    found = re.search(r'"name"\s*:\s*"([^"]{1,80})"', told)
    return repr(found[1] if found else told[:80])


def _what_it_has(batch: Batch, chosen: dict[str, Choice | None]) -> str:
    """What to do about a missing column. Names are shown only where some are known: else they may be a row's values."""
    names = [c.name for c in batch.columns if c.name != "$geometry"]
    known = {name for choice in chosen.values() if choice is not None for name in choice.names}
    if not names:
        return "The delivery has no columns. Fix: ask the provider for a whole file"
    if known.isdisjoint(names):
        return (
            f"None of its {len(names)} columns has a known name: the line of column names may be missing. Fix: ask the"
            " provider for a file with column names, or name the new names under `fields` of the source file"
        )
    return (
        "Fix: ask the provider for it, or name its new name under `fields` of the source file."
        f" The delivery has: {', '.join(names[:60])}"
    )


def _has(names: frozenset[str], choice: Choice | None) -> bool:
    if choice is None:
        return False
    # What is no plain name (a path capture, a nested value, the geometry) is judged row by row.
    return any(name in names or name.startswith(("{", "$")) for name in choice.names)


def _nulls(entry: DatasetSource) -> list[str]:
    """The texts that mean nothing, the empty one first."""
    return list(dict.fromkeys(["", *entry.null_values]))


def _value(column: Choice, field: Field, entry: DatasetSource) -> str:
    """The value of a field as it came, with its fixes applied."""
    value = column.expression
    fixes = [fix for fix in entry.fixes if fix.field == field.name]
    if fixes:
        text = value if column.is_text else f"CAST({value} AS VARCHAR)"
        cases = " ".join(
            f"WHEN {text} = {literal(fix.value)} THEN {'NULL' if fix.replacement is None else literal(fix.replacement)}"
            for fix in fixes
        )
        value = f"CASE {cases} ELSE {value} END"
    return value


def _meant(column: Choice, field: Field, value: str, look: str | None, entry: DatasetSource) -> str:
    """The value of a field, NULL where it means nothing, trimmed where it is a key or code.

    `look` is the column that tells whether a text is plain, so that nothing of this is asked.
    """
    if not column.is_text:
        return value
    nulls = _nulls(entry)
    listing = "[" + ", ".join(literal(null) for null in nulls) + "]"
    # Trimming every value costs more than a look at its ends, and only blank ends can make it a null value.
    has_no_blank_ends = f"{value} BETWEEN '!' AND '~'"
    trimmed = f"trim({value}, {literal(BLANKS)})"
    if field.is_code:
        # A slice of a text is slow; of a text of one byte a character, four bytes can be blanks.
        has_no_blank_ends += f" AND strlen({value}) = length({value})"
        has_no_blank_ends += "".join(f" AND NOT ends_with({value}, chr({code}))" for code in (9, 10, 13, 32))
    if len(nulls) > 1:
        has_no_blank_ends += f" AND NOT ends_with({value}, ' ') AND NOT list_contains({listing}, {value})"
    kept = trimmed if field.is_code else value
    known = f"WHEN {look} THEN {value} " if look else ""
    return (
        f"CASE {known}WHEN {has_no_blank_ends} THEN {value}"
        f" WHEN NOT list_contains({listing}, {trimmed}) THEN {kept} END"
    )


def _fix_conditions(entry: DatasetSource, present: dict[str, Choice]) -> list[Condition]:
    return [
        Condition(
            fix.label,
            f"CAST({present[fix.field].expression} AS VARCHAR) = {literal(fix.value)}"
            if fix.field in present
            else "false",
        )
        for fix in entry.fixes
    ]
