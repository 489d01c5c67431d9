"""Superset's pages say nothing to the outside, and its log says what somebody can act on.

The pages of the released package fetch a picture from a counting service on every load, and no setting turns that
off. The content security policy stops it, but each page then reports an error; so the scripts that name the service
are served without it.
"""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path

from flask import Flask, Response, request

_COUNTER = b"https://apachesuperset.gateway.scarf.sh/pixel/"
# An empty picture; what the script appends to the address falls behind the #.
_EMPTY = b"data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7#"
_YEAR = 365 * 86400
# What Superset warns of at every page or chart, and nobody can change: logger -> how the line begins.
# Of wrong passwords `sign_in` tells: the name that was typed may be somebody's password.
_EVERY_TIME = {
    "": "Failed to add user to db session",
    "superset.views.base": "%s.%s This API endpoint is deprecated",
    "flask_appbuilder.security.manager": "Login Failed for user",
}


class _Without(logging.Filter):
    """Leaves out the lines that begin so."""

    def __init__(self, beginning: str) -> None:
        super().__init__()
        self._beginning = beginning

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written."""
        return not str(record.msg).startswith(self._beginning)


def install(app: Flask) -> None:
    """Serve the scripts that name the counting service without it, and leave lines out of the log."""
    for name, beginning in _EVERY_TIME.items():
        logging.getLogger(name).addFilter(_Without(beginning))
    logging.getLogger("superset.viz").setLevel(logging.WARNING)
    spec = find_spec("superset")
    assets = Path(spec.origin or "").parent / "static" / "assets" if spec else Path()
    quiet = {
        f"/static/assets/{file.name}": text for file in assets.glob("*.js") if _COUNTER in (text := file.read_bytes())
    }

    @app.before_request
    def without_counter() -> Response | None:
        text = quiet.get(request.path)
        if text is None:
            return None
        answer = Response(text.replace(_COUNTER, _EMPTY), mimetype="text/javascript")
        # The name changes with the content, as for all of Superset's scripts.
        answer.cache_control.public = True
        answer.cache_control.max_age = _YEAR
        return answer
