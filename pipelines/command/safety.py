"""`gridlake verify`, `backup`, `restore` and `move`: whether the lake is whole, and how to have it again elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.command.console import city_settings, err, out, told
from warehouse.settings import Settings


def verify(
    deep: Annotated[bool, typer.Option("--deep", help="Read all rows and columns, not only the footers.")] = False,
) -> None:
    """Check every file of the lake and of what is published: there, whole, with as many rows as it should have."""
    from warehouse.safety.verify import verify as verify_lake

    with told():
        found = verify_lake(city_settings(), deep=deep)
    for fault in found.faults:
        err.print(str(fault), style="red", markup=False, soft_wrap=True)
    out.print(f"{found.file_count:,} files ({found.byte_count / 1e6:,.1f} MB) checked, {len(found.faults):,} faults")
    if found.faults:
        raise typer.Exit(1)


def backup(
    folder: Annotated[Path, typer.Argument(help="Folder of this lake's backups.")],
    keep: Annotated[int, typer.Option(min=1, help="So many states stay; older ones are removed.")] = 7,
) -> None:
    """Back up the lake, Superset's accounts and secrets and Dagster's records, also while they are in use."""
    from warehouse.safety.backup import backup as back_up

    with told():
        report = back_up(city_settings(), folder, keep=keep, progress=_say)
    out.print(
        f"{report.file_count:,} files, {report.new_file_count:,} of them new data"
        f" ({report.new_byte_count / 1e6:,.1f} MB); {report.removed_states} old states removed",
        soft_wrap=True,
    )
    out.print(f"state: {report.state}", soft_wrap=True)


def restore(
    folder: Annotated[Path, typer.Argument(help="Folder that `gridlake backup` wrote.")],
    state: Annotated[str, typer.Option(help="Name of a state below its folder `states`; default the newest.")] = "",
) -> None:
    """Bring a backup back into an empty GRIDLAKE_HOME, and into an empty database where it came from one."""
    from warehouse.safety.restore import restore as bring_back

    with told():
        settings = city_settings()
        manifest = bring_back(settings, folder, state=state, progress=_say)
        _publish(settings)
    out.print(f"{settings.home_path} is as it was at {manifest.made_at}", soft_wrap=True)


def move(folder: Annotated[Path, typer.Argument(help="Where the lake is to be; not there yet, or empty.")]) -> None:
    """Move the lake with all that belongs to it; nothing of it may run meanwhile."""
    from pipelines.services.processes import Register, ServiceError
    from warehouse.safety.restore import move as move_lake

    with told():
        settings = city_settings()
        if settings.home_path.is_dir() and Register(settings.home_path).is_held():
            raise ServiceError("the services of this lake run", where=str(settings.home_path), fix="`gridlake down`")
        move_lake(settings, folder)
        moved = settings.model_copy(update={"home": folder.expanduser().resolve()})
        _publish(moved)
    out.print(f"moved; from now on set GRIDLAKE_HOME={moved.home_path}", soft_wrap=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (verify, backup, restore, move):
        app.command()(command)


def _say(line: str) -> None:
    out.print(line, markup=False)


def _publish(settings: Settings) -> None:
    """Publish what is built: serving files name their parts by the folder that they lie in."""
    from pipelines.serving_tables import may_publish, publish_city

    if may_publish(settings):
        _say("publishing")
        publish_city(settings)
