"""Where the lake stands with a data set, as a connector has to know it before it fetches."""

from __future__ import annotations

from dataclasses import replace

import duckdb

from pipelines.connectors.fetch import Fetch, Taken
from pipelines.landing.changes import position_of
from pipelines.landing.snapshots import leaves_gaps
from pipelines.landing.watermark import window_start
from pipelines.landing.withheld import refusal_of, withdrawn_contents
from warehouse.identifiers import literal


def standing(connection: duckdb.DuckDBPyConnection, fetch: Fetch, since: str | None) -> Fetch:
    """The same, with what the lake's records say of it.

    Args:
        connection: a session of the lake.
        fetch: what is declared.
        since: pull again from this cursor value, whatever the watermark says.

    Raises:
        SourceError: an overlap is declared for a cursor that is not a time.
    """
    source, entry = fetch.system.system, fetch.entry
    if fetch.system.files is not None:
        withdrawn = withdrawn_contents(connection, entry.dataset)
        return replace(
            fetch,
            taken=_taken(connection, entry.dataset),
            barred={digest: refusal_of(withdrawal) for digest, withdrawal in withdrawn.items()},
            is_by_snapshot=leaves_gaps(entry, fetch.contract),
        )
    return replace(
        fetch,
        position=position_of(connection, source, entry.dataset),
        begin=window_start(connection, source, entry.dataset, entry.cursor, since) if entry.cursor else None,
    )


def _taken(connection: duckdb.DuckDBPyConnection, dataset: str) -> dict[str, Taken]:
    """What was last taken from each path, also where it was withdrawn since: its file lies there all the same."""
    return {
        uri: Taken(digest, delivery_id)
        for uri, digest, delivery_id in connection.execute(
            "SELECT uri, content_hash, delivery_id FROM (SELECT dataset, uri, content_hash, delivery_id, load_seq"
            " FROM lake.ops.load UNION ALL SELECT dataset, uri, content_hash, delivery_id, load_seq"
            f" FROM lake.ops.withdrawn_load) WHERE dataset = {literal(dataset)}"
            " QUALIFY row_number() OVER (PARTITION BY uri ORDER BY load_seq DESC, delivery_id) = 1"
        ).fetchall()
    }
