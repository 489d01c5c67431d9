"""The data directory (数据目录): item, sub-item and field as typed rows, for pages and exports."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from catalog.contract import load_contracts
from catalog.vocabulary import DATA_GRADES, RESTRICTIONS, SHARING_TYPES, Term


@dataclass(frozen=True)
class DirectoryRow:
    """One field of one data set in its place in the directory.

    `frequency_hours` and `lateness_hours` are in hours; `restriction` is None for a field that is not restricted.
    """

    city: str
    item: str
    sub_item: str
    dataset: str
    title_zh: str
    title_en: str
    owner: str
    sharing_type: Term
    sharing_reason: str | None
    data_grade: Term
    frequency_hours: float | None
    lateness_hours: float | None
    position: int
    field: str
    field_zh: str
    field_en: str
    data_type: str
    is_key: bool
    is_required: bool
    unit: str | None
    code_list: str | None
    personal_data: str | None
    restriction: Term | None
    restriction_reason: str | None


def directory(city: str | Path | None = None) -> list[DirectoryRow]:
    """The directory of one city, or of all, ordered by city, item, sub-item, data set and field position.

    Raises:
        ContractError: a contract cannot be read.
        KeyError: a contract has an unknown sharing type, grade or restriction (`check_contracts` tells).
    """
    rows = [
        DirectoryRow(
            city=contract.city,
            item=contract.directory_item,
            sub_item=contract.directory_sub_item,
            dataset=contract.name,
            title_zh=contract.title_zh,
            title_en=contract.title_en,
            owner=contract.owner,
            sharing_type=SHARING_TYPES[contract.sharing_type],
            sharing_reason=contract.sharing_reason,
            data_grade=DATA_GRADES[contract.data_grade],
            frequency_hours=contract.frequency.hours if contract.frequency else None,
            lateness_hours=contract.lateness.hours if contract.lateness else None,
            position=position,
            field=field.name,
            field_zh=field.name_zh,
            field_en=field.name_en,
            data_type=field.physical_type,
            is_key=field.key_position is not None,
            is_required=field.is_required,
            unit=field.unit,
            code_list=field.code_list,
            personal_data=field.personal_data,
            restriction=RESTRICTIONS[field.restriction] if field.restriction else None,
            restriction_reason=field.restriction_reason,
        )
        for contract in load_contracts(city).values()
        for position, field in enumerate(contract.fields, start=1)
    ]
    return sorted(rows, key=lambda row: (row.city, row.item, row.sub_item, row.dataset, row.position))
