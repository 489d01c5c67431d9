"""One asset for each data set of the city's sources: landing what is new of it."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence

import dagster as dg
from pydantic import Field

from catalog.contract import Contract
from pipelines.landing.commit import Counts
from pipelines.landing.land import LandingResult, land
from pipelines.landing.preview import preview
from pipelines.resources import LakeResource
from pipelines.sources.declared import PullError, SourceSystem
from quality.refusals import open_refusals
from warehouse.lake.session import open_lake

log = logging.getLogger("gridlake")
WRITER_POOL = "lake_writer"
WHOLE = "deliveries_whole"


class LandingConfig(dg.Config):
    """How to land."""

    since: str = Field(
        default="",
        description="Pull again from this cursor value (for example 2026-01-01) instead of from the watermark;"
        " rows that the lake holds unchanged are not landed again. Files are not concerned.",
    )


def raw_assets(
    systems: Sequence[SourceSystem],
    contracts: Mapping[str, Contract],
    result_of: Callable[[str], LandingResult | None] = lambda _: None,
) -> list[dg.AssetsDefinition]:
    """The landing assets of a city, in the order of its source files.

    `result_of` gives what came of a data set that was landed already, or raises what kept it from being landed.
    """
    missing = [name for s in systems for name in s.dataset_names if name not in contracts]
    if missing:
        raise dg.DagsterInvalidDefinitionError(f"data sets without contract: {missing}; add them to its contracts")
    return [_asset(system, contracts[name], result_of) for system in systems for name in system.dataset_names]


def _asset(
    system: SourceSystem, contract: Contract, result_of: Callable[[str], LandingResult | None]
) -> dg.AssetsDefinition:
    key = dg.AssetKey(["raw", contract.name])

    @dg.asset(
        key=key,
        group_name="raw",
        description=contract.about,
        kinds={system.kind, "ducklake"},
        owners=[f"team:{contract.owner}"] if contract.owner else None,
        tags={"city": system.city, "system": system.system},
        pool=WRITER_POOL,
        check_specs=[
            dg.AssetCheckSpec(
                WHOLE,
                asset=key,
                description="The source and all it delivered could be read; else it stays until mended.",
            )
        ],
        metadata={
            "dagster/column_schema": _columns(contract),
            "source": f"{system.title_zh} / {system.title_en}",
            "sharing": contract.sharing_type,
            "grade": contract.data_grade,
        },
    )
    def asset(
        context: dg.AssetExecutionContext, config: LandingConfig, lake: LakeResource
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:  # type: ignore[type-arg]
        def tell(line: str) -> None:
            context.log.info(line)
            log.info(line)

        try:
            result = result_of(contract.name)
            if result is None:
                result = land(lake.settings, system, contract.name, contract, progress=tell, since=config.since or None)
        except PullError as error:
            # A step that fails would keep the models from all that the other sources have brought. The check tells it.
            context.log.error(str(error))
            result = LandingResult(system.system, contract.name, Counts(), ())
        yield dg.MaterializeResult(asset_key=key, metadata=_metadata(lake, contract, result))
        refused = _refusals(lake, contract.name)
        yield dg.AssetCheckResult(
            asset_key=key,
            check_name=WHOLE,
            passed=not refused,
            severity=dg.AssetCheckSeverity.ERROR,
            metadata={"refused": dg.MetadataValue.md(refused)} if refused else {},
        )

    return asset


def _columns(contract: Contract) -> dg.TableSchema:
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                f.name,
                f.physical_type,
                description=f"{f.name_zh} / {f.name_en}",
                constraints=dg.TableColumnConstraints(nullable=not f.is_required),
            )
            for f in contract.fields
        ]
    )


def _metadata(lake: LakeResource, contract: Contract, result: LandingResult) -> dict[str, dg.MetadataValue]:
    counts = result.counts
    total, rows = preview(lake.settings, contract)
    return {
        "dagster/row_count": dg.MetadataValue.int(total),
        "deliveries": dg.MetadataValue.int(counts.delivery_count),
        "rows fetched": dg.MetadataValue.int(counts.fetched_count),
        "rows held already": dg.MetadataValue.int(counts.repeated_count),
        "rows read": dg.MetadataValue.int(counts.read_count),
        "rows accepted": dg.MetadataValue.int(counts.accepted_count),
        "rows quarantined": dg.MetadataValue.int(counts.quarantined_count),
        "rows gone at the source": dg.MetadataValue.int(counts.deleted_count),
        "preview": dg.MetadataValue.md(rows),
    }


def _refusals(lake: LakeResource, dataset: str) -> str:
    """Every refused delivery of the data set that is not mended yet, also those of earlier runs."""
    with open_lake(lake.settings, read_only=True, spatial=False) as connection:
        return "\n".join(f"- `{kept.uri}`: {kept.problem}" for kept in open_refusals(connection, dataset))
