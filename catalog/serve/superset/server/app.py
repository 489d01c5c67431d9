"""What is added to Superset's web application: one version for each page load, and the other modules' hooks."""

from __future__ import annotations

import re
from pathlib import Path

from flask import Flask, Response, g, has_request_context, jsonify, request

from catalog.serve.superset.server.options import Options
from catalog.serve.superset.server.page_loads import (
    HEADER,
    Pages,
    VersionGone,
    layers_with_token,
    refreshed_chart,
    token_of,
    with_token,
)
from catalog.serve.superset.server.requests import CHART_DATA, LAYERS, body

_CHARTS = re.compile(r"/api/v1/dashboard/[^/]+/charts/?")
_COLOURS = re.compile(r"/api/v1/dashboard/(?P<id>\d+)/colors/?")

_options = Options.from_environment()
pages = Pages(_options.home / "pages", _options.serving)


def version_of_request() -> str:
    """The version that this request reads, the same at every call within it.

    Raises:
        VersionGone: the page's version is no longer kept.
        FileNotFoundError: nothing has been published yet.
    """
    if not has_request_context():
        return pages.newest()
    if "gridlake_version" not in g:
        sent = body()
        is_forced = request.args.get("force") == "true"
        asked = {**sent, "force": True} if is_forced and isinstance(sent, dict) else sent
        g.gridlake_version = pages.version(token_of(sent), refreshed=refreshed_chart(asked))
    return str(g.gridlake_version)


def path_of_request() -> Path:
    """The serving file that this request reads."""
    return pages.path(version_of_request())


def install(app: Flask) -> None:
    """Add the hooks (Superset's FLASK_APP_MUTATOR)."""
    from catalog.serve.superset.server import (
        ago,
        answers,
        doors,
        drill,
        extent,
        home,
        keys,
        language,
        people,
        quiet,
        reading,
        requests,
        sign_in,
    )
    from catalog.serve.superset.server.embedded import blueprint

    doors.install(app)
    quiet.install(app)
    sign_in.install(app)
    people.install(app)
    keys.install(_options.home)
    language.install(app)
    home.install(app)
    drill.install(app)
    extent.install()
    ago.install()
    answers.install()
    reading.install(app)
    requests.install(app)
    app.before_request(_recognise_bearer)
    app.before_request(_refuse_charts_without_data)
    app.before_request(_keep_colours)
    app.after_request(_mark)
    app.register_blueprint(blueprint)


def _recognise_bearer() -> None:
    """Who sends a token is that account everywhere.

    Where strangers may come in too, Superset does not look at the token, and would show an analyst's program what a
    stranger sees.
    """
    from flask_jwt_extended import verify_jwt_in_request

    if request.headers.get("Authorization", "").startswith("Bearer "):
        verify_jwt_in_request()


def _refuse_charts_without_data() -> tuple[Response, int] | None:
    if not CHART_DATA.fullmatch(request.path):
        return None
    try:
        version_of_request()
    except VersionGone as error:
        return jsonify(message=str(error)), 410
    except FileNotFoundError:
        text = "还没有发布任何数据，请先运行一次构建。 / Nothing has been published yet: run the city once."
        return jsonify(message=text), 503
    return None


def _keep_colours() -> Response | None:
    """Pages write back the colours that they gave to labels; those of our dashboards are given by their files."""
    match = _COLOURS.fullmatch(request.path)
    if match is None or request.method != "PUT":
        return None
    from superset import db
    from superset.models.dashboard import Dashboard

    dashboard = db.session.get(Dashboard, int(match["id"]))
    return jsonify(result={}) if dashboard is not None and dashboard.is_managed_externally else None


def _mark(response: Response) -> Response:
    if "gridlake_version" in g:
        response.headers[HEADER] = str(g.gridlake_version)
    if response.status_code == 200 and _CHARTS.fullmatch(request.path):
        try:
            token: str | None = pages.new_token()
        except FileNotFoundError:
            return response
        response.set_data(with_token(response.get_data(as_text=True), str(token)))
    elif response.status_code == 200 and request.path == LAYERS and (token := token_of(body())):
        response.set_data(layers_with_token(response.get_data(as_text=True), token))
    return response
