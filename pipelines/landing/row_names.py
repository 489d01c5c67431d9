"""How people name rows of a delivery: by their place in it, or by the fields of their key.

`17` is the row with that number, as messages and quarantine count them; `case_no=A17` is every row with that key;
of a key of several fields all are named: `area_code=990102,layer=ward`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from catalog.contract import Contract
from pipelines.landing.deliveries import DeliveryError
from warehouse.identifiers import literal, quoted


def condition_of(contract: Contract, name: str) -> str:
    """SQL condition over the data set's table in `raw` of the rows that are named so.

    Raises:
        DeliveryError: the text names no row; it is not repeated where the key may be personal.
    """
    if name.strip().isdigit():
        return f"_source_row = {int(name)}"
    fields = "|".join(re.escape(key) for key in contract.key)
    parts = [part.partition("=") for part in re.split(rf",(?=\s*(?:{fields})\s*=)", name)]
    given = {field.strip(): value.strip() for field, sign, value in parts if sign}
    if len(given) != len(parts) or set(given) != set(contract.key):
        shown = ",".join(f"{key}=…" for key in contract.key)
        raise DeliveryError(
            "names no row",
            where="--row",
            value=None if set(contract.key) & set(contract.personal_fields) else name,
            fix=f"give the number of the row in its delivery, or its key: `--row '{shown}'`",
        )
    return " AND ".join(f"coalesce(CAST({quoted(key)} AS VARCHAR), '') = {literal(given[key])}" for key in contract.key)


def any_of(contract: Contract, names: Sequence[str]) -> str:
    """SQL condition of the rows that any of these texts names.

    Raises:
        DeliveryError: as `condition_of`.
    """
    return " OR ".join(f"({condition_of(contract, name)})" for name in names)
