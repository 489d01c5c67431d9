"""Expectation suites of key tables: raw tables from their contracts, core tables from the models' yml.

A suite is declared here as plain data and run by Great Expectations (`start`); landing and dbt judge
the same rules on their way, so a suite that fails says that a table is not what its declaration promises.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from catalog.contract import Contract, Field, load_contracts
from quality.place.shapes import outside
from quality.results import Severity
from quality.rules import field_conditions
from warehouse.identifiers import literal, quoted
from warehouse.settings import PROJECT_ROOT, Settings

CORE_MODELS = PROJECT_ROOT / "dbt" / "models" / "core"
KEY_MODELS = ("fct_case", "dim_component", "dim_grid", "fct_permit")


@dataclass(frozen=True)
class Expectation:
    """One demand on a table.

    `kind` says which parts count: `not_null` and `unique` take `column`; `in_set` takes `column` and `values`;
    `between` takes `column`, `minimum` and `maximum` (inclusive); `no_rows` takes `broken`, a SQL boolean
    that is true for a row that breaks the demand.
    """

    rule: str
    kind: Literal["not_null", "unique", "in_set", "between", "no_rows"]
    column: str = ""
    values: tuple[Any, ...] = ()
    minimum: float | str | None = None
    maximum: float | str | None = None
    broken: str = ""
    severity: Severity = "error"


@dataclass(frozen=True)
class Suite:
    """All demands on one table of the lake; `key` are the columns that name a failing row and hold no personal data."""

    layer: str
    table: str
    key: tuple[str, ...]
    expectations: tuple[Expectation, ...]

    @property
    def name(self) -> str:
        """The suite's name, `<layer>.<table>`."""
        return f"{self.layer}.{self.table}"


def suites_of(settings: Settings, models: Path = CORE_MODELS) -> list[Suite]:
    """The suites of the lake's city: its raw tables, then the key tables of core."""
    contracts = load_contracts(settings.city_path).values()
    return [raw_suite(contract) for contract in contracts] + core_suites(models)


def raw_suite(contract: Contract) -> Suite:
    """The suite of a raw table.

    The contract's key is not demanded to be unique: `raw` keeps every state. A place in a delivery is.
    """
    expectations = [e for field in contract.fields for e in _field_expectations(field)]
    expectations += [
        Expectation(f"rule:{rule.name}", "no_rows", broken=f"NOT ({rule.expression})")
        for rule in contract.rules
        if rule.severity == "error"
    ]
    expectations += [Expectation(f"required:{name}", "not_null", name) for name in ("_delivery_id", "_load_seq")]
    twice = (
        "_source_row IS NOT NULL AND (_delivery_id, _source_row) IN (SELECT (_delivery_id, _source_row)"
        f" FROM lake.raw.{contract.name} GROUP BY _delivery_id, _source_row HAVING count(*) > 1)"
    )
    expectations.append(Expectation("unique:_delivery_id,_source_row", "no_rows", broken=twice))
    shown = tuple(name for name in contract.key if name not in contract.personal_fields)
    return Suite("raw", contract.name, shown or ("_delivery_id", "_source_row"), tuple(expectations))


def _field_expectations(field: Field) -> list[Expectation]:
    expectations = []
    if field.is_required:
        expectations.append(Expectation(f"required:{field.name}", "not_null", field.name))
    if field.code_list:
        expectations.append(Expectation(f"code_list:{field.name}", "in_set", field.name, values=field.codes))
    if field.minimum is not None or field.maximum is not None:
        expectations.append(
            Expectation(f"range:{field.name}", "between", field.name, minimum=field.minimum, maximum=field.maximum)
        )
    if field.extent is not None:
        expectations.append(Expectation(f"range:{field.name}", "no_rows", field.name, broken=outside(field)))
    # Great Expectations' own regular expressions do not reach DuckDB; the compiled contract's SQL does.
    expectations += [
        Expectation(condition.rule, "no_rows", field.name, broken=condition.broken)
        for condition in field_conditions(field, quoted(field.name))
        if condition.rule.startswith(("pattern:", "length:"))
    ]
    return expectations


def core_suites(models: Path = CORE_MODELS, names: Iterable[str] = KEY_MODELS) -> list[Suite]:
    """The suites of core tables, from the tests not_null, unique and accepted_values of their models' yml."""
    wanted = list(names)
    found: dict[str, Suite] = {}
    for path in sorted([*models.rglob("*.yml"), *models.rglob("*.yaml")]):
        document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        for model in document.get("models") or []:
            if model.get("name") in wanted:
                found[model["name"]] = _model_suite(model)
    return [found[name] for name in wanted if name in found and found[name].expectations]


def _model_suite(model: dict[str, Any]) -> Suite:
    expectations: list[Expectation] = []
    for column in model.get("columns") or []:
        for test in [*(column.get("data_tests") or []), *(column.get("tests") or [])]:
            expectation = _test_expectation(str(column["name"]), test)
            if expectation is not None:
                expectations.append(expectation)
    unique = [e.column for e in expectations if e.kind == "unique" and e.column]
    # Without a column that is unique by itself, the filled identifiers name a row as well as they can.
    filled = [e.column for e in expectations if e.kind == "not_null" and e.column.endswith("_id")]
    return Suite("core", str(model["name"]), tuple(unique[:1] or filled[:2]), tuple(expectations))


def _test_expectation(column: str, test: str | dict[str, Any]) -> Expectation | None:
    name, options = (test, {}) if isinstance(test, str) else next(iter(test.items()))
    options = options or {}
    config = options.get("config") or {}
    where = config.get("where") or options.get("where")
    severity: Severity = "warning" if str(config.get("severity", "error")).lower() == "warn" else "error"
    if where and "{{" in where:
        return None  # only dbt can read it, and dbt tests it
    name_sql = quoted(column)
    scope = f"({where}) AND " if where else ""
    if name == "not_null":
        if scope:
            return Expectation(f"not_null:{column}", "no_rows", column, broken=f"{scope}{name_sql} IS NULL")
        return Expectation(f"not_null:{column}", "not_null", column, severity=severity)
    if name == "unique" and not scope:
        return Expectation(f"unique:{column}", "unique", column, severity=severity)
    values = (options.get("arguments") or options).get("values")
    if name == "accepted_values" and isinstance(values, list):
        rule = f"accepted_values:{column}"
        if scope:
            listing = ", ".join(literal(str(value)) for value in values)
            broken = f"{scope}CAST({name_sql} AS VARCHAR) NOT IN ({listing})"
            return Expectation(rule, "no_rows", column, broken=broken, severity=severity)
        return Expectation(rule, "in_set", column, values=tuple(values), severity=severity)
    return None
