"""The public dashboard inside another page: the page, and the guest token that it needs.

A guest sees the published index and nothing else (role `gridlake guest`). The token names one dashboard, holds for
five minutes, and is handed to anybody who asks, because what it opens is published.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, abort, jsonify, render_template_string, request

from catalog.serve.superset.ids import PUBLIC_SLUG, dashboard_slug

if TYPE_CHECKING:
    from catalog.serve.superset.definition import Language

blueprint = Blueprint("gridlake_embedded", __name__, url_prefix="/gridlake/embedded")

# The page speaks the protocol of Superset's embedding kit: a message port is handed to the frame, the token follows
# over it and is renewed before it ends.
_PAGE = """<!doctype html>
<html lang="{{ language }}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{ title }}</title>
<link rel="icon" href="/static/assets/images/favicon.png">
<style>
  body { margin: 0; font-family: "Noto Sans CJK SC", "Microsoft YaHei", sans-serif }
  body { color: #1f2937; background: #f3f4f6 }
  header { padding: 16px 24px; background: #fff; border-bottom: 1px solid #d1d5db }
  h1 { font-size: 20px; margin: 0 0 4px } p { margin: 0; font-size: 14px; color: #4b5563 }
  iframe { border: 0; width: 100%; height: calc(100vh - 76px); display: block }
</style>
<header><h1>{{ title }}</h1><p>{{ note }}</p></header>
<iframe id="board" sandbox="allow-same-origin allow-scripts allow-forms allow-popups allow-downloads"></iframe>
<script nonce="{{ csp_nonce() }}">
  const board = document.getElementById("board");
  const token = async () => (await (await fetch("{{ token_address }}", {cache: "no-store"})).json()).token;
  board.addEventListener("load", async () => {
    const channel = new MessageChannel();
    const send = (method, args) =>
      channel.port1.postMessage({switchboardAction: "emit", method: method, args: args});
    board.contentWindow.postMessage(
      {type: "__embedded_comms__", handshake: "port transfer"}, location.origin, [channel.port2]);
    channel.port1.start();
    send("guestToken", {guestToken: await token()});
    setInterval(async () => send("guestToken", {guestToken: await token()}), 240000);
  });
  board.src = "{{ frame_address }}";
</script>
</html>
"""
_WORDS = {
    "zh": ("公开案件办理指数", "另一个网站可以用访客令牌把这块看板嵌入自己的页面。本页就是这样一个页面。"),
    "en": ("Public case handling index", "Another site can show this dashboard by a guest token. This page does so."),
}


@blueprint.get("/")
def page() -> str:
    """A page that shows the public dashboard by a guest token; `?language=en` for English."""
    language = _language()
    title, note = _WORDS[language]
    return render_template_string(
        _PAGE,
        language=language,
        title=title,
        note=note,
        token_address=f"token?language={language}",
        frame_address=f"/embedded/{_embedded_id(language)}?uiConfig=3",
    )


@blueprint.get("/token")
def token() -> Response:
    """A guest token for the public dashboard, as JSON `{"token": …, "dashboard": …}`."""
    from superset import security_manager
    from superset.security.guest_token import GuestTokenResourceType

    dashboard = _embedded_id(_language())
    text = security_manager.create_guest_access_token(
        {"username": "guest", "first_name": "", "last_name": ""},
        [{"type": GuestTokenResourceType.DASHBOARD.value, "id": dashboard}],
        [],
    )
    answer = jsonify(token=text if isinstance(text, str) else text.decode(), dashboard=dashboard)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _language() -> Language:
    return "en" if request.args.get("language") == "en" else "zh"


def _embedded_id(language: Language) -> str:
    from superset import db
    from superset.models.dashboard import Dashboard

    slug = dashboard_slug(PUBLIC_SLUG, language)
    found: Any = db.session.query(Dashboard).filter_by(slug=slug).one_or_none()
    if found is None or not found.embedded:
        abort(404)
    return str(found.embedded[0].uuid)
