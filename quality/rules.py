"""A contract compiled to SQL: typed fields and the rules that a row may break.

DuckDB evaluates all of it in one pass over the source rows; Python only writes the text. The order of
evaluation is: source text -> declared fix -> null values -> cast -> rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field

from catalog.contract import Contract, ContractError, Field
from quality import moments as moment
from quality.conditions import MAX_COUNTED, Condition
from quality.moments import Moments, Telling
from quality.place.coordinates import Coordinates
from quality.place.points import judge_point, points_of
from quality.place.shapes import judge_shape
from quality.plain import INTEGERS, YEARS, is_plain, is_seen_by_pattern
from warehouse.identifiers import literal, quoted

_MOMENTS = frozenset({"DATE", "TIMESTAMP"})
_TRUE = "['y', 'yes', '是', 'true', 't', '1']"
_FALSE = "['n', 'no', '否', 'false', 'f', '0']"


@dataclass(frozen=True)
class CompiledContract:
    """SQL pieces over a relation whose columns are `_t<n>` and `_s<n>`: the value of field n, text or native.

    `_t<n>` is the value as it came, `_s<n>` what it means (NULL for nothing, trimmed where blanks do not count).

    `read` are steps of `(column, expression)` over `_t<n>`, on which `_s<n>` may rest: the plain casts of texts, and
    the columns of `looks`, by field: whether a text is plain, so that its `_s<n>` is its `_t<n>`. `plain` are
    `(column _p<n>, expression)` over `_s<n>` and those; `judged` are steps of further columns, each over all before,
    in which shapes and points are judged; `typed` are `(field name, expression)` over all of them; `errors` refuse the
    row, `warnings` are only counted. The last two speak of all columns and of the typed fields by name.
    """

    read: tuple[tuple[tuple[str, str], ...], ...]
    looks: Mapping[str, str]
    plain: tuple[tuple[str, str], ...]
    judged: tuple[tuple[tuple[str, str], ...], ...]
    typed: tuple[tuple[str, str], ...]
    errors: tuple[Condition, ...]
    warnings: tuple[Condition, ...]


def compile_contract(
    contract: Contract,
    source_is_text: Mapping[str, bool],
    moments: Moments | None = None,
    coordinates: Mapping[str, Coordinates] | None = None,
    nulls: Sequence[str] = ("",),
) -> CompiledContract:
    """Compile all fields and rules.

    Args:
        contract: the data set's contract.
        source_is_text: for each field name whether its source value arrives as text; a field that is not
            in the mapping is missing from the source and becomes NULL.
        moments: how the source tells time; absent it is as in UTC, and no time is too late.
        coordinates: how the source tells positions, by geometry field or first field of a point; where it is not in
            the mapping, as the lake holds them.
        nulls: texts that mean nothing.

    Raises:
        ContractError: a code list is missing, or there are too many warnings to count.
    """
    times, places = moments or Moments(), coordinates or {}
    compiled = _Pieces()
    for number, field in enumerate(contract.fields):
        if field.name not in source_is_text:
            compiled.typed[field.name] = f"CAST(NULL AS {field.physical_type})"
            continue
        is_text = source_is_text[field.name]
        source, parsed = f"_s{number}", f"_p{number}"
        if field.is_geometry:
            place = places.get(field.name, Coordinates())
            shape = judge_shape(field, number, source, is_text=is_text, coordinates=place)
            compiled.judge(shape.steps, {field.name: shape.value}, shape.errors)
            compiled.told += shape.warnings
            continue
        telling = times.of(field.name)
        look = compiled.read_text(field, number, telling, nulls) if is_text else None
        expression = plain_cast(field, source, is_text=is_text, telling=telling)
        if expression != "NULL":
            # Almost always the text is what was read already.
            again = f"CASE WHEN {look} OR {source} = _t{number} THEN _r{number} ELSE {expression} END"
            compiled.plain.append((parsed, again if look else expression))
        compiled.typed[field.name] = cast(field, source, parsed, is_text=is_text, moments=times, look=look)
        compiled.errors += field_conditions(field, source, times.latest, look)
        if is_text and _moment_kind(field) and telling.tells == "local" and not telling.ignores_offset:
            compiled.told.append(Condition(f"offset:{field.name}", moment.has_offset(source, look)))
    _judge_points(contract, source_is_text, places, compiled)
    compiled.told += _at_changes(contract, source_is_text, times)
    rules = [(rule, Condition(f"rule:{rule.name}", f"NOT ({rule.expression})")) for rule in contract.rules]
    compiled.errors += [condition for rule, condition in rules if rule.severity == "error"]
    warnings = (*(condition for rule, condition in rules if rule.severity != "error"), *compiled.told)
    if len(warnings) > MAX_COUNTED:
        raise ContractError(
            f"has more than {MAX_COUNTED} rules of severity warning",
            where=str(contract.path),
            value=len(warnings),
            fix="join some of them",
        )
    return CompiledContract(
        tuple(tuple(step) for step in (compiled.readings, compiled.found_plain) if step),
        compiled.looks,
        tuple(compiled.plain),
        tuple(tuple(step) for step in compiled.judged),
        tuple(compiled.typed.items()),
        tuple(compiled.errors),
        warnings,
    )


@dataclass
class _Pieces:
    """What `compile_contract` has compiled so far."""

    readings: list[tuple[str, str]] = dataclass_field(default_factory=list)
    found_plain: list[tuple[str, str]] = dataclass_field(default_factory=list)
    looks: dict[str, str] = dataclass_field(default_factory=dict)
    plain: list[tuple[str, str]] = dataclass_field(default_factory=list)
    judged: list[list[tuple[str, str]]] = dataclass_field(default_factory=list)
    typed: dict[str, str] = dataclass_field(default_factory=dict)
    errors: list[Condition] = dataclass_field(default_factory=list)
    told: list[Condition] = dataclass_field(default_factory=list)

    def read_text(self, field: Field, number: int, telling: Telling, nulls: Sequence[str]) -> str | None:
        """Read a text as it came; the column that tells whether it is plain, None where that is not asked."""
        value, reading, look = f"_t{number}", f"_r{number}", f"_k{number}"
        condition = is_plain(field, value, reading, telling, nulls)
        if condition is None:
            return None
        expression = plain_cast(field, value, is_text=True, telling=telling)
        self.readings += [(reading, expression)] if expression != "NULL" else []
        self.found_plain.append((look, condition))
        self.looks[field.name] = look
        return look

    def judge(
        self, steps: Sequence[Sequence[tuple[str, str]]], values: Mapping[str, str], errors: Sequence[Condition]
    ) -> None:
        """Add what several columns judge; the first steps of all stand together, and so on."""
        for level, columns in enumerate(steps):
            self.judged += [[]] if level == len(self.judged) else []
            self.judged[level] += columns
        self.typed.update(values)
        self.errors += errors


def _judge_points(
    contract: Contract, source_is_text: Mapping[str, bool], places: Mapping[str, Coordinates], compiled: _Pieces
) -> None:
    """Judge the pairs of fields that are points, in place of what each field would say of its type and limits."""
    for point in points_of(contract):
        names = {field.name for field in (point.east, point.north)}
        read = {name: compiled.typed[name] for name in names & source_is_text.keys()}
        if not read:
            continue
        columns = judge_point(point, read, places.get(point.east.name, Coordinates()))
        replaced = {f"{rule}:{name}" for rule in ("type", "range") for name in names}
        compiled.errors = [condition for condition in compiled.errors if condition.rule not in replaced]
        compiled.judge(columns.steps, columns.values, columns.errors)


def _moment_kind(field: Field) -> bool:
    return field.physical_type.upper() in _MOMENTS


def _at_changes(contract: Contract, source_is_text: Mapping[str, bool], times: Moments) -> list[Condition]:
    """One condition for the row: a time lies where the city's clock, or the source's, skips or repeats an hour."""
    found: list[str | None] = []
    for number, field in enumerate(contract.fields):
        if field.name not in source_is_text or field.physical_type.upper() != "TIMESTAMP":
            continue
        found.append(moment.at_change(quoted(field.name), times.city))
        zone = times.of(field.name).zone
        if zone is not None and zone != times.city and times.of(field.name).tells in ("auto", "local"):
            found.append(moment.at_change(f"_p{number}", zone))
    broken = " OR ".join(condition for condition in found if condition)
    return [Condition("clock_change", broken)] if broken else []


def plain_cast(field: Field, source: str, *, is_text: bool, telling: Telling | None = None) -> str:
    """DuckDB's own cast of a source value, which `cast` then judges; a field that needs none gets NULL."""
    kind = field.physical_type.upper()
    if kind.startswith("VARCHAR") or (is_text and kind == "BOOLEAN"):
        return "NULL"
    if is_text and kind in _MOMENTS and telling is not None and telling.tells in moment.COUNTED:
        return moment.from_count(source, telling)
    # A cast of text to DATE ignores whatever follows the day, so a date is read as a time.
    if is_text and kind in _MOMENTS:
        return f"TRY_CAST({source} AS TIMESTAMP)"
    return f"TRY_CAST({source} AS {kind})"


