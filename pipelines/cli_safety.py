"""`gridlake verify`: whether the lake is whole."""

from __future__ import annotations

from typing import Annotated

import typer

from pipelines.console import city_settings, err, out, told


def verify(
    deep: Annotated[bool, typer.Option("--deep", help="Read all rows and columns, not only the footers.")] = False,
) -> None:
    """Check every file of the lake and of what is published: there, whole, with as many rows as it should have."""
    from warehouse.verify import verify as verify_lake

    with told():
        found = verify_lake(city_settings(), deep=deep)
    for fault in found.faults:
        err.print(str(fault), style="red", markup=False, soft_wrap=True)
    out.print(f"{found.file_count:,} files ({found.byte_count / 1e6:,.1f} MB) checked, {len(found.faults):,} faults")
    if found.faults:
        raise typer.Exit(1)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(verify)
