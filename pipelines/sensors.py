"""What starts work by itself: files dropped into a folder, rows landed and not built, findings not yet published.

A sensor asks again for what failed: a few times, with growing pauses, under a run key of its own each time.
"""

from __future__ import annotations

import hashlib
import time

import dagster as dg

from pipelines.build import built_state, current_state
from pipelines.connectors.files.connector import find
from pipelines.connectors.files.cut import is_being_written
from pipelines.jobs import AGAIN_IF_KILLED, BUILD, PUBLISH
from pipelines.resources import LakeResource
from pipelines.serving_tables import NAME, is_published
from pipelines.sources.declared import SourceSystem, files_root
from warehouse.lake.history import latest_snapshot
from warehouse.lake.session import lake_exists, open_lake
from warehouse.serving.publish import current
from warehouse.settings import Settings, load_settings

# What a run was asked for; runs with the same one are attempts at the same thing.
STATE_TAG = "gridlake/asked_for"
ATTEMPTS = 5
# After the first failure a minute, then four times as long each time: 85 minutes until the last attempt.
_PAUSE_SECONDS = 60.0
_PAUSE_FACTOR = 4.0


def sensors(systems: list[SourceSystem]) -> list[dg.SensorDefinition]:
    """A sensor for each source that is a folder, one for the models, one for what checks found."""
    drops = [_drop_sensor(system) for system in systems if system.kind == "files"]
    return [*drops, build_when_landed, publish_when_judged]


def drops_fingerprint(settings: Settings, system: SourceSystem) -> str:
    """A hash over path and stamp of every file of a source: it changes when a file comes or changes.

    It changes too when a file that landing took for still being written has been left alone for a minute.
    """
    if system.files is None:
        return ""
    root = files_root(system, settings)
    digest = hashlib.sha256()
    for entry in system.datasets:
        for uri, stamp in find(entry, root):
            is_open = entry.format == "csv" and is_being_written(root / uri, stamp.modified_ns)
            digest.update(f"{uri}\0{stamp.as_list()}\0{is_open}\n".encode())
    return digest.hexdigest()


def attempt(instance: dg.DagsterInstance, job: str, state: str, now: float) -> int | str:
    """The number of the attempt that is to be made at a state now, or why none is; empty where it has succeeded.

    Args:
        instance: Dagster's records.
        job: the job that is asked for.
        state: what it is asked for: a hash.
        now: seconds since 1970.
    """
    records = instance.get_run_records(dg.RunsFilter(job_name=job, tags={STATE_TAG: state}))
    if not records:
        return 1
    newest = records[0]
    run = newest.dagster_run
    if not run.is_finished:
        return "it is under way"
    later = dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.SUCCESS], created_after=newest.create_timestamp)
    if run.is_success or instance.get_run_records(later, limit=1):
        return ""
    if len(records) >= ATTEMPTS:
        return f"it failed {len(records)} times: correct what these runs say, then start `{job}` by hand"
    ended_at = newest.end_time or newest.update_timestamp.timestamp()
    wait = ended_at + _PAUSE_SECONDS * _PAUSE_FACTOR ** (len(records) - 1) - now
    return f"it failed; the next attempt is in {wait:.0f} s" if wait > 0 else len(records) + 1


def _request(state: str, number: int) -> dg.RunRequest:
    return dg.RunRequest(run_key=f"{state}-{number}", tags={STATE_TAG: state, **AGAIN_IF_KILLED})


def _drop_sensor(system: SourceSystem) -> dg.SensorDefinition:
    job = f"land_{system.system}"

    @dg.sensor(
        name=f"drops_{system.system}",
        job_name=job,
        minimum_interval_seconds=30,
        description=f"Lands files of {system.title_en} ({system.title_zh}) as soon as they are dropped.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        fingerprint = drops_fingerprint(load_settings(), system)
        if fingerprint == context.cursor:
            return dg.SensorResult(skip_reason="no file has come or changed", cursor=fingerprint)
        state = f"drops-{system.system}-{fingerprint[:24]}"
        number = attempt(context.instance, job, state, time.time())
        if isinstance(number, int):
            return dg.SensorResult([_request(state, number)])
        # Only what has been landed is taken for known.
        return dg.SensorResult(skip_reason=number or "landed", cursor=context.cursor if number else fingerprint)

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
    with open_lake(settings, read_only=True, spatial=False) as connection:
        wanted = current_state(connection, settings)
        if wanted.load_seq == 0:
            return dg.SkipReason("nothing has landed yet")
        if built_state(connection) == wanted:
            return dg.SkipReason("all that has landed is built")
    state = f"build-{wanted.load_seq}-{hashlib.sha256(wanted.models_hash.encode()).hexdigest()[:24]}"
    number = attempt(context.instance, BUILD, state, time.time())
    if isinstance(number, int):
        return _request(state, number)
    return dg.SkipReason(number or "it was built, and something has changed meanwhile")


@dg.sensor(
    job_name=PUBLISH,
    minimum_interval_seconds=60,
    description="Publishes what is built and what checks found, also while the build of some data sets is held back.",
)
def publish_when_judged(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.RunRequest | dg.SkipReason:
    """Ask for a publish where what is served is not what is built and found."""
    settings = lake.settings
    served = current(settings, NAME) if lake_exists(settings) else None
    if served is None:
        return dg.SkipReason("nothing has been published yet: the first build does it")
    with open_lake(settings, read_only=True, spatial=False) as connection:
        snapshot = latest_snapshot(connection)
        built = built_state(connection)
        if built != current_state(connection, settings):
            return dg.SkipReason("a build is due, which publishes")
    if snapshot == served.snapshot or is_published(settings):
        return dg.SkipReason("all is published")
    state = f"publish-{snapshot}"
    number = attempt(context.instance, PUBLISH, state, time.time())
    return _request(state, number) if isinstance(number, int) else dg.SkipReason(number or "it was published")
