"""Which version of the data a request reads: all charts of one page load read the same one.

Superset loads each chart by a request of its own, some of them minutes after the page (when they are scrolled
into view), so "the newest version" would mix versions on one page. Instead each page load gets a token that is
bound to the version of that moment; Superset's pages send it back with every chart (`form_data.url_params`).
A forced refresh moves the token on to the newest version, once for all charts of the refresh. A refresh has no name
of its own in what the pages send; it is known by this: it asks for each chart once, one soon after the other.
"""

from __future__ import annotations

import fcntl
import json
import re
import secrets
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

TOKEN = "page"  # noqa: S105  the name of a parameter
HEADER = "X-GridLake-Version"
_TOKEN_FORM = re.compile(r"[0-9a-f]{32}")
# The charts of one refresh follow each other within this time; after a longer pause it is another refresh.
_PAUSE_SECONDS = 20.0
_KEEP_SECONDS = 2 * 86400.0


class VersionGone(Exception):
    """The page shows a version that is no longer kept."""


@dataclass(frozen=True)
class _Page:
    """One page load: its version, when it was loaded or last refreshed, and the charts of that refresh so far."""

    version: str
    at: float
    refreshed: list[str]

    def as_json(self) -> str:
        return json.dumps(asdict(self))


class Pages:
    """The pages that were loaded and the version each reads; shared by all worker processes through a folder."""

    def __init__(self, folder: Path, serving: Path) -> None:
        """Keep the tokens in `folder`; `serving` is the symlink to the newest version."""
        self._folder = folder
        self._serving = serving
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def newest(self) -> str:
        """File name of the newest version.

        Raises:
            FileNotFoundError: nothing has been published yet.
        """
        return self._serving.readlink().name

    def path(self, version: str) -> Path:
        """Where the version's file is."""
        return self._serving.with_name(version)

    def new_token(self) -> str:
        """A token for one page load, bound to the newest version."""
        token = secrets.token_hex(16)
        (self._folder / token).write_text(_Page(self.newest(), time.time(), []).as_json(), encoding="utf-8")
        self._forget_old()
        return token

    def version(self, token: str | None, *, refreshed: str | None = None) -> str:
        """The version that a request reads.

        Args:
            token: of the page, or None for a request that belongs to none; then it is the newest version.
            refreshed: the chart, where the request is part of a refresh ("" where it is not known which): the page
                goes on to the newest version.

        Raises:
            VersionGone: the page's version is no longer kept; a refresh helps.
            FileNotFoundError: nothing has been published yet.
        """
        if token is None or not _TOKEN_FORM.fullmatch(token):
            return self.newest()
        try:
            handle = (self._folder / token).open("r+", encoding="utf-8")
        except FileNotFoundError:
            return self.newest()
        with handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            try:
                page = _Page(**json.loads(handle.read()))
            except ValueError:
                # A process was killed while it wrote.
                return self.newest()
            if refreshed is not None:
                is_again = refreshed != "" and refreshed in page.refreshed
                if is_again or time.time() - page.at > _PAUSE_SECONDS:
                    page = _Page(self.newest(), 0, [])
                page = _Page(page.version, time.time(), [*page.refreshed, refreshed])
                handle.seek(0)
                handle.truncate()
                handle.write(page.as_json())
        if not self.path(page.version).exists():
            raise VersionGone(
                "这一页的数据版本已不再保留，请刷新看板。"
                f" / The version that this page shows ({page.version}) is no longer kept: refresh the dashboard."
            )
        return page.version

    def _forget_old(self) -> None:
        if secrets.randbelow(100):
            return
        oldest = time.time() - _KEEP_SECONDS
        for file in self._folder.iterdir():
            try:
                if file.stat().st_mtime < oldest:
                    file.unlink()
            except FileNotFoundError:
                continue


def token_of(body: Any) -> str | None:
    """The page token in the body of a chart's request."""
    places = []
    if isinstance(body, dict):
        places = [body, body.get("form_data"), *(body.get("queries") or [])]
    for place in places:
        if isinstance(place, dict) and isinstance(place.get("url_params"), dict):
            token = place["url_params"].get(TOKEN)
            if isinstance(token, str):
                return token
    return None


def refreshed_chart(body: Any) -> str | None:
    """Name of the chart or filter that a request asks to be computed anew; None where it does not ask that."""
    if not isinstance(body, dict):
        return None
    form_data = body.get("form_data")
    asked = form_data if isinstance(form_data, dict) else body
    if True not in (body.get("force"), asked.get("force")):
        return None
    return str(asked.get("native_filter_id") or asked.get("slice_id") or "")


def with_token(charts: str, token: str) -> str:
    """The answer of `/api/v1/dashboard/<id>/charts` (JSON), every chart carrying the token."""
    document = json.loads(charts)
    for chart in document.get("result", []):
        _carry(chart, token)
    return json.dumps(document, ensure_ascii=False)


def layers_with_token(answer: str, token: str) -> str:
    """The answer of a map of several layers (JSON), every layer carrying the token of the page.

    The page then asks for each layer with the form data that stand in this answer. The answer of a layer without a row
    says so in the way that the page understands; Superset's own null makes it report an error.
    """
    document = json.loads(answer)
    data = document.get("data")
    if data is None and document.get("status") == "success":
        return json.dumps({**document, "data": {"features": []}}, ensure_ascii=False)
    layers = data.get("slices") if isinstance(data, dict) else None
    if not isinstance(layers, list):
        return answer
    for layer in layers:
        _carry(layer, token)
    return json.dumps(document, ensure_ascii=False)


def _carry(chart: dict[str, Any], token: str) -> None:
    form_data = chart.setdefault("form_data", {})
    form_data["url_params"] = {**(form_data.get("url_params") or {}), TOKEN: token}