def cast(
    field: Field, source: str, plain: str, *, is_text: bool, moments: Moments | None = None, look: str | None = None
) -> str:
    """The expression that turns a source value into the field's type, or NULL where it does not fit.

    Written so that nothing is changed silently. What DuckDB's plain cast would do, and this does not: round
    12.5 to an integer and 12.345 to two places, read 1_000, 0x1F and 1e3 as integers, take NaN and infinity
    for numbers, `epoch` and the year 24 for dates, cut the time (or any other text) off a date.

    A time that carries an offset (+08:00, Z) is turned into the city's time; a local one stays as it is written.
    `plain` is the column that holds `plain_cast`, so that it is computed once; `look` the one that tells whether the
    text is plain (`plain.is_plain`).
    """
    kind = field.physical_type.upper()
    if kind.startswith("VARCHAR"):
        return source if is_text else f"CAST({source} AS VARCHAR)"
    if kind in _MOMENTS:
        return _time(field, source, plain, is_text=is_text, moments=moments or Moments(), look=look)
    if not is_text:
        return _native_cast(kind, source, plain)
    if kind in INTEGERS:
        return _exact(source, plain, r"[0-9]+(\.0*)?", look)
    if kind.startswith(("DECIMAL", "NUMERIC")):
        return _exact(source, plain, rf"[0-9]*(\.[0-9]{{0,{_scale(kind)}}}0*)?", look)
    if kind in ("DOUBLE", "FLOAT"):
        return f"CASE WHEN isfinite({plain}) AND NOT contains({source}, '_') THEN {plain} END"
    if kind == "BOOLEAN":
        low = f"lower(trim({source}))"
        return (
            f"CASE WHEN {source} = '1' THEN true WHEN {source} = '0' THEN false"
            # Not IN: DuckDB would turn that into a join, which is computed for every row.
            f" WHEN list_contains({_TRUE}, {low}) THEN true WHEN list_contains({_FALSE}, {low}) THEN false END"
        )
    return plain


