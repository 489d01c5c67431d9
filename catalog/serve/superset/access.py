"""Who may see what: reads `access.yml` and compiles it, with the city's units, to the roles and row rules of Superset.

Every data set gets a rule that denies by default (Superset's rule type `Base`), so a role that nobody thought of, and a
data set that somebody opens to a role by hand, show no rows.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from catalog.serve.superset.definition import LANGUAGES
from catalog.serve.superset.ids import GUEST_ROLE, MARK, PUBLIC_SLUG, dashboard_slug
from warehouse.errors import GridLakeError
from warehouse.identifiers import literal

ACCESS_FILE = Path(__file__).with_name("access.yml")
ANONYMOUS_ROLE = "Public"
ALL_UNITS = "*"
_EMBEDDED = uuid.uuid5(uuid.NAMESPACE_URL, "https://gridlake.example/superset/embedded")


class AccessError(GridLakeError):
    """The access rules are wrong."""


@dataclass(frozen=True)
class Unit:
    """A unit of the city: its id, its name, and the unit above it."""

    dept_id: str
    name: str
    parent_dept_id: str | None


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Role(_Strict):
    """What the accounts of a role may do."""

    title: dict[Literal["zh", "en"], str]
    permissions: dict[str, list[str]]
    like: str | None = None
    per_unit: bool = False
    sql_lab: bool = False


class Access(_Strict):
    """The whole of `access.yml`."""

    roles: dict[str, Role]
    dashboards: dict[str, list[str]]
    rows: dict[str, dict[str, Literal["all", "own", "own_and_total"]]]


def read_access(file: Path = ACCESS_FILE) -> Access:
    """The rules of the file.

    Raises:
        AccessError: the file breaks its form, or names a role that it does not define.
    """
    try:
        access = Access.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        raise AccessError(
            str(first["msg"]), where=f"{file.name}: {'.'.join(map(str, first['loc']))}", value=first.get("input")
        ) from None
    named = {role for roles in access.dashboards.values() for role in roles}
    named |= {role for rules in access.rows.values() for role in rules}
    named |= {role.like for role in access.roles.values() if role.like}
    if unknown := sorted(named - set(access.roles)):
        raise AccessError("is not a role", where=file.name, value=unknown[0], fix=f"use one of {list(access.roles)}")
    return access


def faults(access: Access, dashboards: Mapping[str, Collection[str]]) -> list[str]:
    """What does not fit between the rules and the dashboards (slug -> data sets that it shows)."""
    found = [
        f"dashboard {slug}: nobody may see it; name it in access.yml"
        for slug in dashboards
        if slug not in access.dashboards
    ]
    found += [f"access.yml: there is no dashboard {slug}" for slug in access.dashboards if slug not in dashboards]
    for slug, datasets in dashboards.items():
        for dataset in sorted(datasets):
            for role in access.dashboards.get(slug, ()):
                if role not in access.rows.get(dataset, {}):
                    found.append(f"dashboard {slug}: role {role} may open it but sees no rows of {dataset}")
    return found


def compile_access(
    access: Access, datasets: Collection[str], slugs: Collection[str], units: Collection[Unit]
) -> dict[str, Any]:
    """The document that `server/roles.py` applies.

    Args:
        access: the rules.
        datasets: the data sets that are brought into Superset, without language (`mart_case`).
        slugs: the dashboards, without language.
        units: the city's units.

    Raises:
        AccessError: a data set has no rule.
    """
    if unruled := sorted(set(datasets) - set(access.rows)):
        raise AccessError(
            "nobody may see this data set", where="access.yml: rows", value=unruled[0], fix="name it there"
        )
    roles = _role_names(access, units)
    rules = {dataset: rows for dataset, rows in access.rows.items() if dataset in datasets}
    return {
        "roles": [
            {
                "name": name,
                "permissions": _permissions(access, role),
                "is_sql_lab": access.roles[role].sql_lab,
                "datasets": _in_all_languages(dataset for dataset, rows in rules.items() if role in rows),
            }
            for role, names in roles.items()
            for name in names
        ],
        "rows": [*_denials(rules, roles), *_own_rows(rules, units)],
        "dashboards": {
            dashboard_slug(slug, language): [name for role in access.dashboards.get(slug, ()) for name in roles[role]]
            for slug in slugs
            for language in LANGUAGES
        },
        "embedded": {
            slug: str(uuid.uuid5(_EMBEDDED, slug))
            for slug in (dashboard_slug(PUBLIC_SLUG, language) for language in LANGUAGES)
            if PUBLIC_SLUG in slugs
        },
    }


def unit_role(dept_id: str) -> str:
    """Name of the role of a unit's accounts."""
    return f"{MARK}department {dept_id}"


def _role_names(access: Access, units: Collection[Unit]) -> dict[str, list[str]]:
    """Role of the file -> the roles it becomes in Superset."""
    names = {}
    for key, role in access.roles.items():
        if role.per_unit:
            names[key] = [unit_role(unit.dept_id) for unit in units]
        elif key == "public":
            names[key] = [ANONYMOUS_ROLE, GUEST_ROLE]
        else:
            names[key] = [MARK + key]
    return names


def _permissions(access: Access, key: str) -> list[list[str]]:
    role = access.roles[key]
    own = [[action, thing] for thing, actions in role.permissions.items() for action in actions]
    return [*(_permissions(access, role.like) if role.like else []), *own]


def _in_all_languages(datasets: Any) -> list[str]:
    return [f"{language}.{dataset}" for dataset in datasets for language in LANGUAGES]


def _denials(rules: Mapping[str, Mapping[str, str]], roles: Mapping[str, list[str]]) -> list[dict[str, Any]]:
    """One rule for each data set: nobody sees a row but the roles that the file names, and administrators."""
    return [
        {
            "name": f"{MARK}deny by default: {dataset}",
            "type": "Base",
            "clause": "1 = 0",
            "group": None,
            "description": "Made from access.yml.",
            "datasets": _in_all_languages([dataset]),
            "roles": ["Admin", *(name for role in rows for name in roles[role])],
        }
        for dataset, rows in rules.items()
    ]


def _own_rows(rules: Mapping[str, Mapping[str, str]], units: Collection[Unit]) -> list[dict[str, Any]]:
    """Two rules for each unit: its rows, and its rows with those of all units together."""
    found = []
    for reach in ("own", "own_and_total"):
        datasets = [dataset for dataset, rows in rules.items() if reach in rows.values()]
        if not datasets:
            continue
        for unit in units:
            seen = [*_with_units_below(unit, units), *([ALL_UNITS] if reach == "own_and_total" else [])]
            found.append(
                {
                    "name": f"{MARK}{reach}: {unit.dept_id}",
                    "type": "Regular",
                    "clause": f"dept_id IN ({', '.join(literal(dept_id) for dept_id in seen)})",
                    # Rules of one group are joined by OR: an account of two units sees the rows of both.
                    "group": f"{MARK}{reach}",
                    "description": f"Made from access.yml for {unit.name}.",
                    "datasets": _in_all_languages(datasets),
                    "roles": [unit_role(unit.dept_id)],
                }
            )
    return found


def _with_units_below(unit: Unit, units: Collection[Unit]) -> list[str]:
    found = [unit.dept_id]
    for dept_id in found:  # grows while it is walked
        found += [u.dept_id for u in units if u.parent_dept_id == dept_id and u.dept_id not in found]
    return found
