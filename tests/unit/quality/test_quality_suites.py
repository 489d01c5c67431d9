from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from catalog.contract import Contract, load_contracts
from quality.results import CheckResult
from quality.suites.declared import Suite, core_suites, raw_suite, suites_of
from quality.suites.report import KEPT_RUNS, write_report
from quality.suites.start import run_suites
from tests.unit.catalog.samples import contract as make_contract
from tests.unit.catalog.samples import field, set_custom, sound
from tests.unit.quality.lakes import Row, opened
from warehouse.settings import PROJECT_ROOT, Settings

PHONE = "13800138000"
BAD_PHONE = "99913800138000"
ROWS: list[Row] = [
    ("AB:0001", PHONE, 1, "2026-01-01 08:00:00", "2026-01-02 08:00:00"),
    ("B0002", None, 5, None, None),
    ("bad pattern", PHONE, 1, None, None),
    ("C0003", BAD_PHONE, 1, None, None),
    ("D0004", PHONE, None, None, None),
    ("E0005", PHONE, 9, None, None),
    ("F0006", PHONE, 1, "1999-01-01 00:00:00", None),
    ("G0007", PHONE, 1, "2026-02-01 00:00:00", "2026-01-01 00:00:00"),
    ("H0000008888", PHONE, 1, None, None),
]
MODELS = """
models:
  - name: fct_case
    columns:
      - name: case_id
        data_tests: [unique, not_null]
      - name: status_code
        data_tests:
          - accepted_values: {arguments: {values: [open, closed]}, config: {severity: warn}}
      - name: district_id
        data_tests:
          - not_null: {config: {where: "status_code = 'open'"}}
          - relationships: {arguments: {to: ref('dim_area'), field: area_id}}
  - name: int_helper
    columns: [{name: x, data_tests: [unique]}]
  - name: dim_grid
    columns: [{name: grid_id, tests: [not_null]}]
"""


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, list[CheckResult]]:
    """A lake with a bad row for each rule, and the results of its suites; Great Expectations runs once."""
    folder = tmp_path_factory.mktemp("suites")
    contract = make_contract(folder / "contracts")
    settings = Settings(home=folder / "home", memory="600MB")
    with opened(settings) as lake:
        lake.make_tables(contract)
        lake.land(contract.name, ROWS)
        lake.land(contract.name, [("J0010", PHONE, 1, None, None)], seq=2)
        # One row twice in one delivery.
        lake.write("INSERT INTO lake.raw.hotline_case FROM lake.raw.hotline_case WHERE order_no = 'J0010'")
        lake.write(
            "CREATE TABLE lake.core.fct_case AS FROM (VALUES ('1', 'open', NULL), ('1', 'closed', NULL),"
            " (NULL, 'lost', 'd')) AS t (case_id, status_code, district_id)"
        )
    (folder / "models").mkdir()
    (folder / "models" / "core.yml").write_text(MODELS, encoding="utf-8")
    suites = [raw_suite(contract), *core_suites(folder / "models")]
    return settings, run_suites(settings, suites)


@pytest.mark.parametrize(
    ("rule", "keys"),
    [
        ("pattern:order_no", ("order_no=H0000008888", "order_no=bad pattern")),
        ("length:order_no", ("order_no=H0000008888", "order_no=bad pattern")),
        ("pattern:phone", ("order_no=C0003",)),
        ("required:urgency", ("order_no=D0004",)),
        ("range:urgency", ("order_no=E0005",)),
        ("range:reported_at", ("order_no=F0006",)),
        ("rule:closed_after_reported", ("order_no=G0007",)),
        ("unique:_delivery_id,_source_row", ("order_no=J0010",)),
    ],
)
def test_a_bad_row_fails_its_rule_and_is_named_by_its_key(
    checked: tuple[Settings, list[CheckResult]], rule: str, keys: tuple[str, ...]
) -> None:
    (result,) = [r for r in checked[1] if r.rule == rule]
    assert not result.is_passed, result.message
    assert result.failed_keys == keys
    assert result.checked_count == len(ROWS) + 2
    assert result.data_position == 2
    assert result.check_id == f"gx.raw.hotline_case.{rule}"