def _time(field: Field, source: str, plain: str, *, is_text: bool, moments: Moments, look: str | None) -> str:
    """A date or time of the city, by the way in which the source tells it."""
    kind, telling = field.physical_type.upper(), moments.of(field.name)
    if is_text and telling.tells in moment.COUNTED:
        years = "BETWEEN TIMESTAMP '1000-01-01' AND TIMESTAMP '9999-12-31'"
        at = moment.of_count(f"CASE WHEN {plain} {years} THEN {plain} END", telling, moments.city)
        if telling.tells == "excel":
            # Cells that a person typed as text stand among those with days.
            at = f"coalesce({at}, {_moment(field, 'TIMESTAMP', source, f'TRY_CAST({source} AS TIMESTAMP)')})"
        return at if kind == "TIMESTAMP" else f"coalesce({_whole_day(at)}, {_whole_day(plain)})"
    if not is_text:
        reading = _native_cast(kind, source, plain)
        return reading if kind == "DATE" else moment.from_native(reading, telling, moments.city)
    reading = _moment(field, kind, source, plain, look)
    if kind == "TIMESTAMP":
        return moment.from_reading(reading, source, telling, moments.city, look)
    if telling.tells == "local":
        return reading
    # A day may be written as the instant at which it begins in the city.
    written = _moment(field, "TIMESTAMP", source, plain)
    day = _whole_day(moment.from_reading(written, source, telling, moments.city))
    return f"coalesce({reading}, CASE WHEN {moment.has_offset(source, look)} THEN {day} END)"


def _whole_day(at: str) -> str:
    return f"CASE WHEN {at} = date_trunc('day', {at}) THEN CAST({at} AS DATE) END"


def _exact(source: str, plain: str, digits: str, look: str | None) -> str:
    """Numbers are mostly written as DuckDB writes them; only the others pay for the pattern."""
    pattern = rf"\s*[+-]?{digits}\s*"
    return (
        f"CASE WHEN {look or f'CAST({plain} AS VARCHAR) = {source}'} THEN {plain}"
        f" WHEN regexp_full_match({source}, {literal(pattern)}) THEN {plain} END"
    )


