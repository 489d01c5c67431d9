"""Code lists: the closed lists of values a field may hold.

A list is a CSV with a column `code`, and a contract names it by its file name. Those of the standards lie with the dbt
seeds, those of a city's own in the folder `lists` of the city.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from warehouse.errors import GridLakeError
from warehouse.settings import PROJECT_ROOT

SEEDS = PROJECT_ROOT / "dbt" / "seeds" / "standards"


class CodeListError(GridLakeError):
    """There is no such list, or it is none."""


@cache
def code_list(name: str, own: Path | None = None, seeds: Path = SEEDS) -> tuple[str, ...]:
    """The codes of one list, in file order, as text.

    Args:
        name: of the list.
        own: folder of the city's own lists.
        seeds: folder of the lists that all cities share.

    Raises:
        CodeListError: there is no such list, or it has no column `code`.
    """
    places = [folder / f"{name}.csv" for folder in (own, seeds) if folder is not None]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise CodeListError(
            "there is no such code list", where="codeList", value=name, fix=f"add lists/{name}.csv to the city's folder"
        )
    with found.open(encoding="utf-8", newline="") as handle:
        reader = csv.DictReader(handle)
        if "code" not in (reader.fieldnames or []):
            raise CodeListError("code list has no column `code`", where=str(found), fix="add the column")
        # A code may stand in several editions of one list.
        return tuple(dict.fromkeys(row["code"] for row in reader if row["code"]))
