"""What every model, code list and contract has to say about itself."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import yaml

from catalog.contract import load_contracts
from tests.conventions.pages import ROOT

DBT = ROOT / "dbt"


def described(folder: Path, kind: str) -> dict[str, dict[str, Any]]:
    """The entries of one kind (models, seeds) in the yml files below a folder, by name."""
    return {
        entry["name"]: entry
        for path in folder.rglob("*.yml")
        for entry in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get(kind) or []
    }


def test_every_model_says_what_one_row_is() -> None:
    told = described(DBT / "models", "models")
    models = {path.stem for path in (DBT / "models").rglob("*.sql")}
    assert len(models) > 20
    without = [m for m in sorted(models) if "one row is" not in str(told.get(m, {}).get("description", "")).lower()]
    assert without == [], "add a description that begins with: One row is"
    assert sorted(told.keys() - models) == [], "described, but there is no such model"


def test_every_standard_code_list_says_what_one_row_is() -> None:
    told = described(DBT / "seeds" / "standards", "seeds")
    lists = {path.stem for path in (DBT / "seeds" / "standards").glob("*.csv")}
    told |= described(DBT / "seeds" / "contracts", "seeds")
    lists |= {"data_set", "data_item", "source_system", "source_record"}
    assert [
        name for name in sorted(lists) if "one row is" not in told.get(name, {}).get("description", "").lower()
    ] == []


def test_every_table_that_is_asked_promises_its_columns() -> None:
    """Views between staging and core promise none: their columns are those of the feeds."""
    promised = [
        (name, model)
        for layer in ("core", "indicator", "mart")
        for name, model in described(DBT / "models" / layer, "models").items()
        if not (DBT / "models/core/versions" / f"{name}.sql").exists()
    ]
    assert promised
    without = [
        name
        for name, model in promised
        if not model["config"]["contract"]["enforced"] or not all(c.get("description") for c in model["columns"])
    ]
    assert without == []


def test_no_model_macro_or_check_names_an_indicator() -> None:
    """A city changes its indicators in the definitions alone; SQL that knew one by its code would fail or lie then."""
    with (DBT / "seeds/standards/indicator_definition.csv").open(encoding="utf-8", newline="") as handle:
        codes = "|".join({re.escape(row["code"]) for row in csv.DictReader(handle)})
    named = {
        path.relative_to(DBT).as_posix(): found
        for folder in ("models", "macros", "tests")
        for path in (DBT / folder).rglob("*.sql")
        if (found := re.findall(rf"'({codes})'", path.read_text(encoding="utf-8")))
    }
    assert named == {}, "find the indicator by its measures or by a column of its definition"


def test_every_contract_says_what_one_row_is() -> None:
    assert [c.name for c in load_contracts().values() if not c.grain.startswith("one row is ")] == []


def test_every_personal_field_is_restricted_and_every_restriction_has_a_reason() -> None:
    fields = [(contract.name, field) for contract in load_contracts().values() for field in contract.fields]
    assert [f"{name}.{f.name}" for name, f in fields if f.personal_data and not f.restriction] == []
    assert [
        f"{name}.{f.name}" for name, f in fields if f.restriction and not (f.restriction_reason or "").strip()
    ] == []


def test_every_data_set_that_is_not_free_gives_a_reason() -> None:
    assert [
        c.name
        for c in load_contracts().values()
        if c.sharing_type != "unconditional" and not (c.sharing_reason or "").strip()
    ] == []


def test_no_personal_field_reaches_what_is_asked() -> None:
    personal = {name for contract in load_contracts().values() for name in contract.personal_fields}
    columns = {
        f"{name}.{column['name']}"
        for layer in ("core", "indicator", "mart")
        for name, model in described(DBT / "models" / layer, "models").items()
        for column in model.get("columns") or []
        if column["name"] in personal
    }
    # A component's name and its position are those of a thing; the contract speaks of the same words for a person.
    assert columns == set()