def _moment(field: Field, kind: str, source: str, plain: str, look: str | None = None) -> str:
    """A date or time in ISO form (or with slashes) with a year of four digits, or in a declared format."""
    # A word (`epoch`, `infinity`) starts beyond the digits.
    is_date = f"({source} BETWEEN '0' AND ':' OR ltrim({source}) < ':')"
    if kind == "DATE":
        is_date += f" AND {plain} = date_trunc('day', {plain})"
    # Unlike for numbers, DuckDB takes blanks only in front.
    trimmed = _trimmed(kind, source)
    known = f"WHEN {look} THEN CAST({plain} AS {kind}) " if look else ""
    iso = (
        f"CASE {known}WHEN {plain} {YEARS} AND {is_date} THEN CAST({plain} AS {kind})"
        f" WHEN ends_with({source}, ' ') THEN {trimmed} END"
    )
    if not field.formats:
        return iso
    formats = "[" + ", ".join(literal(f) for f in field.formats) + "]"
    parsed = f"try_strptime(trim({source}), {formats})"
    return f"coalesce({iso}, CASE WHEN {parsed} >= TIMESTAMP '1000-01-01' THEN CAST({parsed} AS {kind}) END)"


def _trimmed(kind: str, source: str) -> str:
    text = f"trim({source})"
    pattern = "[1-9][0-9]{3}[-/][0-9]{1,2}[-/][0-9]{1,2}" + ("" if kind == "DATE" else "([ T].*)?")
    return f"CASE WHEN regexp_full_match({text}, {literal(pattern)}) THEN TRY_CAST({text} AS {kind}) END"


def _native_cast(kind: str, source: str, plain: str) -> str:
    """A typed source value (Parquet, database) in another type, where that holds the same value."""
    if kind in INTEGERS or kind.startswith(("DECIMAL", "NUMERIC")):
        # Beyond these digits a double stands for several numbers, and its text is one that nobody wrote.
        is_exact = f"typeof({source}) NOT IN ('DOUBLE', 'FLOAT') OR abs({plain}) < 1e15"
        return f"CASE WHEN {plain} = {source} AND ({is_exact}) THEN {plain} END"
    if kind in ("DOUBLE", "FLOAT", "TIMESTAMP"):
        return f"CASE WHEN isfinite({plain}) THEN {plain} END"
    if kind == "BOOLEAN":
        return f"CASE WHEN CAST({plain} AS DOUBLE) = TRY_CAST({source} AS DOUBLE) THEN {plain} END"
    if kind == "DATE":
        whole = f"CAST({plain} AS TIMESTAMP) = TRY_CAST({source} AS TIMESTAMP)"
        return f"CASE WHEN isfinite({plain}) AND {whole} THEN {plain} END"
    return plain


def _scale(kind: str) -> int:
    """Digits after the point of DECIMAL(p, s); DuckDB's own default is 3."""
    inside = kind.partition("(")[2].rstrip(") ")
    if not inside:
        return 3
    return int(inside.partition(",")[2] or 0)


def field_conditions(field: Field, source: str, latest: str | None = None, look: str | None = None) -> list[Condition]:
    """The rules that one field's own declaration implies.

    `latest` is the last time of which its row can know, `look` the column that tells whether its text is plain.
    """
    name = quoted(field.name)
    text = name if field.physical_type.upper().startswith("VARCHAR") else f"CAST({name} AS VARCHAR)"
    conditions = [Condition(f"type:{field.name}", f"{source} IS NOT NULL AND {name} IS NULL")]
    if field.is_required:
        conditions.append(Condition(f"required:{field.name}", f"{source} IS NULL"))
    if latest is not None and _moment_kind(field) and not field.is_future_allowed:
        limit = latest if field.physical_type.upper() == "TIMESTAMP" else f"CAST({latest} AS DATE)"
        conditions.append(Condition(f"future:{field.name}", f"{name} > {limit}"))
    if field.pattern:
        pattern = f"NOT regexp_full_match({text}, {literal(field.pattern)})"
        if look and is_seen_by_pattern(field):
            pattern = f"NOT {look} AND {pattern}"
        conditions.append(Condition(f"pattern:{field.name}", pattern))
    if field.max_length is not None:
        conditions.append(Condition(f"length:{field.name}", f"length({text}) > {int(field.max_length)}"))
    bounds = [
        f"{name} {sign} {_bound(limit, field)}"
        for sign, limit in (("<", field.minimum), (">", field.maximum))
        if limit is not None
    ]
    if bounds:
        conditions.append(Condition(f"range:{field.name}", " OR ".join(bounds)))
    if field.code_list:
        codes = ", ".join(literal(code) for code in field.codes) or "NULL"
        conditions.append(Condition(f"code_list:{field.name}", f"NOT coalesce({text} IN ({codes}), {name} IS NULL)"))
    return conditions


def _bound(limit: float | str, field: Field) -> str:
    if isinstance(limit, int | float):
        return repr(limit)
    # YAML turns an unquoted date into a date.
    return f"CAST({literal(str(limit))} AS {field.physical_type})"
