"""The reader's language: which twin of a dashboard is shown, which ones the lists name, and Superset's own words.

Each dashboard, chart and data set of ours stands in Superset twice, once in each language. People see those of the
language that they chose; programs that sign in by a token see all. What people made themselves is left alone.
"""

from __future__ import annotations

import csv
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, redirect, request, session
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.http import generate_etag

from catalog.serve.superset.ids import ENGLISH_SUFFIX

_DEFAULT = "zh"
_WORDS = Path(__file__).with_name("words_zh.csv")
_PACK = "/superset/language_pack/zh/"
_PAGE = re.compile(r"/superset/dashboard/(?P<slug>[a-z0-9-]+)/?")
_FRAME = re.compile(r"/embedded/(?P<uuid>[0-9a-f-]{36})/?")
# Superset's own name of the parameter that sets the language of one request.
_LANGUAGE_OF_REQUEST = "_l_"


def install(app: Flask) -> None:
    """Add the hooks; before Superset makes its lists' addresses."""
    app.before_request(_dashboard_in_the_readers_language)
    app.before_request(_frame_in_its_dashboards_language)
    app.before_request(_words)
    _narrow_lists()


def _reader() -> str:
    return str(session.get("locale") or _DEFAULT)


def _dashboard_in_the_readers_language() -> Any:
    match = _PAGE.fullmatch(request.path)
    if match is None or request.method != "GET":
        return None
    slug = match["slug"]
    wants_english = _reader() == "en"
    if slug.endswith(ENGLISH_SUFFIX) == wants_english:
        return None
    other = slug + ENGLISH_SUFFIX if wants_english else slug.removesuffix(ENGLISH_SUFFIX)
    if not _is_dashboard(other):
        return None
    query = f"?{request.query_string.decode()}" if request.query_string else ""
    return redirect(f"/superset/dashboard/{other}/{query}")


def _is_dashboard(slug: str) -> bool:
    from superset import db
    from superset.models.dashboard import Dashboard

    return bool(db.session.query(db.session.query(Dashboard).filter_by(slug=slug).exists()).scalar())


def _frame_in_its_dashboards_language() -> None:
    """Who sees a dashboard inside another site's page chose no language here: the dashboard's is taken."""
    match = _FRAME.fullmatch(request.path)
    if match is None:
        return
    from superset.daos.dashboard import EmbeddedDashboardDAO

    embedded = EmbeddedDashboardDAO.find_by_id(match["uuid"])
    if embedded and embedded.dashboard.is_managed_externally:
        language = "en" if str(embedded.dashboard.slug).endswith(ENGLISH_SUFFIX) else _DEFAULT
        request.args = ImmutableMultiDict({**request.args, _LANGUAGE_OF_REQUEST: language})


def _words() -> Response | None:
    """Superset's Chinese with our corrections."""
    if request.path != _PACK:
        return None
    text, tag = _chinese_words()
    answer = Response(text, mimetype="application/json")
    answer.set_etag(tag)
    answer.cache_control.no_cache = True
    return answer.make_conditional(request)


@cache
def _chinese_words() -> tuple[bytes, str]:
    """Superset's Chinese language pack (JSON) with the corrections of `words_zh.csv` laid over it, and its ETag."""
    import superset

    file = Path(superset.__file__).parent / "translations" / "zh" / "LC_MESSAGES" / "messages.json"
    pack = json.loads(file.read_text(encoding="utf-8"))
    with _WORDS.open(encoding="utf-8", newline="") as words:
        pack["locale_data"]["superset"] |= {row["english"]: [row["chinese"]] for row in csv.DictReader(words)}
    text = json.dumps(pack, ensure_ascii=False).encode()
    return text, generate_etag(text)


def _narrow_lists() -> None:
    """Lists of dashboards, charts and data sets leave out those of ours that are in the other language."""
    from flask_appbuilder.models.filters import BaseFilter
    from superset.charts.api import ChartRestApi
    from superset.connectors.sqla.models import SqlaTable
    from superset.dashboards.api import DashboardRestApi
    from superset.datasets.api import DatasetRestApi
    from superset.models.dashboard import Dashboard
    from superset.models.slice import Slice

    is_english = {
        "/api/v1/dashboard/": Dashboard.slug.like(f"%{ENGLISH_SUFFIX}"),
        "/api/v1/chart/": Slice.table.has(SqlaTable.schema == "en"),
        "/api/v1/dataset/": SqlaTable.schema == "en",
    }

    class ReadersLanguage(BaseFilter):
        """Rows in the reader's language, and those that people made."""

        def apply(self, query: Any, value: Any) -> Any:
            english = is_english.get(request.path)
            if english is None or request.method != "GET" or "Authorization" in request.headers:
                return query
            other = ~english if _reader() == "en" else english
            return query.filter(~(self.model.is_managed_externally.is_(True) & other))

    for api in (DashboardRestApi, ChartRestApi, DatasetRestApi):
        api.base_filters = [*api.base_filters, ["id", ReadersLanguage, list]]
