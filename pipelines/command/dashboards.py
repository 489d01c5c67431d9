"""`gridlake dashboards`: whether the dashboards' files name only what dbt's models have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from pipelines.command.console import out, told
from warehouse.settings import load_settings

app = typer.Typer(no_args_is_help=True, help="Superset's dashboards.")


@app.callback()
def _group() -> None:
    """Keeps `check` a command of its own while it is the only one."""


@app.command("check")
def check(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder of dashboards; default catalog/serve/superset/dashboards.")
    ] = None,
) -> None:
    """Report every fault of every dashboard and of its access rules at once, from chart to column."""
    from catalog.serve.superset.access import faults as access_faults
    from catalog.serve.superset.access import read_access
    from catalog.serve.superset.bundle import asked
    from catalog.serve.superset.definition import DASHBOARDS, load_dashboards
    from catalog.serve.superset.faults import faults
    from pipelines.build import ensure_manifest

    with told():
        manifest = json.loads(ensure_manifest(load_settings()).read_text(encoding="utf-8"))
        dashboards = load_dashboards(folder or DASHBOARDS)
        found = [str(fault) for fault in faults(dashboards, manifest)]
        if folder is None and not found:
            found = access_faults(read_access(), {each.slug: asked(each) for each in dashboards})
    for fault in found:
        out.print(fault, style="red", markup=False, soft_wrap=True)
    out.print(f"{len(dashboards)} dashboards checked, {len(found)} faults")
    if found:
        raise typer.Exit(1)
