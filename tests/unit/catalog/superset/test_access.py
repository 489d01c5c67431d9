"""The access rules: what the file may say, and what it becomes in Superset."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from catalog.serve.superset.access import (
    ANONYMOUS_ROLE,
    Access,
    AccessError,
    Unit,
    compile_access,
    faults,
    read_access,
    unit_role,
)
from catalog.serve.superset.ids import GUEST_ROLE

UNITS = [
    Unit("bureau", "城管局", None),
    Unit("team", "一大队", "bureau"),
    Unit("squad", "一中队", "team"),
    Unit("o'hara", "别的单位", None),
]


def compiled(access: Access | None = None) -> dict[str, object]:
    access = access or read_access()
    return compile_access(access, list(access.rows), list(access.dashboards), UNITS)


def rules(document: dict[str, object]) -> dict[str, dict[str, object]]:
    return {rule["name"]: rule for rule in document["rows"]}  # type: ignore[index, attr-defined]


def test_every_data_set_is_denied_by_default_in_both_languages() -> None:
    access = read_access()
    found = rules(compiled())
    for dataset in access.rows:
        rule = found[f"gridlake deny by default: {dataset}"]
        assert rule["type"] == "Base"
        assert rule["clause"] == "1 = 0"
        assert rule["datasets"] == [f"zh.{dataset}", f"en.{dataset}"]


def test_a_unit_sees_its_rows_and_those_of_the_units_below_it() -> None:
    found = rules(compiled())
    assert found["gridlake own: bureau"]["clause"] == "dept_id IN ('bureau', 'team', 'squad')"
    assert found["gridlake own: team"]["clause"] == "dept_id IN ('team', 'squad')"
    assert found["gridlake own: squad"]["roles"] == [unit_role("squad")]
    assert found["gridlake own_and_total: squad"]["clause"] == "dept_id IN ('squad', '*')"


def test_units_in_a_circle_do_not_loop() -> None:
    access = read_access()
    units = [Unit("a", "a", "b"), Unit("b", "b", "a")]
    document = compile_access(access, ["mart_case"], ["cases"], units)
    assert rules(document)["gridlake own: a"]["clause"] == "dept_id IN ('a', 'b')"


def test_a_unit_id_cannot_leave_its_clause() -> None:
    assert rules(compiled())["gridlake own: o'hara"]["clause"] == "dept_id IN ('o''hara')"


def test_strangers_and_guests_see_the_published_index_only() -> None:
    document = compiled()
    for role in document["roles"]:  # type: ignore[attr-defined]
        if role["name"] in (ANONYMOUS_ROLE, GUEST_ROLE):
            shown = {name.partition(".")[2] for name in role["datasets"]}
            assert shown == {"publication", "mart_public_index"}
            assert not role["is_sql_lab"]
            writes = {thing for action, thing in role["permissions"] if action not in ("can_read", "can_language_pack")}
            assert writes & {"Dashboard", "Chart", "Dataset", "Database", "Explore", "Datasource"} == set()
    opened = {slug for slug, roles in document["dashboards"].items() if ANONYMOUS_ROLE in roles}  # type: ignore[attr-defined]
    assert opened == {"public-index", "public-index-en"}


def test_only_analysts_and_stewards_write_sql() -> None:
    document = compiled()
    allowed = {role["name"] for role in document["roles"] if role["is_sql_lab"]}  # type: ignore[attr-defined]
    assert allowed == {"gridlake analyst", "gridlake steward"}
    for role in document["roles"]:  # type: ignore[attr-defined]
        may_execute = ["can_execute_sql_query", "SQLLab"] in role["permissions"]
        assert may_execute == (role["name"] in allowed)


def test_a_data_set_without_rule_is_refused() -> None:
    with pytest.raises(AccessError, match="mart_new"):
        compile_access(read_access(), ["mart_new"], [], UNITS)


def test_an_unknown_key_or_role_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "access.yml"
    document = yaml.safe_load((Path(__file__).parents[4] / "catalog/serve/superset/access.yml").read_text("utf-8"))
    document["rows"]["mart_case"]["mayor"] = "all"
    file.write_text(yaml.safe_dump(document))
    with pytest.raises(AccessError, match="mayor"):
        read_access(file)
    del document["rows"]["mart_case"]["mayor"]
    document["rows"]["mart_case"]["leader"] = "some"
    file.write_text(yaml.safe_dump(document))
    with pytest.raises(AccessError, match=r"rows\.mart_case\.leader"):
        read_access(file)


def test_a_dashboard_that_a_role_may_open_but_not_read_is_told() -> None:
    access = read_access()
    shown = {slug: ["mart_state"] for slug in access.dashboards} | {"cases": ["mart_check"], "new": []}
    found = faults(access, shown)
    assert "dashboard new: nobody may see it; name it in access.yml" in found
    assert "dashboard cases: role leader may open it but sees no rows of mart_check" in found
    assert not [fault for fault in found if "steward" in fault]
