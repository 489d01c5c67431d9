"""The tables of indicators on the analyst's pages say what the definitions say."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def definitions() -> dict[str, dict[str, str]]:
    with (ROOT / "dbt/seeds/standards/indicator_definition.csv").open(encoding="utf-8", newline="") as handle:
        return {row["code"]: row for row in csv.DictReader(handle)}


def plain(text: str) -> str:
    """Without blanks and brackets, which only make the formula easier to read."""
    return re.sub(r"[\s()（）]", "", text)


@pytest.mark.parametrize("page", ["dbt/README.md", "dbt/README.zh-CN.md"])
def test_an_indicator_has_the_name_the_formula_and_the_node_of_its_definition(page: str) -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \| `?(\w+)`? \|$", (ROOT / page).read_text("utf-8"), re.M
    )
    listed = {code: rest for code, *rest in rows}
    assert list(listed) == list(definitions())
    for code, definition in definitions().items():
        name, formula, goalposts, node = listed[code]
        names = [definition["name_zh"]] + ([definition["name_en"]] if page == "dbt/README.md" else [])
        assert name == " ".join(names)
        halves = [definition["numerator_zh"], definition["denominator_zh"]]
        assert plain(formula) == plain("/".join(half for half in halves if half)), code
        assert node == definition["node"]
        numbers = re.findall(r"\d+(?:\.\d+)?", goalposts)
        wanted = [definition["floor"], definition["target"]] if definition["direction"] != "none" else []
        assert numbers[: len(wanted)] == wanted, code
