"""Superset's pages say nothing to the outside.

The pages of the released package fetch a picture from a counting service on every load, and no setting turns that
off. The content security policy stops it, but each page then reports an error; so the scripts that name the service
are served without it.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from flask import Flask, Response, request

_COUNTER = b"https://apachesuperset.gateway.scarf.sh/pixel/"
# An empty picture; what the script appends to the address falls behind the #.
_EMPTY = b"data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7#"
_YEAR = 365 * 86400


def install(app: Flask) -> None:
    """Serve the scripts that name the counting service without it."""
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
