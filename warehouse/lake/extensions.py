"""DuckDB extensions, loaded by path out of their PyPI wheels, so that nothing is downloaded at run time."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import duckdb

from warehouse.errors import LakeError
from warehouse.identifiers import literal

# DuckDB would otherwise try the network for an extension that it misses.
OFFLINE_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    # Else DuckDB computes the signature of each extension's file at every LOAD, 0.3 s of CPU for one lake. The files
    # come out of wheels whose hashes were checked at installation, as those of all code here; who could change them
    # could change that too. Users' SQL cannot LOAD: only SELECT is let through (`statements`, `serving.reading`).
    "allow_unsigned_extensions": "true",
}


@cache
def extension_path(name: str) -> Path:
    """The file of one extension inside its wheel.

    Raises:
        LakeError: the wheel is not installed, or was built for another DuckDB version.
    """
    package = f"duckdb_extension_{name}"
    spec = importlib.util.find_spec(package)
    wheel = f"duckdb-extension-{name.replace('_', '-')}=={duckdb.__version__}"
    if spec is None or not spec.submodule_search_locations:
        raise LakeError("DuckDB extension is not installed", where=name, fix=f"install {wheel}")
    folder = Path(next(iter(spec.submodule_search_locations)))
    path = folder / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
    if not path.exists():
        raise LakeError(f"DuckDB extension is not built for {duckdb.__version__}", where=name, fix=f"install {wheel}")
    return path


def load_extensions(connection: duckdb.DuckDBPyConnection, names: Iterable[str]) -> None:
    """LOAD each extension by path into an open connection."""
    for name in names:
        connection.execute(f"LOAD {literal(str(extension_path(name)))}")


def connect(database: str = ":memory:", extensions: Iterable[str] = ()) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB database that never asks the network for an extension."""
    connection = duckdb.connect(database, config=OFFLINE_CONFIG)
    load_extensions(connection, extensions)
    return connection
