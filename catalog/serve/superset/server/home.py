"""Where an account begins: who only looks at pages is sent to the city's health, analysts to Superset's own home."""

from __future__ import annotations

from typing import Any

from flask import Flask, redirect, request

_WELCOME = "/superset/welcome/"
_FIRST_PAGE = "/superset/dashboard/city-health/"


def install(app: Flask) -> None:
    """Add the hook."""
    app.before_request(_first_page)


def _first_page() -> Any:
    if request.path != _WELCOME or request.method != "GET":
        return None
    from superset import security_manager

    # Charts and queries of one's own are on Superset's home; without SQL Lab there are none.
    if security_manager.current_user is None or security_manager.can_access("menu_access", "SQL Lab"):
        return None
    return redirect(_FIRST_PAGE)
