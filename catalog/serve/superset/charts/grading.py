"""Scores in the colours of their grades, in each of the ways in which Superset's charts take colours.

Which score has which grade and colour stands in the seed `index_grade`.
"""

from __future__ import annotations

from catalog.serve.superset.charts import colours
from catalog.serve.superset.scene import Params
from catalog.serve.superset.seeds import grades

HIGHEST_SCORE = 100.0


def spans() -> list[tuple[float, float, str]]:
    """From, to and colour of each grade, from the lowest to the highest."""
    known = grades()
    ends = [*(grade.from_score for grade in known[1:]), HIGHEST_SCORE]
    return [(grade.from_score, end, grade.colour) for grade, end in zip(known, ends, strict=True)]


def cell_rules(name: str) -> list[Params]:
    """Colours of a table's cells: a rule holds up to the next grade's first score."""
    *others, (top, _, top_colour) = spans()
    rules: list[Params] = [
        {"operator": "≤ x <", "targetValueLeft": start, "targetValueRight": end, "colorScheme": colour}
        for start, end, colour in others
    ]
    rules.append({"operator": "≥", "targetValue": top, "colorScheme": top_colour})
    return [{"column": name, "useGradient": False} | rule for rule in rules]


def alarm_rule(name: str) -> Params:
    """Colour of a table's cell that should be 0 and is not."""
    colour = colours.BY_WORD["pink"]
    return {"column": name, "useGradient": False, "operator": ">", "targetValue": 0, "colorScheme": colour}


def pieces(dimension: int) -> Params:
    """ECharts' visual map: `dimension` is the place of the score in a point, 0 across and 1 up."""
    *others, (top, _, top_colour) = spans()
    found = [{"gte": start, "lt": end, "color": colour} for start, end, colour in others]
    found.append({"gte": top, "color": top_colour})
    return {"type": "piecewise", "show": False, "dimension": dimension, "pieces": found}


def dial() -> Params:
    """A gauge's arcs: their ends, and the places of their colours in the scheme, counted from 1."""
    known = spans()
    return {
        "intervals": ",".join(f"{end:g}" for _, end, _ in known),
        "interval_color_indices": ",".join(str(colours.SERIES.index(colour) + 1) for _, _, colour in known),
    }


def breakpoints() -> Params:
    """Colours of a map's areas, all of which have a score: Superset takes none for 0."""
    return {
        "color_scheme_type": "color_breakpoints",
        "color_breakpoints": [
            {"id": number, "minValue": start, "maxValue": end, "color": colours.rgb(colour) | {"a": 100}}
            for number, (start, end, colour) in enumerate(spans())
        ],
        "default_breakpoint_color": colours.rgb(colours.BY_WORD["empty"]),
    }
