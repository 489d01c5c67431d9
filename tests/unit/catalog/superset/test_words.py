"""The corrections of Superset's Chinese fit the texts that they stand for."""

from __future__ import annotations

import csv
import re
from collections import Counter

from tests.conventions.pages import ROOT

PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\{?\w+\}?\}")


def words() -> list[tuple[str, str]]:
    """English text and Chinese, in the order of the file."""
    with (ROOT / "catalog" / "serve" / "superset" / "server" / "words_zh.csv").open(
        encoding="utf-8", newline=""
    ) as file:
        return [(row["english"], row["chinese"]) for row in csv.DictReader(file)]


def test_a_text_has_the_places_of_its_english_one_in_their_order() -> None:
    wrong = []
    for english, chinese in words():
        told, meant = PLACEHOLDER.findall(chinese), PLACEHOLDER.findall(english)
        # Those with a name may change places, those without may not.
        if Counter(told) != Counter(meant) or [p for p in told if p[1] != "("] != [p for p in meant if p[1] != "("]:
            wrong.append(english)
    assert wrong == []


def test_texts_stand_once_and_in_order_and_say_something() -> None:
    found = words()
    keys = [english for english, _ in found]
    assert len(keys) > 1000
    assert keys == sorted(set(keys))
    assert [english for english, chinese in found if not chinese.strip()] == []
