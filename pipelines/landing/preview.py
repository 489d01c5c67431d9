"""A look at a landed data set for people: a few rows as a Markdown table, personal values masked."""

from __future__ import annotations

from catalog.contract import Contract
from pipelines.landing.tables import column_types
from warehouse.identifiers import quoted
from warehouse.lake.session import open_lake
from warehouse.settings import Settings

PREVIEW_ROWS = 5
_WIDTH = 40


def preview(settings: Settings, contract: Contract) -> tuple[int, str]:
    """How many rows `raw` holds of a data set, and the newest few of them."""
    shown = [_shown(contract, name) for name in (f.name for f in contract.fields)]
    with open_lake(settings, read_only=True, spatial=False) as lake:
        if not column_types(lake, "raw", contract.name):
            return 0, "no rows yet"
        ((total,),) = lake.execute(f"SELECT count(*) FROM lake.raw.{contract.name}").fetchall()
        rows = lake.execute(
            f"SELECT {', '.join(shown)} FROM (SELECT * FROM lake.raw.{contract.name} LIMIT {PREVIEW_ROWS})"
        ).fetchall()
    header = "| " + " | ".join(f"{f.name}<br>{f.name_zh}" for f in contract.fields) + " |"
    rule = "|" + "---|" * len(contract.fields)
    body = ["| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in row) + " |" for row in rows]
    return int(total), "\n".join([header, rule, *body])


def _shown(contract: Contract, name: str) -> str:
    field = contract.field_named(name)
    if field.personal_data:
        return f"CASE WHEN {quoted(name)} IS NULL THEN '' ELSE '***' END"
    if field.is_geometry:
        return f"CASE WHEN {quoted(name)} IS NULL THEN '' ELSE 'geometry' END"
    return f"left(coalesce(CAST({quoted(name)} AS VARCHAR), ''), {_WIDTH})"
