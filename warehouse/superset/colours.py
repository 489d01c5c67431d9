"""The colours of the dashboards, chosen so that people who see few colours can tell them apart.

The colours are those of Okabe and Ito (2008). Superset's configuration registers the schemes and imports this module
in its own environment, so only the standard library may be used here.
"""

from __future__ import annotations

SCHEME = "gridlake"
SEQUENCE = "gridlake_more"
GRADED = "gridlake_grades"

CATEGORIES = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#F0E442",
    "#5B6770",
    "#8C6BB1",
    "#9AA5B1",
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
}
# From little to much; lightness falls all the way, so it also reads in grey.
SHADES = ("#EAF3F9", "#BBD9EC", "#7DB6D9", "#3F8DC0", "#12649B", "#08406B")

# From the lowest grade to the highest, for scores on a continuous scale.
GRADES = tuple(BY_WORD[word] for word in ("red", "orange", "yellow", "blue", "green"))
# One after the other, pale enough for dark text upon them.
STEPS = ("#5FA8D3", "#7AB8DC", "#95C7E4", "#AED5EB", "#C6E2F2", "#DDEEF8")


def rgb(colour: str) -> dict[str, int]:
    """A hexadecimal colour as Superset's colour pickers write it."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return {"r": red, "g": green, "b": blue, "a": 1}


def category_schemes() -> list[dict[str, object]]:
    """For Superset's setting EXTRA_CATEGORICAL_COLOR_SCHEMES."""
    return [
        {"id": SCHEME, "label": "GridLake", "description": "", "isDefault": True, "colors": list(CATEGORIES)},
    ]


def sequence_schemes() -> list[dict[str, object]]:
    """For Superset's setting EXTRA_SEQUENTIAL_COLOR_SCHEMES."""
    return [
        {"id": SEQUENCE, "label": "GridLake", "isDiverging": False, "isDefault": True, "colors": list(SHADES)},
        {"id": GRADED, "label": "GridLake, grades", "isDiverging": True, "colors": list(GRADES)},
    ]
