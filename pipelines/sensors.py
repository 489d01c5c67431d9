"""What starts work by itself: files dropped into a folder, and rows landed since the last build."""

import hashlib
from pathlib import Path

import dagster as dg

from pipelines.assets.checks import blocking_failures
from pipelines.build import is_build_due
from pipelines.connectors.cut import is_being_written
from pipelines.connectors.files import find
from pipelines.jobs import BUILD
from pipelines.resources import LakeResource
from pipelines.source import SourceSystem, expand
from warehouse.lake import lake_exists, open_lake
from warehouse.settings import Settings, load_settings


def sensors(systems: list[SourceSystem]) -> list[dg.SensorDefinition]:
    """A sensor for each source that is a folder, and one for the models."""
    return [*[_drop_sensor(system) for system in systems if system.kind == "files"], build_when_landed]


def drops_fingerprint(settings: Settings, system: SourceSystem) -> str:
    """A hash over path and stamp of every file of a source: it changes when a file comes or changes.

    It changes too when a file that landing took for still being written has been left alone for a minute.
    """
    if system.files is None:
        return ""
    root = Path(expand(system.files.root, settings, where=system.system))
    digest = hashlib.sha256()
    for entry in system.datasets:
        for uri, stamp in find(entry, root):
            is_open = entry.format == "csv" and is_being_written(root / uri, stamp.modified_ns)
            digest.update(f"{uri}\0{stamp.as_list()}\0{is_open}\n".encode())
    return digest.hexdigest()


def _drop_sensor(system: SourceSystem) -> dg.SensorDefinition:
    @dg.sensor(
        name=f"drops_{system.system}",
        job_name=f"land_{system.system}",
        minimum_interval_seconds=30,
        description=f"Lands files of {system.title_en} ({system.title_zh}) as soon as they are dropped.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        fingerprint = drops_fingerprint(load_settings(), system)
        if fingerprint == context.cursor:
            return dg.SkipReason("no file has come or changed")
        return dg.SensorResult([dg.RunRequest(run_key=fingerprint)], cursor=fingerprint)

    return sensor


@dg.sensor(
    job_name=BUILD,
    minimum_interval_seconds=30,
    description="Builds the models when rows have landed, or models have changed, since the last build.",
)
def build_when_landed(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.RunRequest | dg.SkipReason:
    """Ask for a build where one is due."""
    settings = lake.settings
    if not lake_exists(settings):
        return dg.SkipReason("nothing has landed yet")
    if not is_build_due(settings):
        return dg.SkipReason("all that has landed is built")
    blocking = blocking_failures(settings)
    if blocking:
        return dg.SkipReason(f"held back by {blocking[0].dataset}: {blocking[0].message}")
    with open_lake(settings, read_only=True, spatial=False) as connection:
        ((position,),) = connection.execute("SELECT coalesce(max(load_seq), 0) FROM lake.ops.load").fetchall()
    return dg.RunRequest(run_key=f"load-{position}")
