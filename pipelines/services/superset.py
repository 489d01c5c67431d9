"""Superset for one lake: what it is told, how its own tables are made, how its dashboards follow the files.

Superset has an environment of its own (`.venv-superset`), so everything it does is done by processes of that
environment; this module only writes what they read and starts them.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

import duckdb

from catalog.serve.superset.access import Unit, compile_access, read_access
from catalog.serve.superset.bundle import compile_bundle
from catalog.serve.superset.definition import load_dashboards
from catalog.serve.superset.filters import idle_filters
from catalog.serve.superset.server.options import Options
from pipelines.build import ensure_manifest
from pipelines.project import models_hash
from pipelines.services.logs import last_lines, open_log
from pipelines.services.processes import Service
from pipelines.sources.declared import load_sources
from warehouse.errors import GridLakeError
from warehouse.lake.engine import engine_threads
from warehouse.secret_files import write_secret
from warehouse.serving.publish import current, serving_folder
from warehouse.serving.reading import open_version
from warehouse.settings import PROJECT_ROOT, Settings

ENVIRONMENT = PROJECT_ROOT / ".venv-superset"
SERVING_NAME = "city"
_SERVER = PROJECT_ROOT / "catalog" / "serve" / "superset" / "server"
log = logging.getLogger("gridlake")


class SupersetError(GridLakeError):
    """Superset cannot be set up."""


def options(settings: Settings) -> Options:
    """What Superset is told of this lake."""
    return Options(
        home=settings.home_path / "superset",
        serving=serving_folder(settings) / f"{SERVING_NAME}.duckdb",
        timezone=settings.timezone,
        memory=settings.memory,
        threads=engine_threads(settings),
        embed_hosts=tuple(settings.superset_embed_hosts.split()),
        is_https=settings.superset_https,
    )


def is_installed() -> bool:
    """Whether Superset's environment is there."""
    return (ENVIRONMENT / "bin" / "gunicorn").exists()


def service(settings: Settings) -> Service:
    """Superset's pages."""
    address = f"{settings.superset_host}:{settings.superset_port}"
    command = [
        str(ENVIRONMENT / "bin" / "gunicorn"),
        *("--worker-class", "gthread", "--workers", str(settings.superset_workers), "--threads", "8"),
        *("--timeout", "120", "--graceful-timeout", "10", "--bind", address, "--worker-tmp-dir", _shared_memory()),
        # A page's connection stays open between its requests; gunicorn's own two seconds end it under a slow client.
        *("--keep-alive", "75"),
        "superset.app:create_app()",
    ]
    health = f"http://127.0.0.1:{settings.superset_port}/health"
    return Service("superset", command, _environment(settings), health)


def prepare_database(settings: Settings) -> None:
    """Superset's own tables, permissions and first account; done again only for another version or database.

    Raises:
        SupersetError: the environment is missing, or Superset refuses.
    """
    told = options(settings)
    _write_metadata_address(settings, told)
    state = _digest([PROJECT_ROOT / "requirements" / "superset.lock", _SERVER / "setup.py"], settings.superset_metadata)
    if _is_marked(told, "database", state):
        return
    log.info("Superset: its own tables (about a minute the first time)")
    _run_setup(settings, "database")
    _mark(told, "database", state)


def prepare_content(settings: Settings) -> bool:
    """Dashboards and access rules as the files say; whether anything had to be done.

    Raises:
        SupersetError: the environment is missing, or Superset refuses; then nothing has changed.
    """
    told = options(settings)
    seen = _seen(settings)
    assets, access = _compile(settings)
    state = _digest([_SERVER / "roles.py", _SERVER / "setup.py"], json.dumps([assets, access], sort_keys=True))
    state += _marked(told, "database")
    is_new = not _is_marked(told, "content", state)
    if is_new:
        log.info("Superset: dashboards and access rules")
        _write_bundle(told.bundle_folder, assets, access)
        _run_setup(settings, "content")
        _mark(told, "content", state)
    _mark(told, "content-seen", seen)
    return is_new


def is_content_current(settings: Settings) -> bool:
    """Whether dashboards and access rules were looked at since their files and what is published last changed.

    True where Superset was never set up for this lake. It is cheap, where `prepare_content` compiles all of it.
    """
    return not is_prepared(settings) or _is_marked(options(settings), "content-seen", _seen(settings))


def _seen(settings: Settings) -> str:
    """A digest of all that dashboards and access rules are made from."""
    folder = PROJECT_ROOT / "catalog" / "serve" / "superset"
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".py", ".yml", ".yaml", ".css", ".json"))
    served = current(settings, SERVING_NAME)
    told = [
        models_hash(settings),
        served.version if served else "",
        settings.city,
        _marked(options(settings), "database"),
    ]
    return _digest(files, "\n".join(told))