def test_what_holds_passes(checked: tuple[Settings, list[CheckResult]]) -> None:
    passed = {r.rule for r in checked[1] if r.is_passed and r.layer == "raw"}
    assert passed == {"required:order_no", "required:_delivery_id", "required:_load_seq"}


def test_core_tables_are_judged_by_the_tests_of_their_yml(checked: tuple[Settings, list[CheckResult]]) -> None:
    core = {r.rule: r for r in checked[1] if r.dataset == "fct_case"}
    assert {rule: (r.is_passed, r.failed_keys, r.severity) for rule, r in core.items()} == {
        "unique:case_id": (False, ("case_id=1",), "error"),
        "not_null:case_id": (False, ("case_id=None",), "error"),
        "accepted_values:status_code": (False, ("case_id=None",), "warning"),
        "not_null:district_id": (False, ("case_id=1",), "error"),
    }


def test_a_missing_table_is_a_failed_check(checked: tuple[Settings, list[CheckResult]]) -> None:
    (missing,) = [r for r in checked[1] if r.dataset == "dim_grid"]
    assert (missing.rule, missing.is_passed) == ("table_exists", False)


def test_no_personal_value_leaves_the_suites(checked: tuple[Settings, list[CheckResult]], tmp_path: Path) -> None:
    settings, results = checked
    page = write_report(settings, results)
    told = repr(results) + page.read_text(encoding="utf-8") + page.with_suffix(".json").read_text(encoding="utf-8")
    assert "order_no=C0003" in told
    assert PHONE not in told


def test_the_report_is_readable_and_old_ones_go(checked: tuple[Settings, list[CheckResult]], tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    nasty = replace(checked[1][0], is_passed=False, failed_keys=("order_no=<script>",))
    for minute in range(KEPT_RUNS + 2):
        page = write_report(settings, [nasty], at=datetime(2026, 1, 1, minute // 60, minute % 60))
    assert len(list(page.parent.glob("*.html"))) == len(list(page.parent.glob("*.json"))) == KEPT_RUNS
    assert "&lt;script&gt;" in page.read_text(encoding="utf-8")
    assert json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))["results"][0]["rule"] == nasty.rule


def test_a_demand_that_cannot_be_evaluated_fails_without_values(
    checked: tuple[Settings, list[CheckResult]], tmp_path: Path
) -> None:
    document = sound()
    field(document, "phone")["logicalTypeOptions"] = {}
    document["schema"][0]["quality"][0]["implementation"] = "CAST(phone AS INTEGER) > 0"
    suite = raw_suite(make_contract(tmp_path, document))
    broken = [e for e in suite.expectations if e.rule == "rule:closed_after_reported"]
    (result,) = run_suites(checked[0], [replace(suite, expectations=tuple(broken))])
    assert not result.is_passed
    assert "could not be evaluated" in result.message
    assert PHONE not in repr(result)
    assert BAD_PHONE not in repr(result)


def test_a_personal_key_is_never_shown(tmp_path: Path) -> None:
    document = sound()
    entries = field(document, "order_no").setdefault("customProperties", [])
    set_custom(entries, "personalData", "id")
    assert raw_suite(make_contract(tmp_path, document)).key == ("_delivery_id", "_source_row")


def test_every_contract_and_key_model_of_the_project_has_a_suite() -> None:
    for city in ("demo", "washington_dc"):
        suites = {suite.name: suite for suite in suites_of(Settings(city=city))}
        contracts: dict[str, Contract] = load_contracts(city)
        assert {f"raw.{name}" for name in contracts} <= set(suites)
        for name, contract in contracts.items():
            suite: Suite = suites[f"raw.{name}"]
            assert not contract.personal_fields & set(suite.key)
            assert len({e.rule for e in suite.expectations}) == len(suite.expectations)


def test_importing_quality_does_not_import_great_expectations() -> None:
    imports = "import sys, quality.suites.declared, quality.suites.start, quality.results, quality.contract_checks"
    code = f"{imports}; print('great_expectations' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
