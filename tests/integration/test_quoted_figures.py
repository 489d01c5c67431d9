"""Pages quote the made-up city's figures as it has them: `quoted.py` would change nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from lakes import REPOSITORY, BuiltLake
from quoted import Quotes, pages


def test_the_pages_quote_figures() -> None:
    assert {REPOSITORY / "README.md", REPOSITORY / "README.zh-CN.md"} <= set(pages())


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_a_page_quotes_the_figures_of_the_city(page: Path, demo_lake: BuiltLake) -> None:
    quotes, text = Quotes(demo_lake), page.read_text(encoding="utf-8")
    assert quotes.renewed(text) == text, "run tests/integration/quoted.py with the home of a made-up city"
    assert quotes.count >= (13 if page.name.startswith("README") and page.parent == REPOSITORY else 0)


def test_a_figure_that_is_wrong_is_found(demo_lake: BuiltLake) -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    for right, wrong in (
        ("3,997 │", "3,990 │"),
        ("(0.08%)", "(0.09%)"),
        ("│ B ", "│ D "),
    ):
        assert right in text
        assert Quotes(demo_lake).renewed(text.replace(right, wrong, 1)) == text
