"""The dbt-duckdb plugin that makes dbt work offline: extensions are loaded by path before the lake is attached.

Belongs here: what a dbt connection needs before ATTACH. `extensions:` in profiles.yml is no alternative,
because it runs INSTALL, which asks the network.
"""

from __future__ import annotations

from typing import Any

import duckdb
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.plugins import BasePlugin

from warehouse.lake.extensions import OFFLINE_CONFIG, load_extensions

# Both catalogue engines are loaded: which one a lake uses is told by a setting.
EXTENSIONS = ("ducklake", "spatial", "sqlite_scanner", "postgres_scanner")


class Plugin(BasePlugin):
    """Loads the extensions and switches off DuckDB's own downloads."""

    def update_connection_config(self, creds: DuckDBCredentials, config: dict[str, Any]) -> None:
        """Forbid DuckDB to fetch extensions; `config` is changed in place."""
        config.update(OFFLINE_CONFIG)

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Load every extension into `conn`, which dbt attaches the lake to afterwards.

        Raises:
            LakeError: an extension's wheel is not installed.
        """
        load_extensions(conn, EXTENSIONS)
