"""Doors of Superset that stay shut: nobody needs them, and each shows or takes something.

What an account may do elsewhere is said by its role (`access.yml`).
"""

from __future__ import annotations

import re

from flask import Flask, Response, jsonify, request

# Accounts are made by `gridlake accounts` and on the administrators' pages, never by whoever comes along; the machine's
# software and the description of every address are nobody's business.
_SHUT = re.compile(
    r"/(?:register|registrations|api/v1/security/user_registrations|swagger|api/[^/]+/_openapi|version"
    r"|api/v1/database/oauth2|superset/file-handler|dynamic-plugins|extensions|superset/warm_up_cache|api/v1/available_domains)(?:/.*)?"
)


def install(app: Flask) -> None:
    """Answer 404 there."""
    app.before_request(_shut)


def _shut() -> tuple[Response, int] | None:
    return (jsonify(message="没有此页。 / There is no such page."), 404) if _SHUT.fullmatch(request.path) else None
