"""A data contract read into typed objects.

The files are ODCS 3.1 YAML (Bitol's open-data-contract-standard model reads them). What the project needs
beyond that standard stands in `customProperties`; this module is the only place that knows their names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import yaml
from open_data_contract_standard.model import (
    CustomProperty,
    DataQuality,
    OpenDataContractStandard,
    SchemaObject,
    SchemaProperty,
)
from pydantic import ValidationError

from catalog.city import city_folder, shipped
from catalog.codelists import code_list
from catalog.form_faults import form_faults
from catalog.plain_yaml import YAML_FIX, problem_of
from warehouse.errors import GridLakeError

# A delivery that loses more than this share of its rows is no longer believable as a whole.
QUARANTINE_SHARE_ALLOWED = 0.05

# The last part of the name of a field that holds a code.
_CODE_SUFFIXES = frozenset({"id", "code", "no", "status", "channel", "kind", "type", "level", "class"})


class ContractError(GridLakeError):
    """A contract file cannot be read or is not complete enough to be used."""


@dataclass(frozen=True)
class Box:
    """A span of longitudes and of latitudes in degrees, ends included; `west` > `east` crosses the 180th meridian."""

    west: float
    south: float
    east: float
    north: float


@dataclass(frozen=True)
class Field:
    """One field of a data set.

    `physical_type` is DuckDB's type; `formats` are strptime patterns tried after ISO for dates and times;
    `is_future_allowed` of what is planned (a due time, the end of a permit); `minimum` and `maximum` are inclusive;
    `pattern` must match the whole text. `shapes` are the kinds that a geometry may be (all where it is
    empty), `extent` is where it lies, in degrees. `point_with` of an east coordinate names the field of the north one.
    `own_lists` is the folder of the city's own code lists.
    """

    name: str
    name_zh: str
    name_en: str
    logical_type: str
    physical_type: str
    is_required: bool = False
    key_position: int | None = None
    unit: str | None = None
    code_list: str | None = None
    own_lists: Path | None = None
    pattern: str | None = None
    minimum: float | str | None = None
    maximum: float | str | None = None
    max_length: int | None = None
    formats: tuple[str, ...] = ()
    is_future_allowed: bool = False
    shapes: tuple[str, ...] = ()
    extent: Box | None = None
    point_with: str | None = None
    personal_data: str | None = None
    restriction: str | None = None
    restriction_reason: str | None = None

    @property
    def is_geometry(self) -> bool:
        """Whether the field holds a geometry (GeoJSON at the source, GEOMETRY in the lake)."""
        return self.physical_type.upper() == "GEOMETRY"

    @property
    def codes(self) -> tuple[str, ...]:
        """What its code list allows; empty where it has none.

        Raises:
            CodeListError: there is no such list.
        """
        return code_list(self.code_list, self.own_lists) if self.code_list else ()

    @property
    def is_code(self) -> bool:
        """Whether the value names a thing or a choice, so that blanks around it mean nothing.

        Keys are such, fields with a code list or a pattern, and those whose name promises it.
        """
        named = self.name.rpartition("_")[2] in _CODE_SUFFIXES
        return self.key_position is not None or bool(self.code_list or self.pattern) or named


@dataclass(frozen=True)
class Rule:
    """A rule over several fields: a SQL boolean; a row for which it is false breaks it, NULL keeps it."""

    name: str
    expression: str
    severity: str = "error"
    dimension: str = "consistency"
    description: str = ""
    description_zh: str = ""


@dataclass(frozen=True)
class Allowance:
    """A span of time as the contract states it, for example update frequency 1 d."""

    value: float
    unit: str

    _HOURS: ClassVar = {"h": 1.0, "d": 24.0, "w": 168.0, "m": 730.5, "y": 8766.0}

    @property
    def hours(self) -> float:
        """The span in hours; a month counts 730.5 hours."""
        return self.value * self._HOURS[self.unit]


@dataclass(frozen=True)
class Contract:
    """One data set's contract; `name` is also its table in `raw` and `quarantine`."""

    path: Path
    contract_id: str
    name: str
    version: str
    city: str
    domain: str
    title_zh: str
    title_en: str
    owner: str
    grain_zh: str
    grain: str
    directory_item: str
    directory_sub_item: str
    sharing_type: str
    sharing_reason: str | None
    data_grade: str
    frequency: Allowance | None
    lateness: Allowance | None
    purpose_zh: str
    purpose: str
    usage_zh: str
    usage: str
    limitations_zh: str
    limitations: str
    quarantine_share_allowed: float
    fields: tuple[Field, ...]
    rules: tuple[Rule, ...] = field(default=())

    @property
    def key(self) -> tuple[str, ...]:
        """Names of the key fields, in key order."""
        keyed = [(f.key_position, f.name) for f in self.fields if f.key_position is not None]
        return tuple(name for _, name in sorted(keyed))

    @property
    def about(self) -> str:
        """Title, row, purpose, usage and known defects as Markdown: a paragraph in Chinese, one in English."""
        chinese = f"{self.title_zh}：{self.grain_zh}。{self.purpose_zh}{self.usage_zh}局限：{self.limitations_zh}"
        english = f"{self.title_en}: {self.grain}. {self.purpose} {self.usage} Limitations: {self.limitations}"
        return f"{chinese}\n\n{english}"

    @property
    def personal_fields(self) -> frozenset[str]:
        """Names of the fields that hold personal data."""
        return frozenset(f.name for f in self.fields if f.personal_data)

    def field_named(self, name: str) -> Field:
        """The field of that name.

        Raises:
            ContractError: the contract has no such field.
        """
        for candidate in self.fields:
            if candidate.name == name:
                return candidate
        raise ContractError(
            "has no such field", where=str(self.path), value=name, fix=f"use one of {[f.name for f in self.fields]}"
        )


