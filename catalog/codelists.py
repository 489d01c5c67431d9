"""Code lists: the closed lists of values a field may hold, kept as dbt seeds.

A list is any CSV below `dbt/seeds` that has a column `code`; a contract names it by its file name.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from catalog.contract import ContractError
from warehouse.settings import PROJECT_ROOT

SEEDS = PROJECT_ROOT / "dbt" / "seeds"


@cache
def code_list(name: str, seeds: Path = SEEDS) -> tuple[str, ...]:
    """The codes of one list, in file order, as text.

    Raises:
        ContractError: there is no such list, or it has no column `code`.
    """
    found = sorted(seeds.glob(f"**/{name}.csv"))
    if not found:
        raise ContractError(
            "there is no such code list", where="codeList", value=name, fix=f"add {name}.csv to dbt/seeds"
        )
    with found[0].open(encoding="utf-8", newline="") as handle:
        reader = csv.DictReader(handle)
        if "code" not in (reader.fieldnames or []):
            raise ContractError("code list has no column `code`", where=str(found[0]), fix="add the column")
        # A code may stand in several editions of one list.
        return tuple(dict.fromkeys(row["code"] for row in reader if row["code"]))
