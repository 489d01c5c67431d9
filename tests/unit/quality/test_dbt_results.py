from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from quality.dbt_results import DbtResultsError, dbt_results
from quality.results import CheckResult
from tests.unit.quality.lakes import opened
from warehouse.settings import Settings

PHONE = "13800138000"
MODEL = {
    "name": "fct_case",
    "schema": "core",
    "relation_name": '"lake"."core"."fct_case"',
    "primary_key": ["case_id"],
    "config": {"materialized": "table"},
}


def node(kind: str | None, column: str | None, sql: str, severity: str = "ERROR") -> dict[str, Any]:
    return {
        "name": "singular_test",
        "test_metadata": {"name": kind} if kind else None,
        "attached_node": "model.p.fct_case" if kind else None,
        "depends_on": {"nodes": ["model.p.fct_case"]},
        "column_name": column,
        "config": {"severity": severity},
        "compiled_code": sql,
    }


TESTS: dict[str, tuple[dict[str, Any], str, int | None, str | None]] = {
    "test.p.unique": (
        node("unique", "case_id", "select case_id as unique_field, 2 as n_records from core.fct_case where case_id=1"),
        "fail",
        1,
        "Got 1 result",
    ),
    "test.p.not_null": (
        node("not_null", "status", "select status from core.fct_case where status is null"),
        "fail",
        1,
        "Got 1 result",
    ),
    "test.p.accepted": (
        node(
            "accepted_values",
            "phone",
            f"with v as (select phone as value_field, 1 as n from core.fct_case)\nselect * from v"
            f" where value_field = '{PHONE}' -- planted",
            "WARN",
        ),
        "warn",
        1,
        "Got 1 result",
    ),
    "test.p.singular": (node(None, None, "select case_id, phone from core.fct_case"), "fail", 4, "Got 4 results"),
    "test.p.passed": (node("not_null", "case_id", "select 1"), "pass", 0, None),
    "test.p.broken": (
        node("unique", "phone", "select"),
        "error",
        None,
        f"Runtime Error: could not convert string '{PHONE}'\n  13800138000",
    ),
    "test.p.skipped": (node("unique", "phone", "select"), "skipped", None, None),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, CheckResult]:
    tmp_path = tmp_path_factory.mktemp("dbt")
    settings = Settings(home=tmp_path / "home", memory="600MB")
    with opened(settings) as lake:
        lake.write(
            "CREATE TABLE lake.core.fct_case AS FROM (VALUES (1, 'a', '1'), (1, 'a', '2'), (2, NULL, '3'),"
            f" (3, 'b', '{PHONE}')) AS t (case_id, status, phone)"
        )
    manifest = {"nodes": {"model.p.fct_case": MODEL} | {key: test[0] for key, test in TESTS.items()}, "sources": {}}
    runs = [
        {"unique_id": key, "status": status, "failures": failures, "message": message, "compiled_code": None}
        for key, (_, status, failures, message) in TESTS.items()
    ]
    runs.append({"unique_id": "model.p.fct_case", "status": "success", "failures": None, "message": "OK"})
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    (tmp_path / "run_results.json").write_text(json.dumps({"results": runs}), encoding="utf-8")
    found = dbt_results(settings, tmp_path, personal={"phone"})
    return {result.check_id.removeprefix("dbt.test.p."): result for result in found}


def test_each_judged_test_gives_one_result(results: dict[str, CheckResult]) -> None:
    assert set(results) == {"unique", "not_null", "accepted", "singular", "passed", "broken"}
    assert {(r.kind, r.layer, r.dataset, r.checked_count) for r in results.values()} == {("dbt", "core", "fct_case", 4)}
    assert results["unique"].rule == "unique:case_id"
    assert results["accepted"].severity == "warning"
    assert results["passed"].is_passed
    assert results["passed"].failed_count == 0


@pytest.mark.parametrize(
    ("test", "keys"),
    [
        ("unique", ("case_id=1",)),
        ("not_null", ("case_id=2",)),
        ("accepted", ("case_id=3",)),
        ("singular", ("case_id=1", "case_id=2", "case_id=3")),
        ("passed", ()),
    ],
)
def test_failing_rows_are_named_by_their_key(results: dict[str, CheckResult], test: str, keys: tuple[str, ...]) -> None:
    assert results[test].failed_keys == keys


def test_a_test_that_could_not_run_says_so_without_values(results: dict[str, CheckResult]) -> None:
    broken = results["broken"]
    assert (broken.is_passed, broken.failed_count) == (False, None)
    assert broken.message == "could not run: Runtime Error: could not convert string …"
    assert PHONE not in repr(results)


def test_missing_result_files_are_told(sqlite_settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(DbtResultsError, match="run dbt build first"):
        dbt_results(sqlite_settings, tmp_path)
