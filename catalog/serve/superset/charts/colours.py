"""The colours of the dashboards, chosen so that people who see few colours can tell them apart.

The colours of grades are those of Okabe and Ito (2008), and nothing else has them: a colour means one thing. Superset's
configuration registers the schemes and imports this module in its own environment, so only the standard library may be
used here.
"""

from __future__ import annotations

SCHEME = "gridlake"
SEQUENCE = "gridlake_more"
GRADED = "gridlake_grades"

# Kinds, units, areas, sub-scores: none of the colours of grades.
CATEGORIES = (
    "#0072B2",
    "#CC79A7",
    "#5B6770",
    "#8C6BB1",
    "#8A5A2B",
    "#3BA3A0",
    "#9AA5B1",
    "#882255",
    "#332288",
    "#C2B280",
)
# The words that seeds and dashboards use.
BY_WORD = {
    "green": "#009E73",
    "blue": "#56B4E9",
    "yellow": "#F0E442",
    "orange": "#E69F00",
    "red": "#D55E00",
    "grey": "#9AA5B1",
    "strong": "#0072B2",
    "pale": "#A8CCE3",
    "dark": "#5B6770",
    "pink": "#CC79A7",
    "empty": "#D9DEE3",
}
# From little to much; lightness falls all the way, so it also reads in grey.
SHADES = ("#EAF3F9", "#BBD9EC", "#7DB6D9", "#3F8DC0", "#12649B", "#08406B")

# From the lowest grade to the highest, and the first score of each.
FIRST_SCORES = (0, 60, 70, 80, 90)
GRADES = tuple(BY_WORD[word] for word in ("red", "orange", "yellow", "blue", "green"))
# What Superset gives to series in turn. A dashboard has one scheme for all its charts, so a gauge finds the colours of
# grades behind the others, where no chart has enough series to come to.
SERIES = (*CATEGORIES, *GRADES)
# One after the other, pale enough for dark text upon them.
STEPS = ("#5FA8D3", "#7AB8DC", "#95C7E4", "#AED5EB", "#C6E2F2", "#DDEEF8")


def rgb(colour: str) -> dict[str, int]:
    """A hexadecimal colour as Superset's colour pickers write it."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return {"r": red, "g": green, "b": blue, "a": 1}


def category_schemes() -> list[dict[str, object]]:
    """For Superset's setting EXTRA_CATEGORICAL_COLOR_SCHEMES."""
    return [
        {"id": SCHEME, "label": "GridLake", "description": "", "isDefault": True, "colors": list(SERIES)},
    ]


def by_score() -> list[str]:
    """The colour of each whole score from 0 to 100: a scale of them changes only where the grade does."""
    return [GRADES[sum(score >= first for first in FIRST_SCORES) - 1] for score in range(101)]


def sequence_schemes() -> list[dict[str, object]]:
    """For Superset's setting EXTRA_SEQUENTIAL_COLOR_SCHEMES."""
    return [
        {"id": SEQUENCE, "label": "GridLake", "isDiverging": False, "isDefault": True, "colors": list(SHADES)},
        {"id": GRADED, "label": "GridLake, grades", "isDiverging": True, "colors": by_score()},
    ]
