"""Colours: the same for the same meaning, told apart by people who see few colours, and usable by Superset."""

from __future__ import annotations

import ast
import sys
from itertools import combinations
from pathlib import Path

import pytest

from catalog.serve.superset.charts import colours
from catalog.serve.superset.definition import DashboardError, Text
from catalog.serve.superset.seeds import filled, grades, label_colours, labels


def test_the_scale_of_scores_has_the_colours_of_the_grades() -> None:
    """Two truths: the scheme that Superset registers, and the seed `index_grade`."""
    assert tuple(grade.colour for grade in grades()) == colours.GRADES
    assert tuple(grade.from_score for grade in grades()) == colours.FIRST_SCORES


def test_a_score_on_a_scale_has_the_colour_of_its_grade_up_to_the_next() -> None:
    scale = colours.by_score()
    assert [scale[score] for score in (0, 59, 60, 69, 70, 80, 89, 90, 100)] == [
        colours.BY_WORD[word] for word in ("red", "red", "orange", "orange", "yellow", "blue", "blue", "green", "green")
    ]


def test_nothing_but_a_judgement_has_the_colour_of_a_grade() -> None:
    """Kinds, units, amounts, places without a value and marks for attention have colours of their own."""
    others = {*colours.CATEGORIES, *colours.SHADES, *colours.STEPS}
    others |= {colours.BY_WORD[word] for word in ("strong", "pale", "dark", "pink", "grey", "empty")}
    assert others.isdisjoint(colours.GRADES)
    words = [text.zh for list_ in ("index_node", "case_stage") for text in labels(list_).values()]
    assert {label_colours("zh")[word] for word in words}.isdisjoint(colours.GRADES)


def test_shades_darken_all_the_way() -> None:
    lightness = [_lightness(colour) for colour in colours.SHADES]
    assert lightness == sorted(lightness, reverse=True)


@pytest.mark.parametrize(("first", "second"), list(combinations(colours.GRADES, 2)))
def test_grades_can_be_told_apart_without_green_and_red(first: str, second: str) -> None:
    """Seen by a deuteranope (Viénot, Brettel and Mollon 1999) two grades differ in lightness or in blue and yellow."""
    assert max(abs(a - b) for a, b in zip(_without_green(first), _without_green(second), strict=True)) > 0.12


def test_the_module_needs_nothing_but_python() -> None:
    """Superset's configuration imports it in an environment that has none of our packages."""
    tree = ast.parse(Path(colours.__file__).read_text("utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names


def test_labels_are_those_of_the_seeds_in_each_language() -> None:
    assert labels("area_level")["street"].zh == "街道（乡镇）"
    assert labels("check_state")["passed"].en == "passed"
    assert label_colours("zh")["优秀"] == label_colours("en")["excellent"] == colours.BY_WORD["green"]


def test_a_code_list_that_is_not_there_is_told_with_the_nearest() -> None:
    with pytest.raises(DashboardError, match=r"'area_lvel'.*use area_level"):
        labels("area_lvel")


def _linear(colour: str) -> list[float]:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def _lightness(colour: str) -> float:
    red, green, blue = _linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _without_green(colour: str) -> tuple[float, float]:
    red, green, blue = _linear(colour)
    yellow = 0.29275 * red + 0.70725 * green
    return yellow, -0.02234 * red + 0.02234 * green + blue


def test_notes_say_of_grades_what_the_seed_says() -> None:
    note = Text(zh="等级：{grades}；{coverage}", en="Grades: {grades}; {coverage}")
    assert filled(note, "zh") == "等级：A 优秀 ≥ 90，B 良好 ≥ 80，C 中等 ≥ 70，D 较差 ≥ 60，E 差 < 60；60%"
    assert filled(note, "en") == "Grades: A excellent ≥ 90, B good ≥ 80, C fair ≥ 70, D poor ≥ 60, E bad < 60; 60%"
