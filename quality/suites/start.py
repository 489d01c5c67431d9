"""Running suites, for those who declare and schedule them: Great Expectations itself is imported only when one runs."""

from __future__ import annotations

from collections.abc import Iterable

from quality.results import CheckResult
from quality.suites.declared import Suite
from warehouse.settings import Settings


def run_suites(settings: Settings, suites: Iterable[Suite]) -> list[CheckResult]:
    """The results of several suites, one a demand, in their order; Great Expectations is imported (about 3 s) once.

    A table that is not in the lake gives one failed result `table_exists`.

    Raises:
        LakeError: there is no lake.
    """
    from quality.suites.run import run

    return run(settings, list(suites))
