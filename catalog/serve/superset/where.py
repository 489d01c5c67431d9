"""Fixed conditions of charts and filters, as Superset writes them and as SQL."""

from __future__ import annotations

from typing import Any

from catalog.serve.superset.definition import Condition, Scalar, Where
from catalog.serve.superset.marts import Model
from warehouse.identifiers import literal, quoted

_OPERATOR_IDS = {
    "==": "EQUALS",
    "!=": "NOT_EQUALS",
    "IN": "IN",
    "NOT IN": "NOT_IN",
    ">=": "GREATER_THAN_OR_EQUAL",
    "<": "LESS_THAN",
    "IS NULL": "IS_NULL",
    "IS NOT NULL": "IS_NOT_NULL",
    "IS TRUE": "IS_TRUE",
    "IS FALSE": "IS_FALSE",
}


def adhoc_filters(where: Where, model: Model) -> list[dict[str, Any]]:
    """One simple filter for each condition, in the order they are written."""
    return [
        _adhoc(column, operator, value, model)
        for column, condition in where.items()
        for operator, value in _operations(condition)
    ]


def sql_conditions(where: Where) -> list[str]:
    """The same conditions as SQL, in the same order."""
    return [
        f"{quoted(column)} {operator}{_operand(value)}"
        for column, condition in where.items()
        for operator, value in _operations(condition)
    ]


def _operand(value: Any) -> str:
    if isinstance(value, list):
        return f" ({', '.join(literal(str(each)) for each in value)})"
    return "" if value is None else f" {literal(str(value))}"


def _operations(condition: Scalar | list[Scalar] | Condition) -> list[tuple[str, Any]]:
    if not isinstance(condition, Condition):
        return [_equality(condition)]
    found: list[tuple[str, Any]] = []
    if "not_" in condition.model_fields_set:
        operator, value = _equality(condition.not_)
        opposite = {"==": "!=", "IN": "NOT IN", "IS NULL": "IS NOT NULL", "IS TRUE": "IS FALSE", "IS FALSE": "IS TRUE"}
        found.append((opposite[operator], value))
    if condition.from_ is not None:
        found.append((">=", condition.from_))
    if condition.below is not None:
        found.append(("<", condition.below))
    if condition.known is not None:
        found.append(("IS NOT NULL" if condition.known else "IS NULL", None))
    return found


def _equality(value: Scalar | list[Scalar]) -> tuple[str, Any]:
    if value is None:
        return "IS NULL", None
    if isinstance(value, bool):
        return ("IS TRUE" if value else "IS FALSE"), None
    return ("IN" if isinstance(value, list) else "=="), value


def _adhoc(column: str, operator: str, value: Any, model: Model) -> dict[str, Any]:
    return {
        "clause": "WHERE",
        "expressionType": "SIMPLE",
        "subject": column,
        "operator": operator,
        "operatorId": _OPERATOR_IDS[operator],
        "comparator": value,
        "filterOptionName": f"filter_{model.name}_{column}_{_OPERATOR_IDS[operator].lower()}",
    }
