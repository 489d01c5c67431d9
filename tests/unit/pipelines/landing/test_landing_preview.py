"""What people see of a landed data set before they may ask for it: a few rows, and nobody's personal values."""

from __future__ import annotations

from pathlib import Path

from pipelines.landing.preview import preview
from tests.unit.pipelines.landing.landings import contract, field, files
from warehouse.settings import Settings


def test_personal_values_are_masked_whoever_may_see_them(sqlite_settings: Settings, tmp_path: Path) -> None:
    described = contract(
        field("order_no", is_required=True, key_position=1),
        field("caller", personal_data="contact", restriction="hidden", restriction_reason="identifies the caller"),
        field("phone", personal_data="contact", restriction="masked", restriction_reason="reaches the caller"),
        field("note"),
    )
    place = files(sqlite_settings, tmp_path / "drops").with_contract(described)
    place.drop("a.csv", "order_no,caller,phone,note\n1,Wang Fang,13800000000,fine\n2,,,a|b\n")
    place.land()
    total, shown = preview(sqlite_settings, described)
    assert total == 2
    assert sorted(shown.splitlines()[2:]) == ["| 1 | *** | *** | fine |", "| 2 |  |  | a/b |"]
    assert "Wang" not in shown
    assert "138" not in shown
