"""Quality as asset checks: the contracts' rules on what landed, and Great Expectations on the key tables.

dbt's own tests become checks in `models`. All results are kept in `ops.quality_result`; a failing check shows
the keys of failing rows, never personal values.
"""

from collections.abc import Iterable, Iterator, Sequence

import dagster as dg

from catalog.contract import load_contracts
from pipelines.resources import LakeResource
from quality.contract_checks import contract_checks, covered
from quality.held_back import HOLDING_RULES
from quality.results import CheckResult, latest, position, record
from quality.suites.declared import KEY_MODELS, Suite, suites_of
from quality.suites.report import write_report
from quality.suites.start import run_suites
from warehouse.lake.session import open_lake
from warehouse.settings import Settings

CONTRACT = "contract"
BUILDABLE = "can_be_built_on"
SUITE = "great_expectations"


def checks(datasets: Sequence[str]) -> list[dg.AssetChecksDefinition]:
    """All checks that are not dbt's, for these data sets and the key tables of core."""
    return [_contract_checks(datasets), _suite_checks(datasets)]


def _contract_checks(datasets: Sequence[str]) -> dg.AssetChecksDefinition:
    specs = []
    for name in datasets:
        key = dg.AssetKey(["raw", name])
        specs.append(
            dg.AssetCheckSpec(
                BUILDABLE,
                asset=key,
                description="Accepted + quarantined = read; not too much is refused. Else nothing is built on it.",
            )
        )
        specs.append(dg.AssetCheckSpec(CONTRACT, asset=key, description="Freshness, warnings and unknown columns."))

    @dg.multi_asset_check(specs=specs, name="contract_checks", can_subset=True)
    def check(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> Iterator[dg.AssetCheckResult]:
        wanted = context.selected_asset_check_keys
        names = {key.asset_key.path[-1] for key in wanted}
        contracts = [c for c in load_contracts(lake.settings.city_path).values() if c.name in names]
        results = contract_checks(lake.settings, contracts)
        record(lake.settings, results, covering=covered(lake.settings, contracts))
        for key in sorted(wanted):
            is_blocking = key.name == BUILDABLE
            own = [
                r for r in results if r.dataset == key.asset_key.path[-1] and (r.rule in HOLDING_RULES) == is_blocking
            ]
            yield _as_check(key, own)

    return check


def _suite_checks(datasets: Sequence[str]) -> dg.AssetChecksDefinition:
    keys = [dg.AssetKey(["raw", name]) for name in datasets] + [dg.AssetKey(["core", name]) for name in KEY_MODELS]
    specs = [dg.AssetCheckSpec(SUITE, asset=key, description="The table's suite of expectations.") for key in keys]

    @dg.multi_asset_check(specs=specs, name="great_expectations", can_subset=True)
    def check(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> Iterator[dg.AssetCheckResult]:
        wanted = sorted(context.selected_asset_check_keys)
        names = {tuple(key.asset_key.path) for key in wanted}
        suites = [s for s in suites_of(lake.settings) if (s.layer, s.table) in names]
        known = _still_true(lake.settings, suites)
        changed = [s for s in suites if s.name not in {f"{r.layer}.{r.dataset}" for r in known}]
        results = [*known, *run_suites(lake.settings, changed)] if changed else known
        record(lake.settings, results, covering=lambda r: r.kind == "gx" and (r.layer, r.dataset) in names)
        if changed:
            context.log.info(f"report: {write_report(lake.settings, results)}")
        for key in wanted:
            layer, table = key.asset_key.path
            yield _as_check(key, [r for r in results if (r.layer, r.dataset) == (layer, table)])

    return check


def _still_true(settings: Settings, suites: Sequence[Suite]) -> list[CheckResult]:
    """The recorded results of raw suites over which nothing has landed since, so that an idle run costs nothing."""
    last = [r for r in latest(settings) if r.kind == "gx" and r.layer == "raw"]
    with open_lake(settings, read_only=True, spatial=False) as lake:
        positions = {s.name: position(lake, s.table) for s in suites if s.layer == "raw"}
    found: list[CheckResult] = []
    for suite in suites:
        own = [r for r in last if r.dataset == suite.table and r.data_position == positions.get(suite.name)]
        if suite.layer == "raw" and {r.rule for r in own} == {e.rule for e in suite.expectations}:
            found += own
    return found


def _as_check(key: dg.AssetCheckKey, results: Iterable[CheckResult]) -> dg.AssetCheckResult:
    own = list(results)
    failed = [r for r in own if not r.is_passed]
    has_error = any(r.severity == "error" for r in failed)
    metadata: dict[str, dg.MetadataValue] = {"rules": dg.MetadataValue.int(len(own))}
    if failed:
        metadata = {"failed": dg.MetadataValue.md("\n".join(_line(r) for r in failed)), **metadata}
    return dg.AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=not failed,
        severity=dg.AssetCheckSeverity.ERROR if has_error else dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )


def _line(result: CheckResult) -> str:
    keys = f" Rows: {', '.join(result.failed_keys)}" if result.failed_keys else ""
    return f"- **{result.rule}** ({result.severity}): {result.message}{keys}"
