"""What a request for a chart's data may look like: what is wrong in it is told with its place, before anything is done.

Belongs here: the shape of what pages and programs send, and which addresses answer at all. What a query may read is
judged in `reading` and `gate`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from flask import Flask, Response, jsonify, request

from warehouse.lake.expressions import ExpressionRefused, refuse_unless_expression

# Layers of a map come by Superset's older address.
LAYERS = "/superset/explore_json/"
CHART_DATA = re.compile(rf"/api/v1/chart/(?:data|\d+/data/?)|{LAYERS}")
_DATA_SET_OF_ADDRESS = re.compile(r"/superset/explore_json/.+")
# `query` is a result of SQL Lab that an analyst makes a chart of.
_DATA_SET_TYPES = ("table", "query")
# Lists of a query, and of what their parts are.
_NAMES: tuple[type, ...] = (str, dict)
_LISTS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("columns", "groupby", "metrics", "series_columns"), _NAMES),
    **dict.fromkeys(("filters", "annotation_layers"), (dict,)),
    "orderby": (list,),
}
_KIND_NAMES: dict[type, tuple[str, str]] = {
    dict: ("对象", "an object"),
    list: ("列表", "a list"),
    str: ("文字", "a text"),
}
_SQL_KEYS = ("sqlExpression", "where", "having")


class WrongRequest(ValueError):
    """A part of a request cannot be what it is; the message names the place."""


def install(app: Flask) -> None:
    """Refuse what is wrong before Superset sees it."""
    app.before_request(_refuse)


def body() -> Any:
    """What a request for a chart asks for: JSON in the body, in a form's field (exports) or in the address."""
    if request.is_json:
        return request.get_json(silent=True)
    text = request.form.get("form_data") or request.args.get("form_data")
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None


def _refuse() -> tuple[Response, int] | None:
    if request.path.startswith(f"{LAYERS}data/"):
        # Kept answers by their key, whoever asks; no page of ours has them.
        return jsonify(message="没有此地址。 / There is no such address."), 404
    if not CHART_DATA.fullmatch(request.path) and not _DATA_SET_OF_ADDRESS.fullmatch(request.path):
        return None
    asked = body()
    try:
        if request.method == "POST":
            refuse_wrong_shape(asked, is_layer=request.path.startswith(LAYERS))
        for place, text in expressions_in(asked):
            try:
                refuse_unless_expression(text)
            except ExpressionRefused as error:
                raise WrongRequest(f"{place}: {error}") from None
    except WrongRequest as error:
        return jsonify(message=str(error)), 400
    if request.path.startswith(LAYERS):
        # The layers of a map come by GET, whose answers Superset keeps by their address alone: one account would be
        # shown another's rows. It keeps none of a POST.
        request.method = "POST"
    return None


def expressions_in(asked: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a request that Superset takes as SQL, with its place."""
    if isinstance(asked, dict):
        for key, value in asked.items():
            within = f"{place}.{key}" if place else str(key)
            if key in _SQL_KEYS and isinstance(value, str):
                if value.strip():
                    yield within, value
            else:
                yield from expressions_in(value, within)
    elif isinstance(asked, list):
        for number, value in enumerate(asked):
            yield from expressions_in(value, f"{place}[{number}]")


def refuse_wrong_shape(asked: Any, *, is_layer: bool = False) -> None:
    """Let a request pass whose parts are of their kinds.

    Args:
        asked: the request of a chart, or with `is_layer` the form data of one layer of a map.
        is_layer: what stands in `queries` elsewhere stands at the top there.

    Raises:
        WrongRequest: naming the part.
    """
    _must(asked, "request", dict)
    if is_layer:
        return
    source = _must(asked.get("datasource"), "datasource", dict)
    if source.get("type") not in _DATA_SET_TYPES:
        raise WrongRequest(f"datasource.type: 须为 {_DATA_SET_TYPES} 之一。 / It must be one of {_DATA_SET_TYPES}.")
    if not re.fullmatch(r"[1-9][0-9]{0,8}", str(source.get("id"))):
        raise WrongRequest("datasource.id: 须为数据集编号。 / It must be the number of a data set.")
    _must(asked.get("form_data"), "form_data", dict, is_optional=True)
    queries = _must(asked.get("queries"), "queries", list)
    for number, query in enumerate(queries):
        place = f"queries[{number}]"
        _must(query, place, dict)
        for key, kinds in _LISTS.items():
            found = query.get(key)
            _must(found, f"{place}.{key}", list, is_optional=True)
            for position, item in enumerate(found or []):
                _must(item, f"{place}.{key}[{position}]", *kinds)
        for key in ("extras", "url_params", "applied_time_extras"):
            _must(query.get(key), f"{place}.{key}", dict, is_optional=True)


def _must(value: Any, place: str, *kinds: type, is_optional: bool = False) -> Any:
    if (is_optional and value is None) or (isinstance(value, kinds) and value != ""):
        return value
    wanted = [_KIND_NAMES[kind] for kind in kinds]
    chinese, english = "或".join(zh for zh, _ in wanted), " or ".join(en for _, en in wanted)
    raise WrongRequest(f"{place}: 须为{chinese}。 / It must be {english}.")
