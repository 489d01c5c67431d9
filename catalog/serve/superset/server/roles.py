"""What an import of dashboards leaves to do, and the access rules: in Superset's tables, inside one transaction.

Only what carries our mark is ever changed or removed: objects that are managed externally, and roles and row rules
whose name begins with `gridlake `. What people make for themselves in Superset stays.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from catalog.serve.superset.ids import MARK


def remove_obsolete(assets: Mapping[str, str]) -> None:
    """Remove dashboards, charts and data sets of ours that the files no longer name."""
    from superset import db
    from superset.connectors.sqla.models import SqlaTable
    from superset.models.dashboard import Dashboard
    from superset.models.slice import Slice

    named = {uuid.UUID(yaml.safe_load(text)["uuid"]) for path, text in assets.items() if "/" in path}
    # Dashboards first, then what they show: a chart must not vanish from under a dashboard.
    for kind in (Dashboard, Slice, SqlaTable):
        for found in db.session.query(kind).filter_by(is_managed_externally=True):
            if found.uuid not in named:
                db.session.delete(found)
        db.session.flush()


def link_layers() -> None:
    """Give each map the numbers of its layers; an import leaves them out, because it knows charts by uuid only."""
    from superset import db
    from superset.models.slice import Slice

    charts = {str(chart.uuid): chart.id for chart in db.session.query(Slice).filter_by(is_managed_externally=True)}
    for chart in db.session.query(Slice).filter_by(is_managed_externally=True, viz_type="deck_multi"):
        parameters = json.loads(chart.params)
        parameters["deck_slices"] = [charts[layer] for layer in parameters["gridlake_layers"]]
        chart.params = json.dumps(parameters, ensure_ascii=False)


def apply_access(access: Mapping[str, Any]) -> None:
    """Roles with their permissions, row rules, who sees which dashboard, and the embedded dashboards."""
    from superset import db

    datasets = _datasets()
    _refuse_unknown(access, datasets)
    _roles(access["roles"], datasets)
    db.session.flush()
    _row_rules(access["rows"], datasets)
    _dashboards(access["dashboards"])
    _embedded(access["embedded"])
    db.session.flush()


def _datasets() -> dict[str, Any]:
    """`schema.table` -> data set, ours only."""
    from superset import db
    from superset.connectors.sqla.models import SqlaTable

    found = db.session.query(SqlaTable).filter_by(is_managed_externally=True)
    return {f"{dataset.schema}.{dataset.table_name}": dataset for dataset in found}


def _refuse_unknown(access: Mapping[str, Any], datasets: Mapping[str, Any]) -> None:
    named = {name for role in access["roles"] for name in role["datasets"]}
    named |= {name for rule in access["rows"] for name in rule["datasets"]}
    if missing := sorted(named - set(datasets)):
        raise ValueError(f"access rules name data sets that no dashboard file brings: {missing}")
    ruled = {name for rule in access["rows"] if rule["type"] == "Base" for name in rule["datasets"]}
    if open_ones := sorted(set(datasets) - ruled):
        raise ValueError(f"data sets without a rule that denies by default: {open_ones}")


def _roles(roles: Iterable[Mapping[str, Any]], datasets: Mapping[str, Any]) -> None:
    from superset import security_manager

    kept = set()
    for role in roles:
        kept.add(role["name"])
        found = security_manager.find_role(role["name"]) or security_manager.add_role(role["name"])
        pairs = [tuple(pair) for pair in role["permissions"]]
        pairs += [("datasource_access", datasets[name].perm) for name in role["datasets"]]
        if role["is_sql_lab"]:
            pairs.append(("database_access", next(iter(datasets.values())).database.perm))
        permissions = []
        for action, thing in pairs:
            permission = security_manager.find_permission_view_menu(action, thing)
            if permission is None:
                permission = security_manager.add_permission_view_menu(action, thing)
            permissions.append(permission)
        found.permissions = permissions
    for role in security_manager.get_all_roles():
        if role.name.startswith(MARK) and role.name not in kept:
            # Accounts lose it with the role; without another one they see nothing.
            security_manager.session.delete(role)


def _row_rules(rules: Iterable[Mapping[str, Any]], datasets: Mapping[str, Any]) -> None:
    from superset import db, security_manager
    from superset.connectors.sqla.models import RowLevelSecurityFilter

    kept = set()
    for rule in rules:
        kept.add(rule["name"])
        found = db.session.query(RowLevelSecurityFilter).filter_by(name=rule["name"]).one_or_none()
        if found is None:
            found = RowLevelSecurityFilter(name=rule["name"])
            db.session.add(found)
        found.filter_type = rule["type"]
        found.clause = rule["clause"]
        found.group_key = rule["group"]
        found.description = rule["description"]
        found.tables = [datasets[name] for name in rule["datasets"]]
        found.roles = [security_manager.find_role(name) for name in rule["roles"]]
    for found in db.session.query(RowLevelSecurityFilter):
        if found.name.startswith(MARK) and found.name not in kept:
            db.session.delete(found)


def _dashboards(dashboards: Mapping[str, list[str]]) -> None:
    from superset import db, security_manager
    from superset.models.dashboard import Dashboard

    for slug, roles in dashboards.items():
        dashboard = db.session.query(Dashboard).filter_by(slug=slug).one()
        dashboard.roles = [security_manager.find_role(name) for name in roles]
        dashboard.published = True


def _embedded(embedded: Mapping[str, str]) -> None:
    from superset import db
    from superset.models.dashboard import Dashboard
    from superset.models.embedded_dashboard import EmbeddedDashboard

    for slug, identifier in embedded.items():
        dashboard = db.session.query(Dashboard).filter_by(slug=slug).one()
        wanted = uuid.UUID(identifier)
        if [found.uuid for found in dashboard.embedded] != [wanted]:
            dashboard.embedded = [EmbeddedDashboard(uuid=wanted, allow_domain_list="")]
