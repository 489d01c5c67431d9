"""Taking deliveries back from the command line: what is named, what is told, what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from catalog.contract import load_contracts
from pipelines.command.app import app
from pipelines.landing.land import land
from pipelines.sources.declared import load_sources
from warehouse.lake.session import open_lake
from warehouse.settings import Settings, load_settings

runner = CliRunner()
HEADER = "部门编码,部门名称,英文名称,上级部门,部门类别\n"


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A lake of the made-up city with two lists of units; its home and folder are set in the environment."""
    for name in ("home", "data"):
        monkeypatch.setenv(f"GRIDLAKE_{name.upper()}", str(tmp_path / name))
    settings = load_settings()
    system = next(one for one in load_sources("demo") if one.system == "department_drops")
    for number, names in ((1, ("a", "b")), (2, ("a", "c"))):
        path = settings.data_path / f"staff_office/department_{number}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEADER + "".join(f"{name},{name}{number},x,,bureau\n" for name in names), encoding="utf-8")
        assert land(settings, system, "department_list", load_contracts("demo")["department_list"]).refusals == ()
    return settings


def said(*arguments: str, status: int = 0) -> str:
    result = runner.invoke(app, list(arguments))
    assert result.exit_code == status, result.output
    return result.output


def names(settings: Settings) -> list[str]:
    with open_lake(settings, read_only=True) as connection:
        rows = connection.execute("SELECT dept_name FROM lake.raw.department_list ORDER BY 1").fetchall()
    return [name for (name,) in rows]


def test_from_the_list_of_deliveries_to_a_withdrawal_and_back(lake: Settings) -> None:
    listed = said("deliveries", "department_list", "--limit", "1")
    assert "staff_office/department_2.csv" in listed
    assert "department_1.csv" not in listed
    assert "1 deliveries (there may be more: raise --limit)" in listed
    (delivery,) = re.findall(r"department_list-[0-9a-f]{20}", listed)

    tried = said("withdraw", delivery, "--reason", "a draft", "--dry-run")
    assert f"would be withdrawn: {delivery} (staff_office/department_2.csv)" in tried
    assert re.search(r"keys that vanish\s+│\s+1 ", tried)
    assert names(lake) == ["a1", "a2", "b1", "c2"]

    done = said("withdraw", delivery[:-4], "--reason", "a draft", "--no-build")
    assert "withdrawn as 3" in done
    assert "core and indicator were left as they are" in done
    assert names(lake) == ["a1", "b1"]
    assert "was withdrawn before, as 3" in said("withdraw", delivery, "--reason", "again", "--dry-run")
    assert "withdrawn (3)" in said("deliveries", "--source", "department_drops")
    assert "3  " + delivery in said("withdrawals", "list")
    assert "a draft (2 rows, 0 refused, 0 gone;" in said("withdrawals", "list")

    assert f"brought back: {delivery}" in said("withdrawals", "undo", "3", "--reason", "it was final", "--no-build")
    assert names(lake) == ["a1", "a2", "b1", "c2"]
    listed = said("withdrawals", "list")
    assert "; undone: it was final (" in listed
    assert "0 withdrawals are in force" in listed


def test_what_cannot_be_withdrawn_is_told_in_one_line(lake: Settings) -> None:
    assert "no delivery has this id" in said("withdraw", "nothing", "--reason", "r", status=1)
    assert "--reason: is empty" in said("withdraw", "department_list", "--reason", " ", status=1)
    assert "2 deliveries have this id" in said("withdraw", "department_list", "--reason", "r", status=1)
    assert "there is no such withdrawal (value: 9)" in said("withdrawals", "undo", "9", "--reason", "r", status=1)
    assert said("withdraw", "department_list", status=2)
    assert names(lake) == ["a1", "a2", "b1", "c2"]
