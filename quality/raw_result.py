"""How the checks of landed data make a result: its identity from the data set and the rule, its counts as texts."""

from __future__ import annotations

from catalog.contract import Contract
from quality.results import CheckResult, Kind, Severity
from quality.texts import CheckText


def raw_result(
    contract: Contract,
    rule: str,
    *,
    kind: Kind = "contract",
    severity: Severity,
    checked_count: int | None,
    failed_count: int,
    text: CheckText,
    position: int,
    failed_keys: tuple[str, ...] = (),
    is_passed: bool | None = None,
) -> CheckResult:
    """The result of one rule on one data set; it has passed when nothing failed, unless `is_passed` says otherwise."""
    return CheckResult(
        check_id=f"{kind}.raw.{contract.name}.{rule}",
        kind=kind,
        layer="raw",
        dataset=contract.name,
        rule=rule,
        severity=severity,
        is_passed=failed_count == 0 if is_passed is None else is_passed,
        checked_count=checked_count,
        failed_count=failed_count,
        failed_keys=failed_keys,
        text=text,
        data_position=position,
    )


def share_text(part: int, whole: int) -> tuple[int, int, str]:
    """A part, the whole, and the part in percent."""
    """Part, whole and the part in percent, for a text."""
    return part, whole, f"{part / whole:.2%}" if whole else "0%"
