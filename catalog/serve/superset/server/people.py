"""Who learns of other people: strangers of nobody, an account of itself, administrators of everybody.

Superset names owners and authors, with ids and e-mail addresses, in lists, in what it tells of one object and in what
its pages offer to choose from. Here other people are taken out of what is answered. Ids stay for accounts: a page sends
an object's owners back when somebody saves it.
"""

from __future__ import annotations

import json
import re
from typing import Any

from flask import Flask, Response, g, jsonify, request

_ANSWERS = re.compile(r"/(?:api/v1|datasource|superset/explore_json|superset/fetch_datasource_metadata)\b.*")
# These hold rows of data, and nobody's name from Superset's own tables.
_DATA = re.compile(r"/api/v1/(?:chart/(?:data|\d+/data)|sqllab/(?:execute|results|export)).*")
# What Superset offers to choose from, and what it tells of its own forms.
_CHOICES = re.compile(r"/api/v1/[a-z_/]+/(?:related|distinct)/(?P<column>[a-z_]+)/?")
_INFO = re.compile(r"/api/v1/[a-z_/]+/_info/?")
_OWN = "/api/v1/me/"
_AVATAR = re.compile(r"/api/v1/user/\d+/avatar\.png")
# Keys under which people and roles stand: as objects, and as texts.
_ROLES = frozenset(("roles", "role", "groups"))
_OBJECTS = _ROLES | frozenset(
    (
        *("owners", "editors", "users", "user", "created_by", "changed_by", "last_saved_by", "owners_data"),
        *("created_by_fk", "changed_by_fk"),
    )
)
_TEXTS = frozenset(
    ("created_by_name", "changed_by_name", "creator", "modified", "changed_by_url", "email", "username", "owner")
)
_ADMINISTRATORS = "Admin"


def install(app: Flask) -> None:
    """Refuse lists of people, and take people out of the other answers."""
    app.after_request(_without_others)


def _is_stranger() -> bool:
    user = getattr(g, "user", None)
    return user is None or user.is_anonymous or bool(getattr(user, "is_guest_user", False))


def _is_administrator() -> bool:
    from superset import security_manager

    return not _is_stranger() and any(role.name == _ADMINISTRATORS for role in security_manager.get_user_roles())


def _without_others(response: Response) -> Response:
    if not _ANSWERS.fullmatch(request.path) or _DATA.fullmatch(request.path) or request.path.startswith(_OWN):
        return response
    choices = _CHOICES.fullmatch(request.path)
    if _is_stranger() and (choices or _INFO.fullmatch(request.path) or _AVATAR.fullmatch(request.path)):
        refused = jsonify(message="请先登录。 / Sign in first.")
        refused.status_code = 401
        return refused
    if not response.is_json or response.is_streamed or _is_administrator():
        return response
    try:
        answer = json.loads(response.get_data(as_text=True))
    except ValueError:
        return response
    own = None if _is_stranger() else g.user.id
    if choices and choices["column"] in _OBJECTS and isinstance(answer, dict):
        found = [choice for choice in answer.get("result") or [] if _is_own_choice(choice, own, choices["column"])]
        answer = {**answer, "count": len(found), "result": found}
    response.set_data(json.dumps(without_others(answer, own), ensure_ascii=False))
    return response


def _is_own_choice(choice: Any, own: int | None, column: str) -> bool:
    return own is not None and column not in _ROLES and isinstance(choice, dict) and choice.get("value") == own


def without_others(answer: Any, own: int | None) -> Any:
    """The answer without other people.

    Args:
        answer: what Superset answers, as JSON.
        own: id of the account that asks, or None for a stranger, who is told no ids either.
    """
    if isinstance(answer, list):
        return [without_others(part, own) for part in answer]
    if not isinstance(answer, dict):
        return answer
    return {key: _kept(str(key), value, own) for key, value in answer.items()}


def _kept(key: str, value: Any, own: int | None) -> Any:
    if key in _OBJECTS:
        return _only_own(value, None if key in _ROLES else own, is_id_kept=own is not None)
    if key in _TEXTS and isinstance(value, str):
        return ""
    return without_others(value, own)


def _only_own(value: Any, own: int | None, *, is_id_kept: bool) -> Any:
    """One or several people or roles: the account's own as they are, the others with their shape alone."""
    if isinstance(value, list):
        return [_only_own(part, own, is_id_kept=is_id_kept) for part in value] if is_id_kept else []
    if isinstance(value, dict):
        if own is not None and value.get("id") == own:
            return value
        return {key: part if key == "id" else "" for key, part in value.items() if key != "id" or is_id_kept}
    return "" if isinstance(value, str) else value if is_id_kept else None
