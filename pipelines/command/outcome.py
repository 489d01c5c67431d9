"""How a command tells what a run did: what landed, what was built, which checks fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.table import Column, Table

from pipelines.command.console import err, out

if TYPE_CHECKING:
    from pipelines.command.run import RunReport


def show_run(report: RunReport, *, build: bool) -> None:
    """Tell it, and end with status 1 where something was refused, not read or held back.

    `build` says whether a build was wanted.
    """
    for reason in report.held_back_by:
        err.print(f"held back: what depends on {reason}", style="red", markup=False, soft_wrap=True)
    if report.is_built:
        rest = " but for what is held back" if report.held_back_by else ""
        out.print(f"core and indicator were built and checked{rest}")
    else:
        out.print("nothing had to be built" if build else "core and indicator were left as they are")
    for check in report.errors:
        err.print(f"check failed: {check}", style="red", markup=False, soft_wrap=True)
    out.print(f"checks: {len(report.errors)} with errors, {len(report.warnings)} with warnings (`gridlake status`)")
    for refusal in report.refused:
        err.print(f"delivery refused: {refusal}", style="red", markup=False, soft_wrap=True)
    for failure in report.unread:
        err.print(f"source not read: {failure}", style="red", markup=False, soft_wrap=True)
    out.print(f"{report.seconds:.1f} s")
    if report.refused or report.unread or report.held_back_by:
        raise typer.Exit(1)


def show_landed(report: RunReport) -> None:
    """Tell what has landed, by data set."""
    if not report.landed:
        out.print("nothing new has come")
        return
    numbers = ("deliveries", "read", "accepted", "quarantined", "in raw")
    table = Table("data set", *(Column(name, justify="right") for name in numbers))
    for result in report.landed:
        c = result.counts
        counted = (c.delivery_count, c.read_count, c.accepted_count, c.quarantined_count, report.in_raw[result.dataset])
        table.add_row(result.dataset, *(f"{n:,}" for n in counted))
    out.print(table)
