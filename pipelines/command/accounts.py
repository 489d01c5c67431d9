"""`gridlake accounts`: who may come into Superset, and as what."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated

import typer

from pipelines.command.console import city_settings, out, told
from warehouse.errors import SettingsError

app = typer.Typer(no_args_is_help=True, help="Accounts of Superset.")


class AccountRole(StrEnum):
    """What an account may be; `access.yml` says what each may see."""

    admin = "admin"
    steward = "steward"
    analyst = "analyst"
    leader = "leader"
    department = "department"


@app.command("set")
def set_account(
    name: Annotated[str, typer.Argument(help="Letters, digits, . _ -")],
    role: Annotated[AccountRole, typer.Option(help="What the account may see and do.")],
    unit: Annotated[list[str] | None, typer.Option(help="For a department: its unit's id; may be repeated.")] = None,
    new_password: Annotated[bool, typer.Option(help="Make a new password for an account that is there.")] = False,
) -> None:
    """Add an account, or give it another role; the password is made and written to a file only you can read."""
    from pipelines.services.superset import accounts

    with told():
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
            raise SettingsError("is not a name for an account", where="name", value=name, fix="use letters and digits")
        roles = _superset_roles(role, unit or [])
        request = {"action": "set", "name": name, "roles": roles, "is_new_password": new_password}
        (answer,) = accounts(city_settings(), request)
    out.print(f"{'added' if answer['is_new'] else 'changed'}: {name} ({', '.join(roles)})")
    if answer["password_file"]:
        out.print(f"its password is in {answer['password_file']}", soft_wrap=True)


@app.command("remove")
def remove(name: Annotated[str, typer.Argument(help="The account.")]) -> None:
    """Close an account."""
    from pipelines.services.superset import accounts

    with told():
        accounts(city_settings(), {"action": "remove", "name": name})
    out.print(f"closed: {name}")


@app.command("list")
def list_accounts() -> None:
    """List the accounts and their roles."""
    from rich.table import Table

    from pipelines.services.superset import accounts

    with told():
        (answer,) = accounts(city_settings(), {"action": "list"})
    table = Table("account", "roles", "state")
    for account in answer["accounts"]:
        table.add_row(account["name"], ", ".join(account["roles"]), "open" if account["is_active"] else "closed")
    out.print(table)
    out.print(f"{len(answer['accounts'])} accounts")


def _superset_roles(role: AccountRole, units: list[str]) -> list[str]:
    from catalog.serve.superset.access import unit_role
    from catalog.serve.superset.ids import MARK

    if (role is AccountRole.department) != bool(units):
        raise SettingsError(
            "goes with --role department, and with no other role",
            where="--unit",
            value=units or None,
            fix="name the unit's id, as in core.dim_department",
        )
    if role is AccountRole.department:
        return [unit_role(unit) for unit in units]
    return ["Admin"] if role is AccountRole.admin else [MARK + role.value]
