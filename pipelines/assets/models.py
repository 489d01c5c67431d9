"""The dbt models as assets: staging, core, indicator and mart, with dbt's tests as checks."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtCliResource, dbt_assets
from pydantic import Field

from pipelines.assets.raw import WRITER_POOL
from pipelines.build import (
    begin_build,
    current_state,
    dbt_environment,
    dbt_executable,
    held_back,
    left_out,
    prepare,
    record_build,
    target_path,
)
from pipelines.project import assemble
from pipelines.resources import LakeResource
from quality.dbt_results import dbt_results, tests_of
from quality.results import record
from warehouse.lake.session import open_lake
from warehouse.lake.turn import writer_turn
from warehouse.settings import Settings


class ModelsConfig(dg.Config):
    """How to build."""

    full_refresh: bool = Field(default=False, description="Build all tables anew from `raw` instead of what changed.")


class LayerTranslator(DagsterDbtTranslator):
    """Names and groups models by layer; a source table of `raw` is the raw asset of its data set."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """`<layer>/<model>`, `raw/<data set>` or `ops/<table>` for a source, `seed/<list>` for a seed."""
        return dg.AssetKey([layer_of(dbt_resource_props), str(dbt_resource_props["name"])])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """The layer."""
        return layer_of(dbt_resource_props)


def layer_of(properties: Mapping[str, Any]) -> str:
    """raw, ops, seed, staging, core, indicator or mart."""
    kind = properties["resource_type"]
    if kind == "source":
        return str(properties["source_name"])
    return "seed" if kind == "seed" else str(properties["fqn"][1])


def model_assets(settings: Settings, manifest: Path) -> dg.AssetsDefinition:
    """All models and seeds of the city as one asset set that dbt builds in one process."""
    translator = LayerTranslator(settings=DagsterDbtTranslatorSettings(enable_asset_checks=True))
    document = json.loads(manifest.read_text(encoding="utf-8"))

    @dbt_assets(
        manifest=document,
        dagster_dbt_translator=translator,
        name="models",
        pool=WRITER_POOL,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def models(
        context: dg.AssetExecutionContext, config: ModelsConfig, lake: LakeResource, dbt: DbtCliResource
    ) -> Iterator[Any]:
        current = lake.settings
        prepare(current)
        with open_lake(current, spatial=False) as connection:
            state = current_state(connection, current)
            held = held_back(connection)
            is_whole = not context.is_subset
        if held:
            context.log.warning(f"left as it is, because it depends on data sets that are held back: {', '.join(held)}")
        if is_whole:
            begin_build(current)
        assemble(current)
        os.environ.update(dbt_environment(current))  # dagster-dbt hands dbt this process's environment
        with writer_turn(current):
            # Unit tests tell of the models' text, not of the data: they belong to `make test`.
            arguments = ["build", "--exclude-resource-type", "unit_test", *left_out(held)]
            arguments += ["--full-refresh"] if config.full_refresh else []
            # What an earlier build found is not told again of one that does not come to its tests.
            (target_path(current) / "run_results.json").unlink(missing_ok=True)
            invocation = dbt.cli(arguments, context=context, target_path=target_path(current), raise_on_error=False)
            yield from invocation.stream()
        if (invocation.target_path / "run_results.json").exists():
            tests = tests_of(invocation.target_path)
            results = dbt_results(current, invocation.target_path)
            # A test that was left out because of what is held back still exists.
            record(current, results, covering=lambda r: r.kind == "dbt" and r.check_id not in tests)
        if not invocation.is_successful():
            raise dg.Failure(
                f"dbt failed; see {invocation.target_path}", metadata={"target": str(invocation.target_path)}
            )
        if is_whole:
            record_build(current, state)

    return models


def dbt_resource(settings: Settings) -> DbtCliResource:
    """dbt as Dagster calls it, with the lake's environment."""
    project = str(assemble(settings))
    return DbtCliResource(
        project_dir=project,
        profiles_dir=project,
        dbt_executable=dbt_executable(),
        global_config_flags=["--no-use-colors", "--log-path", str(target_path(settings) / "logs")],
    )
