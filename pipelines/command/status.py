"""`gridlake status` and `gridlake sources`: for people within 80 columns, and as JSON for programs.

The keys of the JSON are a promise, told in `JSON.md`: keys may be added, none goes or changes its
meaning.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer
from rich import box
from rich.table import Column, Table

from pipelines.command.console import city_settings, err, out, told
from warehouse.settings import Settings

if TYPE_CHECKING:
    from pipelines.command.state import Status
    from pipelines.sources.declared import SourceSystem

# Of the JSON; rises when a key changes its meaning, which a program can then refuse.
FORMAT = 1
AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]


def status(as_json: AsJson = False) -> None:
    """Show what has landed, how fresh it is, and what fails."""
    from pipelines.command.state import status as status_of
    from warehouse.safety.verify import damage

    with told():
        settings = city_settings()
        damaged = [str(fault) for fault in damage(settings)]
        report = status_of(settings)
    errors = sum(result.severity == "error" for result in report.failing)
    is_well = not (errors or report.troubles or damaged)
    if as_json:
        _write({"is_well": is_well, "damage": damaged, **status_document(report, settings)}, settings)
    else:
        _show(report, damaged, errors, settings)
    if not is_well:
        raise typer.Exit(1)


def sources(as_json: AsJson = False) -> None:
    """List the city's source systems and their data sets."""
    from pipelines.sources.declared import load_sources

    with told():
        settings = city_settings()
        systems = load_sources(settings.city_path)
    if as_json:
        _write({"systems": [_system_document(system) for system in systems]}, settings)
        return
    out.print(sources_table(systems))
    count = sum(len(system.dataset_names) for system in systems)
    out.print(f"{len(systems)} source systems, {count} data sets")


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (status, sources):
        app.command()(command)


def status_document(report: Status, settings: Settings) -> dict[str, object]:
    """The state of a lake as JSON takes it; moments are ISO 8601 with the city's offset."""
    return {
        "is_build_due": report.is_build_due,
        "data_sets": [
            {
                "name": d.dataset,
                "title_zh": d.title_zh,
                "title_en": d.title_en,
                "delivery_count": d.delivery_count,
                "read_count": d.read_count,
                "accepted_count": d.accepted_count,
                "quarantined_count": d.quarantined_count,
                "landed_at": _local(d.loaded_at, settings).isoformat() if d.loaded_at else None,
            }
            for d in report.datasets
        ],
        "tables": [{"name": name, "row_count": count} for name, count in report.tables],
        "failing_checks": [
            {
                "id": result.check_id,
                "severity": result.severity,
                "layer": result.layer,
                "table": result.dataset,
                "rule": result.rule,
                "message_zh": result.text.in_language("zh"),
                "message_en": result.message,
            }
            for result in report.failing
        ],
        "refusals": [
            {
                "id": refusal.refusal_id,
                "data_set": refusal.dataset,
                "system": refusal.source,
                "kind": "source" if refusal.is_of_a_pull else "delivery",
                "place": refusal.uri,
                "problem": refusal.problem,
                "since": _local(refusal.seen_at, settings).isoformat(),
            }
            for refusal in report.refusals
        ],
        "withdrawals": list(report.withdrawn),
        "strays": list(report.strays),
        "troubles": list(report.troubles),
    }


def status_tables(report: Status, settings: Settings) -> list[Table]:
    """What has landed and what is built, each within 80 columns, where a Chinese character takes two."""
    landed = _table(
        Column("data set", overflow="fold"),
        *(_right(c) for c in ("deliv-\neries", "read", "accepted", "quaran-\ntined")),
        "landed",
    )
    for d in report.datasets:
        counts = (d.delivery_count, d.read_count, d.accepted_count, d.quarantined_count)
        moment = f"{_local(d.loaded_at, settings):%Y-%m-%d\n%H:%M}" if d.loaded_at else "never"
        landed.add_row(f"{d.dataset}\n{d.title_zh} / {d.title_en}", *(f"{count:,}" for count in counts), moment)
    built = _table("table", _right("rows"))
    for name, count in report.tables:
        built.add_row(name, f"{count:,}")
    return [landed, built]


def sources_table(systems: Sequence[SourceSystem]) -> Table:
    """The systems with their data sets, within 80 columns."""
    place = Column("data set, and where it is read", overflow="fold")
    kind, schedule = (Column(name, no_wrap=True) for name in ("kind", "schedule"))
    table = _table(Column("system", overflow="fold"), kind, place, schedule)
    for system in systems:
        for number, entry in enumerate(system.datasets):
            name = f"{system.system}\n{system.title_zh} / {system.title_en}" if number == 0 else ""
            read = f"{entry.dataset}\n{entry.path or entry.table}"
            table.add_row(name, "" if number else system.kind, read, "" if number else system.schedule or "")
    return table


def _system_document(system: SourceSystem) -> dict[str, object]:
    """A system as its file has it, without what its connection holds: variables are names there, never values."""
    return {
        "name": system.system,
        "title_zh": system.title_zh,
        "title_en": system.title_en,
        "owner": system.owner,
        "kind": system.kind,
        "schedule": system.schedule,
        "data_sets": [{"name": entry.dataset, "place": entry.path or entry.table} for entry in system.datasets],
    }


def _write(document: Mapping[str, object], settings: Settings) -> None:
    whole = {"format": FORMAT, "city": settings.city, "at": _local(datetime.now(UTC), settings).isoformat(), **document}
    sys.stdout.write(settings.blotted(json.dumps(whole, ensure_ascii=False, indent=1, allow_nan=False)) + "\n")


def _show(report: Status, damaged: Sequence[str], errors: int, settings: Settings) -> None:
    for fault in damaged:
        err.print(f"damaged: {fault}", style="red", markup=False, soft_wrap=True)
    for table in status_tables(report, settings):
        out.print(table)
    command = "gridlake demo" if settings.city == "demo" else "gridlake run"
    out.print(f"A build is due: `{command}`" if report.is_build_due else "All that has landed is built.")
    for result in report.failing:
        line = f"{result.severity}: {result.layer}.{result.dataset} {result.rule}: {result.message}"
        out.print(line, style="red" if result.severity == "error" else "yellow", markup=False, soft_wrap=True)
    if report.withdrawn:
        more = ", …" if len(report.withdrawn) > 1 else ""
        line = f"{len(report.withdrawn)} withdrawals are in force: {report.withdrawn[0]}{more}"
        out.print(f"{line} (`gridlake withdrawals list`)", markup=False, soft_wrap=True)
    if report.strays:
        shown = ", ".join(report.strays[:5]) + (", …" if len(report.strays) > 5 else "")
        line = f"warning: {len(report.strays)} files in the sources' folders are taken by no source: {shown}"
        out.print(line, style="yellow", markup=False, soft_wrap=True)
    out.print(f"checks that fail: {errors} with errors, {len(report.failing) - errors} with warnings")
    for trouble in report.troubles:
        err.print(trouble, style="red", markup=False, soft_wrap=True)


def _table(*columns: Column | str) -> Table:
    return Table(*columns, box=box.SIMPLE_HEAD, show_edge=False, padding=0)


def _right(name: str) -> Column:
    return Column(name, justify="right", no_wrap=True)


def _local(moment: datetime, settings: Settings) -> datetime:
    """A moment (UTC where it has no zone) on the city's clock."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(ZoneInfo(settings.timezone))
