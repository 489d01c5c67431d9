"""`gridlake refusals`: deliveries that were refused whole and are not mended yet."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from pipelines.command.console import city_settings, out, told

app = typer.Typer(no_args_is_help=True, help="Deliveries that were refused whole.")


@app.command("list")
def list_refusals() -> None:
    """List what was refused and is neither mended nor accepted."""
    from quality.refusals import open_refusals
    from warehouse.lake.session import open_lake

    with told():
        settings = city_settings()
        with open_lake(settings, read_only=True, spatial=False) as lake:
            refusals = open_refusals(lake)
    for refusal in refusals:
        since = refusal.seen_at.replace(tzinfo=ZoneInfo("UTC")).astimezone(ZoneInfo(settings.timezone))
        line = (
            f"{refusal.refusal_id}  {refusal.dataset}: {refusal.uri}: {refusal.problem} (since {since:%Y-%m-%d %H:%M})"
        )
        out.print(line, markup=False, soft_wrap=True)
    out.print(f"{len(refusals)} refused deliveries are open")


@app.command("accept")
def accept_refusal(
    refusal: Annotated[str, typer.Argument(help="Its number, as `gridlake refusals list` shows it.")],
    reason: Annotated[str, typer.Option(help="Why this delivery may be left out; it is kept.")],
) -> None:
    """Leave a refused delivery out for good: it is told no longer, and not landed either."""
    from quality.refusals import accept

    with told():
        closed = accept(city_settings(), refusal, reason)
    out.print(f"left out: {closed.dataset}: {closed.uri}", markup=False, soft_wrap=True)
