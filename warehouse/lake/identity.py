"""The identity of a lake: that catalogue and data folder belong together.

The catalogue has one of its own, which DuckLake drew when it made it; the data folder holds the same in a small file.
A new catalogue is never made over files that may be another lake's, because all of them would be orphans to it; a
catalogue is never opened over another lake's folder, where it would miss all it names.
"""

from __future__ import annotations

import itertools
import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import duckdb

from warehouse.durable import make_folder, put_in_place
from warehouse.errors import LakeError
from warehouse.lake.named_files import data_folder, named_files
from warehouse.settings import Settings

FILE = "lake.json"
# Looked at to tell whether a folder is the catalogue's, where it does not say so itself.
_SAMPLE = 20


def refuse_foreign(settings: Settings) -> None:
    """Refuse to make a new catalogue where the data folder holds a lake already.

    Raises:
        LakeError: names the catalogue that is not there, what lies in the folder, and the ways out.
    """
    folder = data_folder(settings)
    told = _told(folder)
    files = sum(1 for _ in itertools.islice(_parquet(folder), _SAMPLE))
    if not told and not files:
        return
    what = f"the lake {told['lake']} of the city {told['city']!r}" if told else "Parquet files of an unknown lake"
    fix = "restore the catalogue from the backup (`gridlake restore`), or use an empty GRIDLAKE_HOME for a new lake"
    if told.get("catalogue") == "postgresql" and not settings.uses_postgresql:
        fix = "set GRIDLAKE_CATALOG to the address of the lake's PostgreSQL catalogue; else " + fix
    elif told.get("catalogue") == "sqlite" and settings.uses_postgresql:
        fix = "unset GRIDLAKE_CATALOG, because this lake's catalogue is catalog.sqlite; else " + fix
    raise LakeError(
        f"the catalogue ({catalogue_name(settings)}) is gone or empty, but {folder} holds {what}. Nothing was written:"
        " to a new catalogue these files would be orphans",
        where=str(settings.home_path),
        fix=fix,
    )


def check_identity(connection: duckdb.DuckDBPyConnection, settings: Settings, *, read_only: bool) -> None:
    """Refuse a data folder that is not the attached catalogue's; write the file where it is absent and may be written.

    Raises:
        LakeError: names the two lakes, or tells that the folder lacks the files of the catalogue.
    """
    folder = data_folder(settings)
    mine = catalogue_identity(connection)
    told = _told(folder)
    if told.get("lake") == mine:
        return
    if told:
        raise LakeError(
            f"the catalogue ({catalogue_name(settings)}) is of the lake {mine}, but {folder} holds the lake"
            f" {told['lake']} of the city {told['city']!r}",
            where=str(settings.home_path),
            fix="correct GRIDLAKE_HOME and GRIDLAKE_CATALOG, so that both name one lake, or restore a backup of it",
        )
    named = named_files(connection, settings, newest=_SAMPLE)
    if named and not any(file.path.exists() for file in named):
        raise LakeError(
            f"none of the files that the catalogue ({catalogue_name(settings)}) names is in {folder}",
            where=str(settings.home_path),
            fix="is the disk mounted, and do all hosts share this folder? Else restore a backup (`gridlake restore`)",
        )
    if not read_only:
        write_identity(folder, mine, settings)


def catalogue_identity(connection: duckdb.DuckDBPyConnection) -> str:
    """What DuckLake drew for this catalogue: the identifier of its first schema, which nothing changes."""
    ((found,),) = connection.execute(
        "SELECT CAST(schema_uuid AS VARCHAR) FROM __ducklake_metadata_lake.ducklake_schema WHERE schema_id = 0"
    ).fetchall()
    return str(found)


def write_identity(folder: Path, lake: str, settings: Settings) -> None:
    """Write the file; it appears whole or not at all, also when two hosts do this at once."""
    told = {
        "lake": lake,
        "city": settings.city,
        "catalogue": "postgresql" if settings.uses_postgresql else "sqlite",
        "note": "This folder is the data of one GridLake lake. Keep this file: it tells which.",
    }
    make_folder(folder)
    temporary = folder / f".{FILE}.{secrets.token_hex(4)}"
    temporary.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    put_in_place(temporary, folder / FILE)


def catalogue_name(settings: Settings) -> str:
    """The catalogue in words, without a secret."""
    if settings.uses_postgresql:
        return "the PostgreSQL database of GRIDLAKE_CATALOG"
    return str(settings.home_path / "catalog.sqlite")


def _told(folder: Path) -> dict[str, str]:
    try:
        told = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return {"lake": str(told["lake"]), "city": str(told["city"]), "catalogue": str(told["catalogue"])}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError):
        raise LakeError(
            "cannot be read", where=str(folder / FILE), fix="restore it from the backup; delete it where there is none"
        ) from None


def _parquet(folder: Path) -> Iterator[Path]:
    return folder.rglob("*.parquet") if folder.is_dir() else iter(())
