"""The access rules keep what is promised (`policy`, written by hand), and rules that do not are found out."""

from __future__ import annotations

from pathlib import Path

import policy
import pytest
import yaml

from catalog.serve.superset.access import ACCESS_FILE, read_access
from warehouse.settings import PROJECT_ROOT


def test_the_rules_keep_every_promise() -> None:
    assert policy.broken(read_access()) == []


def test_no_page_can_show_what_identifies_a_person() -> None:
    shown = set()
    for file in (PROJECT_ROOT / "dbt" / "models" / "mart").glob("*.yml"):
        for model in yaml.safe_load(file.read_text(encoding="utf-8")).get("models", []):
            shown |= {column["name"] for column in model.get("columns", [])}
    assert len(shown) > 100
    assert shown & policy.NEVER_SHOWN == set()


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (
            "mart_delivery: {steward: all, analyst: all}",
            "mart_delivery: {steward: all, analyst: all, leader: all}",
            "leader sees all of mart_delivery",
        ),
        (
            "mart_case: {steward: all, analyst: all, leader: all, department: own}",
            "mart_case: {steward: all, analyst: all, leader: all, department: all}",
            "department sees all of mart_case",
        ),
        (
            "mart_permit: {steward: all, analyst: all, leader: all, department: own}",
            "mart_permit: {steward: all, analyst: all, leader: all, department: own, public: all}",
            "public sees all of mart_permit",
        ),
        (
            "mart_index: {steward: all, analyst: all, leader: all, department: own_and_total}",
            "mart_index: {steward: all, analyst: all, leader: all, department: own}",
            "department sees own of mart_index",
        ),
        ("data-health: [steward, analyst]", "data-health: [steward, analyst, leader]", "page data-health"),
        ("    per_unit: true\n", "    per_unit: true\n    sql_lab: true\n", "SQL Lab"),
        ("can_csv, can_fetch", "can_csv, can_explore, can_fetch", "can_explore on Superset"),
        ("SecurityRestApi: [can_read]", "SecurityRestApi: [can_read, can_grant_guest_token]", "can_grant_guest_token"),
    ],
)
def test_rules_that_open_something_are_found_out(tmp_path: Path, before: str, after: str, told: str) -> None:
    text = ACCESS_FILE.read_text(encoding="utf-8")
    assert text.count(before) == 1
    changed = tmp_path / "access.yml"
    changed.write_text(text.replace(before, after), encoding="utf-8")
    assert any(told in problem for problem in policy.broken(read_access(changed)))