def accounts(settings: Settings, *requests: Mapping[str, object]) -> list[dict[str, Any]]:
    """Ask `server/accounts.py`; gives its answers, one for each request.

    Raises:
        SupersetError: Superset has not been set up, or refuses one; the requests before that one were met.
    """
    if not is_prepared(settings):
        raise SupersetError("has not been set up for this lake", where="Superset", fix="run `make up` once")
    done = subprocess.run(  # noqa: S603  the command is ours, not a user's text
        [str(ENVIRONMENT / "bin" / "python"), "-m", "catalog.serve.superset.server.accounts"],
        env={**os.environ, **_environment(settings)},
        input=json.dumps(requests),
        capture_output=True,
        text=True,
        cwd=PROJECT_ROOT,
        check=False,
    )
    if done.returncode:
        raise SupersetError("\n".join(done.stderr.splitlines()[-5:]), where="Superset, accounts")
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    for answer in answers:
        if "problem" in answer:
            fix = answer.get("fix") or (f"use one of {answer['known']}" if answer["known"] else "")
            raise SupersetError(answer["problem"], where="Superset, accounts", value=answer["value"], fix=fix)
    return answers


def is_prepared(settings: Settings) -> bool:
    """Whether Superset has been set up for this lake."""
    return is_installed() and bool(_marked(options(settings), "content"))


def units(settings: Settings) -> list[Unit]:
    """The city's units as they are published; none before the first publish."""
    with _published(settings) as ask:
        rows = ask(
            "SELECT dept_id, coalesce(dept_name_zh, dept_name_en, dept_id), parent_dept_id FROM main.dim_department"
            " ORDER BY dept_id"
        )
    return [Unit(*row) for row in rows]


@contextmanager
def _published(settings: Settings) -> Iterator[Callable[[str], list[tuple[Any, ...]]]]:
    """A way to ask what is published; it gives no rows before the first publish.

    Raises:
        SupersetError: what is published is not whole.
    """
    served = current(settings, SERVING_NAME)
    if served is None:
        yield lambda sql: []
        return
    try:
        connection = open_version(served.path, threads=1, memory="400MB")
    except (FileNotFoundError, duckdb.Error) as error:
        fix = f"`gridlake {'demo' if settings.city == 'demo' else 'run'}` publishes it again"
        raise SupersetError(f"what is published cannot be read: {error}", where="serving file", fix=fix) from None
    with connection:
        yield lambda sql: connection.execute(sql).fetchall()


def _compile(settings: Settings) -> tuple[dict[str, str], dict[str, object]]:
    manifest = json.loads(ensure_manifest(settings).read_text(encoding="utf-8"))
    dashboards = load_dashboards()
    with _published(settings) as ask:
        idle = idle_filters(dashboards, lambda sql: bool(ask(sql)))
    bundle = compile_bundle(manifest, dashboards, idle, _recorded(settings))
    access = compile_access(read_access(), bundle.datasets, bundle.slugs, units(settings))
    return dict(bundle.files), access


def _recorded(settings: Settings) -> list[frozenset[str]]:
    return [frozenset(entry.code for entry in system.records) for system in load_sources(settings.city_path)]


def _write_bundle(folder: Path, assets: Mapping[str, str], access: Mapping[str, object]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for name, text in assets.items():
        path = folder / "assets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (folder / "access.json").write_text(json.dumps(access, ensure_ascii=False, indent=1), encoding="utf-8")


def _run_setup(settings: Settings, part: str) -> None:
    log_file = settings.home_path / "logs" / "superset-setup.log"
    with open_log(log_file) as out:
        done = subprocess.run(  # noqa: S603  the command is ours, not a user's text
            [str(ENVIRONMENT / "bin" / "python"), "-m", "catalog.serve.superset.server.setup", part],
            env={**os.environ, **_environment(settings)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=PROJECT_ROOT,
            check=False,
        )
    if done.returncode:
        raise SupersetError(
            f"cannot be set up:\n{last_lines(log_file, 12)}", where=f"Superset, {part}", fix=f"read {log_file}"
        )


def _environment(settings: Settings) -> dict[str, str]:
    if not is_installed():
        raise SupersetError("is not installed", where=str(ENVIRONMENT), fix="run `make up`, which installs it")
    return {
        **options(settings).as_environment(),
        "SUPERSET_CONFIG_PATH": str(_SERVER / "config.py"),
        "PYTHONPATH": str(PROJECT_ROOT),
        "PYTHONWARNINGS": "ignore",
        "TZ": settings.timezone,
    }


def _write_metadata_address(settings: Settings, told: Options) -> None:
    """The address of Superset's own PostgreSQL database goes into a file, because an environment shows in `ps e`."""
    if not settings.superset_metadata:
        told.metadata_file.unlink(missing_ok=True)
        return
    parts = urlsplit(settings.superset_metadata)
    query = parts.query
    if host := parse_qs(parts.query).get("host"):
        query = f"unix_sock={quote(host[0] + '/.s.PGSQL.' + str(parts.port or 5432), safe='/')}"
    write_secret(told.metadata_file, urlunsplit(parts._replace(scheme="postgresql+pg8000", query=query)))


def _digest(files: list[Path], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _mark(told: Options, part: str, state: str) -> None:
    (told.home / f"{part}.done").write_text(state, encoding="utf-8")


def _marked(told: Options, part: str) -> str:
    try:
        return (told.home / f"{part}.done").read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def _is_marked(told: Options, part: str, state: str) -> bool:
    # Somebody may have removed the tables to begin anew.
    has_tables = told.metadata_file.exists() or (told.home / "superset.db").exists()
    return has_tables and _marked(told, part) == state


def _shared_memory() -> str:
    # Gunicorn's heartbeat is a file; on a slow disk a worker would be taken for dead.
    return "/dev/shm" if Path("/dev/shm").is_dir() else "/tmp"  # noqa: S108
