"""Accounts of Superset: add, change, remove, list. Run by `gridlake accounts` in Superset's environment.

Requests come as a JSON list over standard input and their answers go out over standard output, so that no password
ever stands in a command line.
"""

from __future__ import annotations

import json
import secrets
import sys
from typing import Any

from catalog.serve.superset.server.keys import LastAdministrator
from catalog.serve.superset.server.options import Options
from warehouse.secret_files import write_secret


def main() -> None:
    """Answer the requests of this process, up to the first that cannot be met."""
    requests = json.load(sys.stdin)
    # Whatever Superset prints while it starts must not stand in the answer.
    answer_to, sys.stdout = sys.stdout, sys.stderr
    from superset.app import create_app

    answers = []
    with create_app().app_context():
        for request in requests:
            answers.append(_answer(request))
            if "problem" in answers[-1]:
                break
    json.dump(answers, answer_to, ensure_ascii=False)


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    from superset import db

    try:
        return {"list": _list, "set": _set, "remove": _remove}[request["action"]](request)
    except LastAdministrator:
        db.session.rollback()
        fix = "give another account the role admin first"
        return {"problem": "is the last administrator", "value": request["name"], "known": [], "fix": fix}


def _list(_: dict[str, Any]) -> dict[str, Any]:
    from superset import security_manager

    return {
        "accounts": [
            {"name": user.username, "roles": sorted(role.name for role in user.roles), "is_active": bool(user.active)}
            for user in sorted(security_manager.get_all_users(), key=lambda user: str(user.username))
        ]
    }


def _set(request: dict[str, Any]) -> dict[str, Any]:
    """Add the account, or open it again with other roles; a new password unless it was open and none is asked for."""
    from superset import db, security_manager

    roles = [security_manager.find_role(name) for name in request["roles"]]
    if None in roles:
        known = sorted(role.name for role in security_manager.get_all_roles())
        return {"problem": "there is no such role", "value": request["roles"][roles.index(None)], "known": known}
    user = security_manager.find_user(request["name"])
    is_new = user is None
    if not is_new:
        was_open, user.roles, user.active = user.active, roles, True
        db.session.commit()  # refused for the last administrator, before its file is written
        if was_open and not request["is_new_password"]:
            return {"is_new": False, "password_file": None}
    password = secrets.token_urlsafe(18)
    file = Options.from_environment().home / "passwords" / request["name"]
    write_secret(file, password)
    if is_new:
        address = f"{request['name']}@gridlake.test"
        if not security_manager.add_user(request["name"], request["name"], "GridLake", address, roles, password):
            return {"problem": "Superset refused the account", "value": request["name"], "known": []}
    else:
        security_manager.reset_password(user.id, password)
        db.session.commit()
    return {"is_new": is_new, "password_file": str(file)}


def _remove(request: dict[str, Any]) -> dict[str, Any]:
    """Close the account: what it made stays, and nobody can come in by it."""
    from superset import db, security_manager

    user = security_manager.find_user(request["name"])
    if user is None:
        return {"problem": "there is no such account", "value": request["name"], "known": []}
    user.active = False
    user.roles = []
    db.session.commit()
    return {}


if __name__ == "__main__":
    main()
