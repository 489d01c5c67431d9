"""`gridlake deliveries`, `withdraw` and `withdrawals`: what was delivered, and taking something back."""

from __future__ import annotations

import getpass
import os
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.table import Column, Table

from pipelines.command.console import city_settings, err, out, show_progress, told
from pipelines.command.outcome import show_run
from pipelines.landing.withdraw import Outcome
from warehouse.settings import Settings

app = typer.Typer(no_args_is_help=True, help="What was taken back, and how to undo it.")
_MONTHS_SHOWN = 12

Build = Annotated[bool, typer.Option(help="Build and check afterwards what it touches.")]


def deliveries(
    dataset: Annotated[str, typer.Argument(help="Only this data set.")] = "",
    source: Annotated[str, typer.Option(help="Only this source system.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 20,
) -> None:
    """List what was delivered, newest first, with the id that `gridlake withdraw` takes."""
    from pipelines.landing.deliveries import deliveries as deliveries_of
    from warehouse.identifiers import literal
    from warehouse.lake.session import open_lake

    with told():
        settings = city_settings()
        condition = " AND ".join(
            [
                "true",
                *(f"{name} = {literal(text)}" for name, text in (("dataset", dataset), ("source", source)) if text),
            ]
        )
        with open_lake(settings, read_only=True, spatial=False) as lake:
            found = deliveries_of(lake, condition, limit)
    numbers = (Column(name, justify="right") for name in ("accepted", "quarantined", "gone"))
    table = Table("no.", "delivery", "from", "landed", *numbers, "state")
    for one in found:
        counts = (one.accepted_count, one.quarantined_count, one.deleted_count)
        table.add_row(
            str(one.load_seq),
            one.delivery_id,
            one.uri,
            _local(one.loaded_at, settings),
            *(f"{count:,}" for count in counts),
            one.state,
        )
    out.print(table)
    out.print(f"{len(found)} deliveries" + (" (there may be more: raise --limit)" if len(found) == limit else ""))


def withdraw(
    delivery: Annotated[str, typer.Argument(help="Its id, or the beginning of it: `gridlake deliveries`.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept and shown. No personal data.")],
    row: Annotated[
        list[str] | None,
        typer.Option("--row", help="Only this row: its number in the delivery, or key=value; may be repeated."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what it would change.")] = False,
    build: Build = True,
) -> None:
    """Take a delivery, or rows of it, back: out of raw and all that is built on it. It stays on record."""
    from catalog.contract import load_contracts
    from pipelines.command.run import follow_up
    from pipelines.landing.withdraw import withdraw as take_back
    from pipelines.sources.declared import load_sources

    with told():
        settings = city_settings()
        show_progress()
        systems, contracts = load_sources(settings.city_path), load_contracts(settings.city_path)
        outcome = take_back(
            settings, systems, contracts, delivery, rows=row or [], reason=reason, by=_who(), dry_run=dry_run
        )
        _show(outcome, dry_run=dry_run)
        if not dry_run:
            # Also where it stood before: the run that withdrew it may not have come to its build.
            show_run(follow_up(settings, outcome.delivery.source, outcome.delivery.dataset, build=build), build=build)


@app.command("list")
def list_withdrawals() -> None:
    """List what was taken back, with who, when and why; also what was undone."""
    from quality.withdrawals import withdrawals
    from warehouse.lake.session import open_lake

    with told():
        settings = city_settings()
        with open_lake(settings, read_only=True, spatial=False) as lake:
            found = withdrawals(lake)
    for one in found:
        counts = f"{one.row_count:,} rows, {one.refused_count:,} refused, {one.deletion_count:,} gone"
        line = (
            f"{one.number}  {one.what} ({one.uri}): {one.reason} ({counts};"
            f" {one.withdrawn_by}, {_local(one.withdrawn_at, settings)})"
        )
        if one.undone_at is not None:
            line += f"; undone: {one.undo_reason} ({one.undone_by}, {_local(one.undone_at, settings)})"
        out.print(line, markup=False, soft_wrap=True)
    out.print(f"{sum(one.undone_seq is None for one in found)} withdrawals are in force")


@app.command("undo")
def undo_withdrawal(
    number: Annotated[int, typer.Argument(help="Its number: `gridlake withdrawals list`.")],
    reason: Annotated[str, typer.Option(help="Why it was right after all; it is kept.")],
    build: Build = True,
) -> None:
    """Bring back what was taken back, as it had landed."""
    from catalog.contract import load_contracts
    from pipelines.command.run import follow_up
    from pipelines.landing.withdraw import undo
    from pipelines.sources.declared import load_sources

    with told():
        settings = city_settings()
        show_progress()
        systems, contracts = load_sources(settings.city_path), load_contracts(settings.city_path)
        before = undo(settings, systems, contracts, number, reason=reason, by=_who())
        was = "brought back" if before.undone_seq is None else "had been brought back before; nothing was changed"
        out.print(f"{was}: {before.what} ({before.uri})", markup=False, soft_wrap=True)
        show_run(follow_up(settings, before.source, before.dataset, build=build), build=build)


def add_to(other: typer.Typer) -> None:
    """Add the commands."""
    other.command()(deliveries)
    other.command()(withdraw)
    other.add_typer(app, name="withdrawals")


def _show(outcome: Outcome, *, dry_run: bool) -> None:
    one, effect = outcome.withdrawal, outcome.effect
    if effect is None:
        out.print(
            f"was withdrawn before, as {one.number}: {one.what} ({one.reason}); nothing was changed",
            markup=False,
            soft_wrap=True,
        )
        return
    named = f"{one.what} ({one.uri})"
    said = f"would be withdrawn: {named}" if dry_run else f"withdrawn as {one.number}: {named}"
    out.print(said, markup=False, soft_wrap=True)
    table = Table("what", Column("count", justify="right"))
    for label, count in (
        ("rows taken out of raw", one.row_count),
        ("refused rows taken out of quarantine", one.refused_count),
        ("marks of keys as gone taken out", one.deletion_count),
        ("keys that have another state", effect.kept),
        ("keys that vanish", effect.vanished),
        ("keys that are there again", effect.revived),
    ):
        table.add_row(label, f"{count:,}")
    out.print(table)
    if effect.months:
        more = len(effect.months) - _MONTHS_SHOWN
        rest = f", … ({more} more, the last {effect.months[-1]})" if more > 0 else ""
        out.print(f"months in its rows: {', '.join(effect.months[:_MONTHS_SHOWN])}{rest}", soft_wrap=True)
    if effect.watermark is not None:
        was, now = effect.watermark
        out.print(f"watermark: from {was} back to {now or 'the beginning'}", markup=False, soft_wrap=True)
    if one.is_pull:
        err.print("These rows are left out as long as the source gives them unchanged.", soft_wrap=True)


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in a container
        return str(os.getuid())


def _local(moment: datetime, settings: Settings) -> str:
    return f"{moment.replace(tzinfo=ZoneInfo('UTC')).astimezone(ZoneInfo(settings.timezone)):%Y-%m-%d %H:%M}"
