"""dbt's own test results read into `CheckResult`s, from `run_results.json` and `manifest.json`.

dbt keeps only the count of failing rows; which rows they are is asked of the lake again with the compiled
SQL of the test, limited to the key columns of the tested table.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb

from catalog.contract import load_contracts
from quality.results import MAX_FAILED_KEYS, CheckResult, key_texts, position, without_values
from quality.texts import CheckText
from warehouse.errors import GridLakeError
from warehouse.identifiers import quoted
from warehouse.lake.session import open_lake
from warehouse.settings import Settings

# The column in which dbt's generic tests return the tested column's failing values.
_VALUE_COLUMNS = ("unique_field", "value_field", "from_field")
_JUDGED = ("pass", "fail", "warn", "error")


class DbtResultsError(GridLakeError):
    """dbt's result files are missing or cannot be read."""


def dbt_results(settings: Settings, target: Path, *, personal: Iterable[str] | None = None) -> list[CheckResult]:
    """The results of the data tests of the last dbt run, ordered by test; tests that were skipped are left out.

    Args:
        settings: of the lake that dbt built.
        target: dbt's target folder.
        personal: column names whose values are never shown; those of the city's contracts if absent.

    Raises:
        DbtResultsError: a file of the target folder is missing or no JSON.
        LakeError: there is no lake.
    """
    nodes = _read(target / "manifest.json")
    ran = _read(target / "run_results.json")["results"]
    nodes = {**nodes["nodes"], **nodes["sources"]}
    tests = sorted((r for r in ran if _is_judged_test(r, nodes)), key=lambda r: str(r["unique_id"]))
    if personal is None:
        contracts = load_contracts(settings.city_path).values()
        personal = {name for contract in contracts for name in contract.personal_fields}
    hidden = frozenset(personal)
    with open_lake(settings, read_only=True) as connection:
        connection.execute("USE lake")
        reader = _Reader(connection, nodes, hidden)
        return [reader.result(run) for run in tests]


def tests_of(target: Path) -> frozenset[str]:
    """The ids of all checks that dbt's models have, whether they ran or not.

    Raises:
        DbtResultsError: the manifest is missing or no JSON.
    """
    return frozenset(f"dbt.{name}" for name in _read(target / "manifest.json")["nodes"] if name.startswith("test."))


def _read(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise DbtResultsError("cannot be read", where=str(path), fix="run dbt build first") from None
    return document


def _is_judged_test(run: Mapping[str, Any], nodes: Mapping[str, Any]) -> bool:
    unique_id = str(run["unique_id"])
    return unique_id.startswith("test.") and unique_id in nodes and run["status"] in _JUDGED


class _Reader:
    """Turns single test runs into results, with one count a table."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, nodes: dict[str, Any], hidden: frozenset[str]) -> None:
        self._connection = connection
        self._nodes = nodes
        self._hidden = hidden
        self._position = position(connection)
        self._counts: dict[str, int | None] = {}

    def result(self, run: Mapping[str, Any]) -> CheckResult:
        node = self._nodes[run["unique_id"]]
        tested = self._tested(node)
        status = str(run["status"])
        failures = run.get("failures")
        failed = int(failures) if failures is not None else None
        is_passed = status == "pass"
        keys = () if is_passed or status == "error" else self._keys(node, tested, run)
        if status == "error":
            text = CheckText.of("not_run", without_values(str(run.get("message") or "")))
        else:
            text = CheckText.of("test_passed") if is_passed else CheckText.of("test_failed", failed)
        return CheckResult(
            check_id=f"dbt.{run['unique_id']}",
            kind="dbt",
            layer=str(tested.get("schema", "")),
            dataset=str(tested.get("name", "")),
            rule=_rule(node),
            severity="warning" if str(node["config"].get("severity", "")).lower() == "warn" else "error",
            is_passed=is_passed,
            checked_count=self._count(tested),
            failed_count=0 if is_passed and failed is None else failed,
            failed_keys=keys,
            text=text,
            data_position=self._position,
        )

    def _tested(self, node: Mapping[str, Any]) -> dict[str, Any]:
        """The node that a test is about: what it is attached to, else the first it reads."""
        wanted = [node.get("attached_node"), *node["depends_on"]["nodes"]]
        found = [self._nodes[name] for name in wanted if name in self._nodes]
        return dict(found[0]) if found else {}

    def _count(self, tested: Mapping[str, Any]) -> int | None:
        relation = tested.get("relation_name")
        # Counting a view would build it once more.
        if not relation or tested.get("config", {}).get("materialized") in ("view", "ephemeral"):
            return None
        if relation not in self._counts:
            try:
                ((count,),) = self._connection.execute(f"SELECT count(*) FROM {relation}").fetchall()
                self._counts[relation] = int(count)
            except duckdb.Error:
                self._counts[relation] = None  # the test's own status says what is wrong
        return self._counts[relation]

    def _keys(self, node: Mapping[str, Any], tested: Mapping[str, Any], run: Mapping[str, Any]) -> tuple[str, ...]:
        declared = tested.get("primary_key") or tested.get("meta", {}).get("key") or []
        key = [str(name) for name in declared if name not in self._hidden]
        failing = run.get("compiled_code") or node.get("compiled_code")
        if not key or not failing:
            return ()
        try:
            query = self._failing_keys(str(failing), node.get("column_name"), key, tested)
            rows = self._connection.execute(query).fetchall() if query else []
        except duckdb.Error:
            return ()  # the table has changed since the test ran
        return key_texts(dict(zip(key, row[: len(key)], strict=True)) for row in rows)

    def _failing_keys(self, failing: str, column: str | None, key: list[str], tested: Mapping[str, Any]) -> str | None:
        """SQL for the keys of failing rows: out of the test's own columns, or of the rows with the values it found."""
        returned = [str(row[0]) for row in self._connection.execute(f"DESCRIBE SELECT * FROM ({failing}\n)").fetchall()]
        columns = ", ".join(quoted(name) for name in key)
        tail = f"ORDER BY ALL LIMIT {MAX_FAILED_KEYS}"
        if set(key) <= set(returned):
            return f"SELECT DISTINCT {columns} FROM ({failing}\n) {tail}"
        relation = tested.get("relation_name")
        value = next((name for name in _VALUE_COLUMNS if name in returned), None)
        if relation and column and value:
            matches = f"{quoted(column)} IN (SELECT {value} FROM ({failing}\n))"
            return f"SELECT DISTINCT {columns} FROM {relation} WHERE {matches} {tail}"
        if relation and column and returned == [column]:  # not_null
            return f"SELECT DISTINCT {columns} FROM {relation} WHERE {quoted(column)} IS NULL {tail}"
        return None


def _rule(node: Mapping[str, Any]) -> str:
    test = node.get("test_metadata")
    if not test:
        return str(node["name"])
    column = node.get("column_name")
    return f"{test['name']}:{column}" if column else str(test["name"])
