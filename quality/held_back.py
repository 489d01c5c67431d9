"""Data sets on which nothing is built until they are mended: what landed of them would make every later layer wrong."""

from __future__ import annotations

from collections.abc import Iterable

from quality.results import CheckResult

# Counts that do not add up, or a run of deliveries that is mostly bad.
HOLDING_RULES = ("balance", "quarantine_share")


def holding(results: Iterable[CheckResult]) -> list[CheckResult]:
    """Those of the newest results that hold back what depends on their data set."""
    return [r for r in results if r.rule in HOLDING_RULES and r.severity == "error" and not r.is_passed]
