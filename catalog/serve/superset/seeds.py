"""What dashboards take from dbt's seeds: labels of codes, and the grades of the index with their colours.

A filter that opens on 街道 knows the code `street`; what that is called in each language, from which score a grade
holds and what colour it has stand in the seeds only.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from itertools import cycle
from pathlib import Path

from catalog.codelists import SEEDS
from catalog.serve.superset.charts.colours import BY_WORD, CATEGORIES, STEPS
from catalog.serve.superset.definition import DashboardError, Language, Text, nearest

_SHARED = "code_label"
_STATE_COLOURS = {"passed": "green", "warning": "orange", "error": "red"}


@dataclass(frozen=True)
class Grade:
    """One grade of the index: it holds from `from_score`; `colour` is a hexadecimal colour."""

    code: str
    label: Text
    from_score: float
    from_coverage: float
    colour: str


@cache
def grades(folder: Path = SEEDS) -> tuple[Grade, ...]:
    """The grades of the seed `index_grade`, from the lowest to the highest."""
    found = [
        Grade(row["code"], _text(row), float(row["min_score"]), float(row["min_coverage"]), BY_WORD[row["colour"]])
        for row in _rows(folder / "index_grade.csv")
    ]
    return tuple(sorted(found, key=lambda grade: grade.from_score))


@cache
def labels(list_: str, folder: Path = SEEDS) -> dict[str, Text]:
    """Code -> label of one list: a seed of that name, or the rows of `code_label` with that list.

    Raises:
        DashboardError: there is no such list.
    """
    path = folder / f"{list_}.csv"
    if path.exists():
        return {row["code"]: _text(row) for row in _rows(path)}
    rows = _rows(folder / f"{_SHARED}.csv")
    found = {row["code"]: _text(row) for row in rows if row["list"] == list_}
    if not found:
        known = {row["list"] for row in rows} | {p.stem for p in folder.glob("*.csv")}
        raise DashboardError(
            "there is no code list", where="dbt/seeds/standards", value=list_, fix=nearest(list_, known)
        )
    return found


def spans_in_words() -> list[tuple[Grade, Text]]:
    """Each grade and from where it holds, in words, from the highest to the lowest."""
    lowest, *others = grades()
    found = [(grade, f"≥ {grade.from_score:g}") for grade in reversed(others)]
    found.append((lowest, f"< {others[0].from_score:g}"))
    return [
        (grade, Text(zh=f"{grade.code} {grade.label.zh} {span}", en=f"{grade.code} {grade.label.en} {span}"))
        for grade, span in found
    ]


def filled(text: Text, language: Language) -> str:
    """A note with what the seeds say in place of `{grades}` and `{coverage}`."""
    comma = "，" if language == "zh" else ", "
    words = comma.join(span.in_(language) for _, span in spans_in_words())
    least = max(grade.from_coverage for grade in grades())
    return text.in_(language).replace("{grades}", words).replace("{coverage}", f"{least:.0%}")


def label_colours(language: Language) -> dict[str, str]:
    """Colours of labels that have the same one wherever they stand: grades, states of checks, dimensions, stages."""
    states, nodes, stages = labels("check_state"), labels("index_node"), labels("case_stage")
    found = {grade.label.in_(language): grade.colour for grade in grades()}
    found |= {states[code].in_(language): BY_WORD[word] for code, word in _STATE_COLOURS.items()}
    found |= {name.in_(language): colour for name, colour in zip(nodes.values(), cycle(CATEGORIES), strict=False)}
    return found | {name.in_(language): colour for name, colour in zip(stages.values(), STEPS, strict=False)}


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _text(row: dict[str, str]) -> Text:
    # As the models do: the other language where one is missing, then the code.
    zh, en = row.get("name_zh", ""), row.get("name_en", "")
    return Text(zh=zh or en or row["code"], en=en or zh or row["code"])