def contract_files(city: str | Path | None = None) -> list[Path]:
    """The contract files of a city (its key or its folder), or of all that come with the project, in a stable order."""
    chosen: list[str | Path] = [*shipped()] if city is None else [city]
    folders = [city_folder(one) / "contracts" for one in chosen]
    return [path for folder in folders for path in sorted(folder.glob("*.yml"))]


def parse(path: Path) -> OpenDataContractStandard:
    """Read a file as ODCS.

    Raises:
        ContractError: the file is not YAML, or not ODCS; the message names the place in the file.
    """
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)  # ten times as fast
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ContractError(problem_of(error), where=str(path), fix=YAML_FIX) from None
    if not isinstance(document, dict):
        raise ContractError("is not a contract", where=str(path), fix="start from another contract of the folder")
    try:
        return OpenDataContractStandard.model_validate(document)
    except ValidationError as error:
        fault = form_faults(error, OpenDataContractStandard)[0]
        raise ContractError(
            f"is not ODCS 3.1 at {fault.place}: it {fault.problem}",
            where=str(path),
            value=error.errors()[0].get("input"),
            fix=fault.fix,
        ) from None


def load_contract(path: Path) -> Contract:
    """Read one contract file.

    Raises:
        ContractError: as `parse`, or a part is missing that every contract needs.
    """
    return from_odcs(parse(path), path)


def load_contracts(city: str | Path | None = None) -> dict[str, Contract]:
    """The contracts of a city (its key or its folder), or of all that come with the project, by data set name."""
    contracts = [load_contract(path) for path in contract_files(city)]
    return {contract.name: contract for contract in contracts}


def custom(properties: list[CustomProperty] | None) -> dict[str, Any]:
    """Custom properties as a mapping."""
    return {p.property: p.value for p in properties or [] if p.property}


def from_odcs(document: OpenDataContractStandard, path: Path) -> Contract:
    """Turn a parsed document into a contract; `path` is only for messages."""
    own = custom(document.customProperties)
    if not document.name or not document.schema_ or not document.schema_[0].properties:
        raise ContractError("needs a name and one schema with properties", where=str(path), fix="add them")
    table: SchemaObject = document.schema_[0]
    sla = {p.property: p for p in document.slaProperties or []}
    team, texts = document.team, document.description
    return Contract(
        path=path,
        contract_id=document.id or "",
        name=document.name,
        version=document.version or "",
        city=document.tenant or "",
        domain=document.domain or "",
        title_zh=str(own.get("titleZh", "")),
        title_en=str(own.get("titleEn", "")),
        owner=(team.name or "") if team is not None and not isinstance(team, list) else "",
        grain_zh=str(own.get("grainZh", "")),
        grain=table.dataGranularityDescription or "",
        directory_item=str(own.get("directoryItem", "")),
        directory_sub_item=str(own.get("directorySubItem", "")),
        sharing_type=str(own.get("sharingType", "")),
        sharing_reason=own.get("sharingReason"),
        data_grade=str(own.get("dataGrade", "")),
        frequency=_allowance(sla.get("frequency")),
        lateness=_allowance(sla.get("latency")),
        purpose_zh=str(own.get("purposeZh", "")),
        purpose=(texts.purpose or "") if texts else "",
        usage_zh=str(own.get("usageZh", "")),
        usage=(texts.usage or "") if texts else "",
        limitations_zh=str(own.get("limitationsZh", "")),
        limitations=(texts.limitations or "") if texts else "",
        quarantine_share_allowed=float(own.get("quarantineShareAllowed", QUARANTINE_SHARE_ALLOWED)),
        fields=tuple(_field(p, path.parent.parent / "lists") for p in table.properties or []),
        rules=tuple(_rule(q) for q in table.quality or [] if q.engine == "gridlake"),
    )


def _allowance(entry: Any) -> Allowance | None:
    if entry is None or entry.unit not in Allowance._HOURS:
        return None
    try:
        return Allowance(float(entry.value), str(entry.unit))
    except (TypeError, ValueError):
        return None


def _field(prop: SchemaProperty, own_lists: Path) -> Field:
    own = custom(prop.customProperties)
    options = prop.logicalTypeOptions or {}
    formats = options.get("format") or ()
    return Field(
        name=prop.name or "",
        name_zh=prop.businessName or "",
        name_en=prop.description or "",
        logical_type=prop.logicalType or "",
        physical_type=prop.physicalType or "",
        is_required=bool(prop.required),
        key_position=(prop.primaryKeyPosition or 1) if prop.primaryKey else None,
        unit=own.get("unit"),
        code_list=own.get("codeList"),
        own_lists=own_lists,
        pattern=options.get("pattern"),
        minimum=options.get("minimum"),
        maximum=options.get("maximum"),
        max_length=options.get("maxLength"),
        formats=(formats,) if isinstance(formats, str) else tuple(formats),
        is_future_allowed=own.get("futureAllowed") is True,
        shapes=tuple(own.get("shapes") or ()),
        extent=Box(*map(float, own["extent"])) if own.get("extent") else None,
        point_with=own.get("pointWith"),
        personal_data=own.get("personalData"),
        restriction=own.get("restriction"),
        restriction_reason=own.get("restrictionReason"),
    )


def _rule(quality: DataQuality) -> Rule:
    return Rule(
        name=quality.name or "",
        expression=str(quality.implementation or ""),
        severity=quality.severity or "error",
        dimension=quality.dimension or "consistency",
        description=quality.description or "",
        description_zh=str(custom(quality.customProperties).get("descriptionZh", "")),
    )
