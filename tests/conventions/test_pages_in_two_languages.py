"""A page and its Chinese version say the same: the same parts, rows, keys and examples, and each links the other."""

from __future__ import annotations

import re

import pytest

from tests.conventions.pages import ROOT, page, pages

CHINESE = ".zh-CN.md"
TRANSLATED = sorted(
    path.relative_to(ROOT).as_posix().removesuffix(CHINESE) for path in pages() if path.name.endswith(CHINESE)
)
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"(?:^|\s)\s*(?:#|--) .*")


def both(name: str) -> tuple[str, str]:
    """The English and the Chinese text of a page by its path without an ending."""
    return page(f"{name}.md"), page(f"{name}{CHINESE}")


def headings(text: str) -> list[str]:
    """The levels of all headings, in order."""
    return re.findall(r"^(#+) ", _FENCE.sub("", text), re.MULTILINE)


def rows(text: str) -> list[tuple[int, list[str]]]:
    """Of each table line: its number of cells, and what its first cell names as code, in whatever order of words."""
    lines = re.findall(r"^\|.*\|$", _FENCE.sub("", text), re.MULTILINE)
    cells = [re.split(r"(?<!\\)\|", line.strip("|")) for line in lines]
    return [(len(row), sorted(re.findall(r"`([^`]+)`", row[0]))) for row in cells]


def table_lines(text: str) -> list[int]:
    """The number of table lines in each part."""
    parts = re.split(r"^#+ ", _FENCE.sub("", text), flags=re.MULTILINE)
    return [len(re.findall(r"^\|", part, re.MULTILINE)) for part in parts]


def examples(text: str) -> list[tuple[str, list[str]]]:
    """The fenced blocks: language and lines without comments, which are in the page's language."""
    return [
        (language, [code.rstrip() for line in block.splitlines() if (code := _COMMENT.sub("", line)).strip()])
        for language, block in _FENCE.findall(text)
    ]


def test_there_are_pages_in_two_languages() -> None:
    manuals = ("dbt", "catalog", "pipelines", "quality", "docs/operate")
    assert {"README", *(f"{folder}/README" for folder in manuals)} <= set(TRANSLATED)


@pytest.mark.parametrize("name", TRANSLATED)
def test_each_begins_with_a_link_to_the_other(name: str) -> None:
    english, chinese = both(name)
    stem = name.rpartition("/")[2]
    assert english.splitlines()[2] == f"[中文]({stem}{CHINESE})"
    assert chinese.splitlines()[2] == f"[English]({stem}.md)"


@pytest.mark.parametrize("name", TRANSLATED)
def test_both_have_the_same_parts(name: str) -> None:
    english, chinese = both(name)
    assert headings(chinese) == headings(english)
    assert table_lines(chinese) == table_lines(english)


@pytest.mark.parametrize("name", TRANSLATED)
def test_both_have_the_same_rows_for_the_same_keys(name: str) -> None:
    english, chinese = both(name)
    assert rows(chinese) == rows(english)


@pytest.mark.parametrize("name", TRANSLATED)
def test_both_have_the_same_examples(name: str) -> None:
    english, chinese = both(name)
    assert examples(chinese) == examples(english)
