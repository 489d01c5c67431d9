"""Brings Superset's own tables, the first account, the dashboards and the access rules to what the files say.

Run by `gridlake up` in Superset's environment:

    python -m catalog.serve.superset.server.setup database    Superset's tables, permissions and the first account
    python -m catalog.serve.superset.server.setup content     dashboards and access rules, in one transaction

Both do nothing that has been done already, and both may be killed at any point and run again.
"""

from __future__ import annotations

import json
import logging
import secrets
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from catalog.serve.superset.server.options import Options
from warehouse.secret_files import write_secret

FIRST_ACCOUNT = "admin"
log = logging.getLogger("gridlake.superset")


def database(options: Options) -> None:
    """Superset's tables in their newest form, its permissions, and one account where there is none."""
    from flask_migrate import upgrade
    from superset import appbuilder, db, security_manager
    from superset.app import create_app

    from catalog.serve.superset.server.guesses import prepare

    app = create_app()
    with app.app_context():
        log.info("Superset's tables")
        upgrade(directory=str(Path(sys.modules["superset"].__file__ or "").with_name("migrations")))
        uri = str(app.config["SQLALCHEMY_DATABASE_URI"])
        if uri.startswith("sqlite"):
            _suit_sqlite(options.home / "superset.db")
        prepare(db.engine)
        log.info("Superset's permissions")
        appbuilder.add_permissions(update_perms=True)
        security_manager.sync_role_definitions()
        _first_account(options, security_manager)


def _suit_sqlite(file: Path) -> None:
    """Let readers go on while somebody writes, and let two schemas hold data sets of one name, as in PostgreSQL.

    Superset's migrations leave a constraint in SQLite that they drop elsewhere: a data set's name would have to be
    unique over all schemas, and each of ours stands in two languages.
    """
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from sqlalchemy import create_engine, inspect

    with closing(sqlite3.connect(file)) as database_file:
        database_file.execute("PRAGMA journal_mode=WAL")
    engine = create_engine(f"sqlite:///{file}")
    if ["table_name"] not in [found["column_names"] for found in inspect(engine).get_unique_constraints("tables")]:
        return
    named = {"uq": "uq_%(table_name)s_%(column_0_name)s"}
    with (
        engine.begin() as connection,
        Operations(MigrationContext.configure(connection)).batch_alter_table(
            "tables", naming_convention=named
        ) as table,
    ):
        table.drop_constraint("uq_tables_table_name", type_="unique")


def _first_account(options: Options, security_manager: Any) -> None:
    if security_manager.get_all_users():
        return
    password = secrets.token_urlsafe(18)
    # The file first: an account whose password nobody knows would lock everybody out.
    write_secret(options.password_file, password)
    added = security_manager.add_user(
        FIRST_ACCOUNT,
        "系统管理员",
        "Administrator",
        "admin@gridlake.test",
        security_manager.find_role("Admin"),
        password,
    )
    if not added:
        raise RuntimeError("the first account could not be made; read the log above")
    log.info("account %s; its password is in %s", FIRST_ACCOUNT, options.password_file)


def content(options: Options) -> None:
    """Dashboards, charts, data sets, roles and row rules as the bundle says; what it no longer names is removed."""
    from flask import g
    from superset.app import create_app

    folder = options.bundle_folder
    assets = {
        path.relative_to(folder / "assets").as_posix(): path.read_text(encoding="utf-8")
        for path in sorted((folder / "assets").rglob("*.yaml"))
    }
    access = json.loads((folder / "access.json").read_text(encoding="utf-8"))
    app = create_app()
    with app.test_request_context():
        # Superset's models can be imported only once there is an application.
        from superset import security_manager
        from superset.commands.importers.v1.assets import ImportAssetsCommand
        from superset.utils.decorators import transaction

        from catalog.serve.superset.server.roles import apply_access, link_layers, remove_obsolete

        g.user = security_manager.find_user(FIRST_ACCOUNT) or _any_admin(security_manager)

        @transaction(on_error=None)
        def everything() -> None:
            ImportAssetsCommand(assets).run()
            link_layers()
            remove_obsolete(assets)
            apply_access(access)

        everything()
    log.info("%d files of dashboards, %d roles, %d row rules", len(assets), len(access["roles"]), len(access["rows"]))


def _any_admin(security_manager: Any) -> Any:
    for user in security_manager.get_all_users():
        if any(role.name == "Admin" for role in user.roles):
            return user
    raise RuntimeError("no account has the role Admin; give it to one with `gridlake accounts set <name> --role admin`")


def main() -> None:
    """Do the part that is named."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    log.setLevel(logging.INFO)
    options = Options.from_environment()
    parts = {"database": database, "content": content}
    parts[sys.argv[1]](options)


if __name__ == "__main__":
    main()
