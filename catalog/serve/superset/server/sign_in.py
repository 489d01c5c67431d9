"""The doors that take a password: too many wrong ones are answered with the time to wait, in both languages."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from functools import cache
from typing import Any

from flask import Flask, Response, current_app, g, jsonify, render_template_string, request, session

from catalog.serve.superset.server.guesses import Guesses, Refused
from warehouse.secret_files import derived

_API = "/api/v1/security/login"
_LONGEST_NAME = 256
log = logging.getLogger("gridlake.superset")
_PAGE = """<!doctype html>
<html lang="zh">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>GridLake</title>
<style>
  body { margin: 15vh auto; max-width: 34em; padding: 0 1em; color: #1f2937 }
  body { font-family: "Noto Sans CJK SC", "Microsoft YaHei", sans-serif }
</style>
<h1>请稍后再试 / Try again later</h1>
<p>密码输错次数过多，请在 {{ minutes }} 分钟后再试。</p>
<p lang="en">Too many wrong passwords: try again in {{ minutes }} minutes.</p>
<p><a href="/login/">返回登录 / Back to the sign-in page</a></p>
</html>
"""


def install(app: Flask) -> None:
    """Count wrong passwords wherever one is looked at; before Superset makes its addresses."""
    from superset.security import SupersetSecurityManager

    SupersetSecurityManager.auth_user_db = _braked(SupersetSecurityManager.auth_user_db)
    app.before_request(_refuse_other_providers)
    app.after_request(_told_to_wait)


def _braked(look: Callable[..., Any]) -> Callable[..., Any]:
    """Superset's look at a password, with the limit in front of it."""

    def auth_user_db(manager: Any, username: Any, password: Any) -> Any:
        typed = str(username or "")[:_LONGEST_NAME]
        user = manager.find_user(username=typed) or manager.find_user(email=typed) if typed else None
        name = str(user.username) if user else "an unknown account"
        address = str(request.remote_addr)
        guesses = _guesses(str(current_app.config["SECRET_KEY"]))
        attempt = guesses.begin(f"id {user.id}" if user else f"name {typed.lower()}", address)
        if isinstance(attempt, Refused):
            g.gridlake_wait = attempt.seconds
            return None
        found = look(manager, username, password)
        if found:
            guesses.good(attempt)
        elif guesses.is_last(attempt):
            log.warning("too many wrong passwords for %s from %s: refused for some time", name, address)
        else:
            log.info("wrong password for %s from %s", name, address)
        return found

    return auth_user_db


@cache
def _guesses(secret: str) -> Guesses:
    from superset import db

    return Guesses(db.engine, derived(secret, "guesses"))


def _refuse_other_providers() -> tuple[Response, int] | None:
    """Passwords are looked at in Superset's own tables only; Superset fails over the others."""
    if request.path.rstrip("/") != _API or request.method != "POST":
        return None
    asked = request.get_json(silent=True)
    is_wrong = not isinstance(asked, dict) or not all(isinstance(asked.get(k), str) for k in ("username", "password"))
    if is_wrong or asked.get("provider", "db") != "db":
        return jsonify(message="须有 username、password 和 provider=db。 / Send username, password, provider=db."), 400
    return None


def _told_to_wait(response: Response) -> Response:
    seconds = g.get("gridlake_wait")
    if seconds is None:
        return response
    minutes = math.ceil(seconds / 60)
    if request.path.startswith("/api/"):
        chinese = f"密码输错次数过多，请在 {minutes} 分钟后再试。"
        answer = jsonify(message=f"{chinese} / Too many wrong passwords: try again in {minutes} minutes.")
    else:
        # What Superset would say on its next page: that the password was wrong, which nobody has looked at.
        session.pop("_flashes", None)
        answer = Response(render_template_string(_PAGE, minutes=minutes), mimetype="text/html")
    answer.status_code = 429
    answer.headers["Retry-After"] = str(seconds)
    answer.headers["Cache-Control"] = "no-store"
    return answer
