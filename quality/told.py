"""What landing tells of a delivery that landed all the same: things that would else vanish without a word.

The counts stand in `ops.load.warning_counts` beside those of the contract's warning rules, as `told:<kind>`, and
become checks of the data set as these do; their sentences are `told_<kind>` of the seed `check_text`.
"""

from __future__ import annotations

from quality.texts import CheckText

PREFIX = "told:"
# Blank lines between or after the rows, left out.
BLANK_LINES = "blank_lines"
# Files whose last line has no line end.
UNENDED_LAST_ROW = "unended_last_row"
# Cells of a workbook with an error, or a formula without a stored result.
ERROR_CELLS = "error_cells"
# Rows and sheets that a workbook hides; they were read.
HIDDEN_ROWS = "hidden_rows"
HIDDEN_SHEETS = "hidden_sheets"
# Merged areas among the rows, of which only the first cell has the value.
MERGED_CELLS = "merged_cells"
# Other sheets with data, not read.
OTHER_SHEETS = "other_sheets"
# Shapes that were invalid and have been made valid.
MENDED_SHAPES = "mended_shapes"
# Rows that were withdrawn and came again unchanged, left out.
WITHDRAWN = "withdrawn"

_TEXTS = {
    BLANK_LINES: "told_blank_lines",
    UNENDED_LAST_ROW: "told_unended_last_row",
    ERROR_CELLS: "told_error_cells",
    HIDDEN_ROWS: "told_hidden_rows",
    HIDDEN_SHEETS: "told_hidden_sheets",
    MERGED_CELLS: "told_merged_cells",
    OTHER_SHEETS: "told_other_sheets",
    MENDED_SHAPES: "told_mended_shapes",
    WITHDRAWN: "told_withdrawn",
}


def label(kind: str) -> str:
    """The name of a kind in `warning_counts` and of its check."""
    return PREFIX + kind


def text(name: str, count: int) -> CheckText | None:
    """What a check says, or None where the name is none of these."""
    code = _TEXTS.get(name.removeprefix(PREFIX)) if name.startswith(PREFIX) else None
    return None if code is None else CheckText.of(code, count)
