"""The `gridlake` command: what a steward or an operator types. Each command says what it did, with counts."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import typer
from rich.table import Column

from pipelines.command.accounts import app as accounts_app
from pipelines.command.console import city_settings, err, out, show_progress, told
from pipelines.command.dashboards import app as dashboards_app
from pipelines.command.outcome import show_landed, show_run
from pipelines.command.refusals import app as refusals_app
from pipelines.command.rows import Format, as_csv, as_json, as_table
from pipelines.command.safety import add_to as add_safety
from pipelines.command.status import add_to as add_status
from pipelines.command.withdraw import add_to as add_withdraw
from warehouse.settings import Settings, load_settings

app = typer.Typer(no_args_is_help=True, add_completion=False, help="A city's lakehouse: land, build, check, ask.")
app.add_typer(accounts_app, name="accounts")
app.add_typer(dashboards_app, name="dashboards")
add_safety(app)
add_status(app)
add_withdraw(app)
app.add_typer(refusals_app, name="refusals")


Sources = Annotated[list[str] | None, typer.Option("--source", help="Only this source system; may be repeated.")]
Since = Annotated[str | None, typer.Option(help="Pull again from this cursor value, e.g. 2026-01-01.")]
FullRefresh = Annotated[bool, typer.Option(help="Build all tables anew from what landed.")]
Build = Annotated[bool, typer.Option(help="Build and check after landing.")]


@app.command()
def run(source: Sources = None, since: Since = None, full_refresh: FullRefresh = False, build: Build = True) -> None:
    """Land what is new, build what is due, check it."""
    with told():
        settings = city_settings()
        if settings.city == "demo":
            from pipelines.demo_city.servers import running_variables

            # The made-up city's systems are where `gridlake up` started them; what is set already holds.
            for name, value in running_variables(settings.home_path).items():
                os.environ.setdefault(name, value)
            settings = city_settings()
        _run(settings, source or [], since=since, full_refresh=full_refresh, build=build)


@app.command()
def demo(source: Sources = None, since: Since = None, full_refresh: FullRefresh = False, build: Build = True) -> None:
    """Start the made-up city's source systems (unless `gridlake up` runs them), run the city once, stop them."""
    from pipelines.demo_city.servers import joined_city

    with told():
        settings = load_settings(city="demo")
        err.print(f"The made-up city lives in {settings.home_path}", soft_wrap=True)
        with joined_city(settings.home_path) as environment:
            os.environ.update(environment)
            settings = load_settings(city="demo")
            _run(settings, source or [], since=since, full_refresh=full_refresh, build=build)


@app.command()
def up(
    background: Annotated[bool, typer.Option(help="Return when everything answers; `gridlake down` stops it.")] = False,
    superset: Annotated[bool, typer.Option(help="Start Superset too.")] = True,
) -> None:
    """Start Dagster and Superset (and the made-up city's source systems) until Ctrl-C."""
    from pipelines.services.up import up as start
    from pipelines.services.up import up_in_background

    with told():
        show_progress()
        settings = city_settings()
        if background:
            up_in_background(settings, [] if superset else ["--no-superset"])
        else:
            start(settings, with_superset=superset)


@app.command()
def down() -> None:
    """Stop what `gridlake up` started for this lake."""
    from pipelines.services.up import down as stop

    with told():
        stopped = stop(city_settings())
    out.print(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")


def _run(settings: Settings, systems: list[str], *, since: str | None, full_refresh: bool, build: bool) -> None:
    from pipelines.command.run import run_city
    from pipelines.sources.declared import SourceError, load_sources

    known = [s.system for s in load_sources(settings.city_path)]
    unknown = sorted(set(systems) - set(known))
    if unknown:
        raise SourceError("there is no such source", where="--source", value=unknown[0], fix=f"use one of {known}")
    show_progress()
    report = run_city(settings, systems=systems, since=since, full_refresh=full_refresh, build=build)
    show_landed(report)
    show_run(report, build=build)


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="One reading statement; tables are schema.table.")],
    output: Annotated[Format, typer.Option("--format", help="How to print the rows.")] = Format.table,
    limit: Annotated[int, typer.Option(min=1, help="At most so many rows.")] = 1000,
) -> None:
    """Ask the lake; nothing can be changed and nothing outside the lake can be read."""
    from warehouse.lake.query import IS_CUT
    from warehouse.lake.query import query as run_query

    with told():
        rows = run_query(city_settings(), sql, limit)
    _print_rows(rows, output)
    is_cut = (rows.schema.metadata or {}).get(IS_CUT) == b"true"
    err.print(f"{rows.num_rows} rows" + (" (there are more: raise --limit)" if is_cut else ""))


def _print_rows(rows: pa.Table, output: Format) -> None:
    if output is Format.csv:
        sys.stdout.buffer.write(as_csv(rows))
    elif output is Format.json:
        sys.stdout.write(as_json(rows) + "\n")
    else:
        out.print(as_table(rows))


@app.command()
def maintain(
    orphans_anyway: Annotated[
        bool, typer.Option("--orphans-anyway", help="Remove unknown files also where they are many.")
    ] = False,
) -> None:
    """Merge small files, expire old snapshots, remove orphan files that are old enough."""
    from dataclasses import asdict

    from warehouse.lake.maintenance import maintain as run_maintenance

    with told():
        report = run_maintenance(
            city_settings(), orphans_anyway=orphans_anyway, progress=lambda line: out.print(line, markup=False)
        )
    for name, count in asdict(report).items():
        if name != "failed":
            out.print(f"{name.replace('_', ' ')}: {count:,}")
    for step in report.failed:
        err.print(f"given up: {step}", style="red", markup=False, soft_wrap=True)
    if report.failed:
        raise typer.Exit(1)


@app.command()
def check(
    folder: Annotated[
        list[Path] | None, typer.Argument(help="Folders of cities; default the city of the lake.")
    ] = None,
) -> None:
    """Report every fault of a city's files at once: sources, contracts, feeds, mappings."""
    from pipelines.sources.check import check_city

    with told():
        found = [check_city(one.resolve()) for one in folder or [city_settings().city_path]]
    for checked in found:
        for fault in checked.faults:
            err.print(str(fault), style="red", markup=False, soft_wrap=True)
        out.print(str(checked), highlight=False)
    if any(checked.faults for checked in found):
        raise typer.Exit(1)


def _right(name: str) -> Column:
    return Column(name, justify="right")


if __name__ == "__main__":
    app()
