"""Who may see and do what in Superset, written by hand: what the product promises, whatever `access.yml` says.

Belongs here: the promise. It reads no file of the project; the tests hold the file, and the running pages, against it.
"""

from __future__ import annotations

from catalog.serve.superset.access import Access

ROLES = ("steward", "analyst", "leader", "department", "public")

# Page -> who may open it.
PAGES = {
    "city-health": {"steward", "analyst", "leader", "department"},
    "index-to-cases": {"steward", "analyst", "leader", "department"},
    "city-map": {"steward", "analyst", "leader", "department"},
    "cases": {"steward", "analyst", "leader", "department"},
    "departments": {"steward", "analyst", "leader"},
    "permits": {"steward", "analyst", "leader", "department"},
    "data-health": {"steward", "analyst"},
    "public-index": {"steward", "analyst", "leader", "department", "public"},
}

# Data set -> how much of it a department sees, who sees all of it besides stewards and analysts, who see everything.
_SEEN = {
    # of the city as a whole, without a unit's name
    "publication": ("all", {"leader", "public"}),
    "mart_state": ("all", {"leader"}),
    "mart_month": ("all", {"leader"}),
    "mart_map": ("all", {"leader"}),
    "mart_public_index": ("all", {"leader", "public"}),
    # figures by unit: its own, and those of all units together
    "mart_index": ("own_and_total", {"leader"}),
    "mart_indicator": ("own_and_total", {"leader"}),
    # single cases, components and permits, and figures made of them
    "mart_component": ("own", {"leader"}),
    "mart_case": ("own", {"leader"}),
    "mart_case_stage": ("own", {"leader"}),
    "mart_case_hour": ("own", {"leader"}),
    "mart_case_open": ("own", {"leader"}),
    "mart_case_due": ("own", {"leader"}),
    "mart_indicator_case": ("own", {"leader"}),
    "mart_permit": ("own", {"leader"}),
    # how the data are, with names of files and faults
    "mart_delivery": (None, set()),
    "mart_dataset": (None, set()),
    "mart_check": (None, set()),
    "mart_check_day": (None, set()),
    "mart_unmapped": (None, set()),
}

# What strangers may ask of a column: every one of these, and no other.
PUBLIC_COLUMNS = {
    "mart_public_index": {
        *("month", "period_start", "area_level", "level_name", "area_id", "area_name", "node", "node_no", "node_name"),
        *("score", "grade", "grade_name", "coverage", "not_recorded"),
    },
    "publication": {
        *("name", "version", "snapshot_id", "snapshot_at", "published_at", "city", "city_id", "city_name", "as_of"),
        *("edition", "first_month", "newest_month", "newest_full_month"),
    },
}

# Columns that stand on no page and in no data set, whoever asks: what identifies or reaches a person.
NEVER_SHOWN = {
    *(
        "caller_name",
        "caller_phone",
        "applicant_name",
        "applicant_phone",
        "owner_name",
        "collector_no",
        "inspector_name",
    ),
    *("address", "street_address", "site_address", "description", "details", "comments", "remarks", "email", "phone"),
}

# Rights that tell one role from another; who has none of them only looks.
RIGHTS = {
    ("SQLLab", "can_execute_sql_query"): {"steward", "analyst"},
    ("Superset", "can_explore"): {"steward", "analyst"},
    ("Chart", "can_write"): {"steward", "analyst"},
    ("Dashboard", "can_write"): {"steward", "analyst"},
    ("Database", "can_read"): {"steward", "analyst"},
    ("Superset", "can_csv"): {"steward", "analyst", "leader", "department"},
    ("Datasource", "can_samples"): {"steward", "analyst", "leader", "department"},
    ("Dataset", "can_write"): set(),
    ("Database", "can_write"): set(),
    ("User", "can_read"): set(),
    ("Role", "can_read"): set(),
    ("RowLevelSecurity", "can_read"): set(),
    ("SecurityRestApi", "can_grant_guest_token"): set(),
}


def reach(dataset: str, role: str) -> str | None:
    """`all`, `own`, `own_and_total`, or None: the rows of the data set that the role sees."""
    of_department, whole = _SEEN[dataset]
    if role in ("steward", "analyst") or role in whole:
        return "all"
    return of_department if role == "department" else None


def datasets() -> list[str]:
    """Every data set that somebody sees."""
    return sorted(_SEEN)


def broken(access: Access) -> list[str]:
    """Every promise that the rules do not keep."""
    found = [f"data sets: {name}" for name in set(access.rows) ^ set(_SEEN)]
    found += [f"pages: {slug}" for slug in set(access.dashboards) ^ set(PAGES)]
    found += [f"roles: {role}" for role in set(access.roles) ^ set(ROLES)]
    for name in set(access.rows) & set(_SEEN):
        found += [
            f"{role} sees {access.rows[name].get(role)} of {name}, not {reach(name, role)}"
            for role in ROLES
            if access.rows[name].get(role) != reach(name, role)
        ]
    for slug in set(access.dashboards) & set(PAGES):
        if set(access.dashboards[slug]) != PAGES[slug]:
            found.append(f"page {slug}: {sorted(access.dashboards[slug])}")
    for (thing, action), holders in RIGHTS.items():
        have = {role for role in access.roles if action in _rights(access, role).get(thing, set())}
        if have != holders:
            found.append(f"{action} on {thing}: {sorted(have)}, not {sorted(holders)}")
    if lab := {name for name, role in access.roles.items() if role.sql_lab} ^ {"steward", "analyst"}:
        found.append(f"SQL Lab: {sorted(lab)}")
    return found


def _rights(access: Access, role: str) -> dict[str, set[str]]:
    rights: dict[str, set[str]] = {}
    at: str | None = role
    while at is not None:
        for thing, actions in access.roles[at].permissions.items():
            rights.setdefault(thing, set()).update(actions)
        at = access.roles[at].like
    return rights
