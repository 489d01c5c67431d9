"""What a map of several layers shows at first: the areas that are drawn, and not what lies somewhere outside of them.

Superset asks each layer twice: once to draw it, and before that once on the server, without the layer's own filters, to
see where the map is. That made the map of a city small around a stray point, and sent every row twice. Here only the
areas are asked for the extent, with their own filters.
"""

from __future__ import annotations

from typing import Any

_AREAS = "deck_polygon"


def install() -> None:
    """Replace how Superset finds the extent."""
    from superset.viz import DeckGLMultiLayer

    DeckGLMultiLayer.get_data = _data


def _data(viz: Any, _: Any) -> dict[str, Any]:
    """What the page of a map gets: its layers' charts, and of the areas among them (else of all) where they are."""
    from flask import current_app
    from superset import db
    from superset.models.slice import Slice

    found = db.session.query(Slice).filter(Slice.id.in_(viz.form_data.get("deck_slices") or [])).all()
    layers = [(layer, _features(viz, layer, number)) for number, layer in enumerate(found) if layer.viz_type == _AREAS]
    if not any(features for _, features in layers):
        layers = [(layer, _features(viz, layer, number)) for number, layer in enumerate(found)]
    together: dict[str, list[Any]] = {}
    for layer, features in layers:
        together.setdefault(layer.viz_type, []).extend(features)
    return {
        "features": together,
        "mapboxApiKey": current_app.config["MAPBOX_API_KEY"],
        "slices": [layer.data for layer in found if layer.data is not None],
    }


def _features(viz: Any, layer: Any, number: int) -> list[Any]:
    from superset.viz import viz_types

    form_data = layer.form_data
    own = list(form_data.get("adhoc_filters") or [])
    form_data = viz._apply_layer_filtering(form_data, number)
    form_data["adhoc_filters"] = own + list(form_data.get("adhoc_filters") or [])
    payload = viz_types[layer.viz_type](datasource=layer.datasource, form_data=form_data).get_payload()
    return list((payload.get("data") or {}).get("features") or [])
