"""A real city from its files to core: every figure is worked out from the files again and compared with the lake."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import Any, Protocol

import pytest
import washington_files as real
import yaml

from warehouse.settings import CITIES

pytestmark = pytest.mark.skipif(not real.is_there(), reason=real.MISSING)


class Lake(Protocol):
    def query(self, sql: str) -> list[tuple[Any, ...]]: ...


def one(lake: Lake, sql: str) -> Any:
    rows = lake.query(sql)
    assert len(rows) == 1
    return rows[0][0]


def by_snapshot(lake: Lake, condition: str) -> dict[str, int]:
    rows = lake.query(
        "SELECT strftime(snapshot, '%Y-%m-%d'), count(*) FROM lake.core.fct_case_report"
        f" WHERE source_system = 'dc_311' AND {condition} GROUP BY ALL"
    )
    return dict(rows)


def fixes(lake: Lake, dataset: str, field: str) -> Counter[str]:
    """Rows mended in a field, by snapshot."""
    counts: Counter[str] = Counter()
    for uri, counted in lake.query(f"SELECT uri, fix_counts FROM lake.ops.load WHERE dataset = '{dataset}'"):
        for label, count in json.loads(counted or "{}").items():
            if label.startswith(f"{field}:"):
                counts[uri.split("/")[1]] += count
    return +counts


def test_every_feature_of_every_file_is_accepted_or_quarantined(washington_lake: Lake) -> None:
    loads = washington_lake.query("SELECT uri, read_count, accepted_count, quarantined_count FROM lake.ops.load")
    assert {uri: read for uri, read, _, _ in loads} == real.feature_counts()
    assert [uri for uri, read, accepted, quarantined in loads if read != accepted + quarantined] == []
    assert len(loads) == len(real.feature_counts()), "a file was taken into two data sets, or twice"


def test_only_empty_rows_are_quarantined(washington_lake: Lake) -> None:
    refused = {
        dataset: count
        for dataset, count in washington_lake.query(
            "SELECT dataset, sum(quarantined_count) FROM lake.ops.load GROUP BY dataset"
        )
        if count
    }
    empty_sheet_rows = sum(
        1
        for path in real.files()
        if path.parts[-3] == "kpi"
        for feature in real.features(path)
        if all(value is None for name, value in feature["properties"].items() if name != "OBJECTID")
    )
    assert empty_sheet_rows == 2 * (1518 + 867)
    assert refused == {"dc_service_request": 1, "dc_agency_indicator": empty_sheet_rows}


def test_the_empty_request_is_quarantined_for_its_missing_number(washington_lake: Lake) -> None:
    rows = washington_lake.query("SELECT broken_rules, original FROM lake.quarantine.dc_service_request")
    assert len(rows) == 1
    assert rows[0][0] == ["required:service_request_id"]
    assert "2018-08-01" in rows[0][1]


def test_permits_without_a_place_are_kept(washington_lake: Lake) -> None:
    path = real.DATA / "permits" / "2016-08-16" / "public-space-permits-last-30-days.geojson.gz"
    without = sum(feature["geometry"] is None for feature in real.features(path))
    assert without == 10
    assert (
        one(washington_lake, "SELECT count(*) FROM lake.raw.dc_public_space_permit WHERE geometry IS NULL") == without
    )


def test_requests_become_cases_by_their_number(washington_lake: Lake) -> None:
    numbers = {s: {r.number for r in real.requests() if r.snapshot == s and r.number} for s in real.SNAPSHOTS}
    assert [len(numbers[s]) for s in real.SNAPSHOTS] == [11_473, 22_576]
    expected = len(set.union(*numbers.values()))
    assert expected == 34_049
    assert one(washington_lake, "SELECT count(*) FROM lake.core.fct_case WHERE source_system = 'dc_311'") == expected


def test_a_request_in_two_layers_is_one_case_with_two_reports(washington_lake: Lake) -> None:
    layers: defaultdict[str | None, set[str]] = defaultdict(set)
    for request in real.requests():
        layers[request.number].add(request.layer)
    expected = sum(len(found) == 2 for found in layers.values())
    assert expected == 370
    double = washington_lake.query(
        "SELECT case_id FROM lake.core.fct_case_report WHERE source_system = 'dc_311'"
        " GROUP BY case_id HAVING count(DISTINCT layer) = 2"
    )
    assert len(double) == expected


def test_a_layer_keeps_its_name_when_its_file_is_renamed(washington_lake: Lake) -> None:
    rows = washington_lake.query(
        "SELECT count(DISTINCT snapshot) FROM lake.core.fct_case_report"
        " WHERE source_system = 'dc_311' AND layer = 'abandoned-vehicle'"
    )
    assert rows == [(2,)]


def test_vision_zero_reports_stay_apart(washington_lake: Lake) -> None:
    path = real.DATA / "requests" / "2016-08-16" / "vision-zero-safety-transportation.geojson.gz"
    expected = len(real.features(path))
    assert expected == 5_026
    assert one(washington_lake, "SELECT count(*) FROM lake.raw.dc_vision_zero_report") == expected
    assert (
        one(washington_lake, "SELECT count(*) FROM lake.core.fct_case WHERE source_system = 'dc_vision_zero'")
        == expected
    )


@pytest.mark.parametrize(
    ("field", "column", "expected"),
    [
        ("resolved_at", "RESOLUTIONDATE", 4_671),
        ("due_at", "SERVICEDUEDATE", 190),
        ("inspected_at", "INSPECTIONDATE", 10_642),
    ],
)
def test_dates_of_1970_are_mended_and_counted(washington_lake: Lake, field: str, column: str, expected: int) -> None:
    assert real.epoch_counts()["2015-10-11", column] == expected
    assert fixes(washington_lake, "dc_service_request", field) == {"2015-10-11": expected}
    left = f"SELECT count(*) FROM lake.raw.dc_service_request WHERE {field} < TIMESTAMP '2000-01-01'"
    assert one(washington_lake, left) == 0


def test_the_word_null_is_no_ward(washington_lake: Lake) -> None:
    assert fixes(washington_lake, "dc_service_request", "ward") == {"2015-10-11": 36, "2016-08-16": 149}
    wards = washington_lake.query("SELECT DISTINCT ward FROM lake.raw.dc_service_request WHERE ward IS NOT NULL")
    assert sorted(w for (w,) in wards) == list("12345678")


def test_resolved_requests(washington_lake: Lake) -> None:
    expected = Counter(r.snapshot for r in real.requests() if r.number and r.resolved)
    assert expected["2015-10-11"] == 6_802
    assert by_snapshot(washington_lake, "closed_at IS NOT NULL") == expected


def test_late_requests_leave_out_the_due_date_of_1970(washington_lake: Lake) -> None:
    resolved = [r for r in real.requests() if r.number and r.resolved]
    as_written = [r for r in resolved if r.written_due and r.resolved and r.resolved > r.written_due]
    late = Counter(r.snapshot for r in resolved if r.due and r.resolved and r.resolved > r.due)
    # 122 requests of 2015 are late only against a due date of 1970, which stands for no due date.
    assert sum(r.snapshot == "2015-10-11" for r in as_written) == 1_082
    assert late["2015-10-11"] == 1_082 - 122
    assert by_snapshot(washington_lake, "handled_at > handle_due_at") == late


def test_the_point_lies_in_the_ward_that_the_source_names(washington_lake: Lake) -> None:
    expected = real.ward_agreements()
    assert expected == {"2015-10-11": 11_420, "2016-08-16": 22_760}
    assert by_snapshot(washington_lake, "source_district_name = district_id") == expected


def test_no_service_status_or_agency_is_unmapped(washington_lake: Lake) -> None:
    unmapped = washington_lake.query(
        "SELECT source_class_code, source_status_code, source_dept_code FROM lake.staging.stg_dc_311__case"
        " WHERE 'unmapped' IN (class_code, status_code, dept_id)"
    )
    assert unmapped == []


def test_no_component_is_lost_to_another_of_its_snapshot(washington_lake: Lake) -> None:
    expected = sum(count for uri, count in real.feature_counts().items() if uri.startswith("components/"))
    kept = one(
        washington_lake,
        "SELECT count(*) FROM (SELECT DISTINCT version_at, component_id FROM lake.staging.stg_dc_inventory__component)",
    )
    assert expected == 113_172
    assert kept == expected


def test_every_component_layer_has_a_class_and_a_key(washington_lake: Lake) -> None:
    layers = {uri.split("/")[2].split(".")[0] for uri in real.feature_counts() if uri.startswith("components/")}
    feed = yaml.safe_load((CITIES / "washington_dc/feeds/dc_inventory__component.yml").read_text(encoding="utf-8"))
    keyed = set(feed["derive"]["key"][0]["cases"])
    classed = washington_lake.query(
        "SELECT DISTINCT layer FROM lake.staging.stg_dc_inventory__component WHERE class_code = 'unmapped'"
    )
    assert keyed == layers
    assert classed == []


def test_areas_of_all_levels(washington_lake: Lake) -> None:
    rows = washington_lake.query("SELECT area_level, count(*) FROM lake.core.dim_area GROUP BY area_level")
    assert dict(rows) == {"city": 1, "district": 8, "street": 40, "grid": 296}
