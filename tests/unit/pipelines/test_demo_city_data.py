"""The made-up city's data: the same seed gives the same bytes, codes and shapes follow the standards."""

from __future__ import annotations

import gzip
import hashlib
import io
import itertools
import json
from pathlib import Path

import duckdb
import polars as pl
import pytest

from pipelines.demo_city import case_state
from pipelines.demo_city import reference as ref
from pipelines.demo_city.clock import seconds
from pipelines.demo_city.defects import expected_defects, expected_quarantine
from pipelines.demo_city.generate import World, advance_files, build_world, generate, read_state
from warehouse.lake.extensions import connect
from warehouse.settings import CITIES, PROJECT_ROOT

END = seconds("2026-04-01") - 1


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("city")
    generate(folder)
    return folder


@pytest.fixture(scope="module")
def world() -> World:
    return build_world()


@pytest.fixture(scope="module")
def spatial(home: Path) -> duckdb.DuckDBPyConnection:
    con = connect(extensions=["spatial"])
    for name in ("area_boundary", "unit_grid"):
        con.execute(f"CREATE TABLE {name} AS SELECT * FROM st_read('{home}/drops/planning/{name}.geojson')")
    return con


def one(con: duckdb.DuckDBPyConnection, query: str) -> object:
    row = con.execute(query).fetchone()
    assert row is not None
    return row[0]


def digests(home: Path) -> dict[str, str]:
    files = sorted(p for p in home.rglob("*") if p.is_file())
    return {str(p.relative_to(home)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def drop(home: Path, district: str, span: str) -> Path:
    (path,) = (home / "drops" / "patrol" / district).glob(f"patrol_case_{span}.*")
    return path


def test_the_same_seed_gives_the_same_bytes(home: Path, tmp_path: Path) -> None:
    build_world.cache_clear()
    generate(tmp_path)
    assert digests(tmp_path) == digests(home)


def test_another_seed_gives_another_city(home: Path, tmp_path: Path) -> None:
    generate(tmp_path, seed=7)
    assert digests(tmp_path) != digests(home)
    with pytest.raises(ValueError, match="seed 7"):
        generate(tmp_path)


def test_a_second_start_changes_nothing(home: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in home.rglob("*")}
    assert generate(home) == read_state(home)
    assert {p: p.stat().st_mtime_ns for p in home.rglob("*")} == before


def test_component_codes_have_16_digits_and_name_their_district_and_class(world: World) -> None:
    parts = world.components
    assert parts["component_id"].str.contains(r"^9901\d{12}$").all()
    assert parts["component_id"].is_unique().all()
    assert (parts["component_id"].str.slice(0, 6) == parts["district_code"]).all()
    assert (parts["component_id"].str.slice(6, 4) == parts["class_code"]).all()
    assert (parts["grid_code"].str.slice(0, 6) == parts["district_code"]).all()
    assert 7_500 <= parts.height <= 8_500
    assert parts["class_code"].n_unique() == len(ref.COMPONENT_CLASSES) == 25


def test_component_classes_are_classes_of_the_2013_standard(world: World) -> None:
    standard = pl.read_csv(PROJECT_ROOT / "dbt/seeds/standards/class_standard.csv", infer_schema=False)
    components = standard.filter((pl.col("edition") == "2013") & (pl.col("kind") == "component"))
    assert set(world.components["class_code"]) <= set(components["code"])
    known = set(standard.filter(pl.col("edition") == "2013").select("kind", "code").rows())
    assert {(c.kind, c.code) for c in ref.CASE_CLASSES} <= known


def test_grid_codes_have_15_digits_numbered_west_to_east_and_north_to_south(world: World) -> None:
    grids = world.city.grids
    assert grids.height == 220
    assert grids["grid_code"].str.contains(r"^9901\d{11}$").all()
    assert grids["grid_code"].is_unique().all()
    ordered = grids.sort("community_code", "row", "column")
    assert ordered["grid_code"].is_sorted()
    first = grids.group_by("community_code").agg(pl.col("grid_code").str.slice(12).min())
    assert set(first["grid_code"]) == {"001"}


def test_grids_do_not_overlap(spatial: duckdb.DuckDBPyConnection) -> None:
    overlap = one(
        spatial,
        "SELECT coalesce(max(st_area(st_intersection(a.geom, b.geom))), 0) FROM unit_grid a JOIN unit_grid b "
        "ON a.grid_code < b.grid_code AND st_intersects(a.geom, b.geom)",
    )
    # A square centimetre is about 1e-14 square degrees.
    assert float(str(overlap)) < 1e-14


@pytest.mark.parametrize("level", ["community", "street", "district", "city"])
def test_grids_tile_every_level_without_a_gap(spatial: duckdb.DuckDBPyConnection, level: str) -> None:
    length = {"community": 12, "street": 9, "district": 6, "city": 4}[level]
    rows = spatial.execute(
        f"""
        SELECT a.code, st_area(a.geom), sum(st_area(g.geom)), st_area(st_difference(a.geom, st_union_agg(g.geom)))
        FROM area_boundary a JOIN unit_grid g ON left(g.grid_code, {length}) = left(a.code, {length})
        WHERE a.level = '{level}' GROUP BY a.code, a.geom
        """
    ).fetchall()
    assert len(rows) == one(spatial, f"SELECT count(*) FROM area_boundary WHERE level = '{level}'")
    for code, area, covered, gap in rows:
        assert covered == pytest.approx(area, rel=1e-9), code
        assert gap < 1e-14, code


def test_every_case_lies_in_its_grid(world: World, spatial: duckdb.DuckDBPyConnection) -> None:
    cases = world.cases.filter(pl.col("system") != "hotline").select("grid_code", "lon", "lat").to_arrow()
    spatial.register("cases", cases)
    outside = one(
        spatial,
        "SELECT count(*) FROM cases JOIN unit_grid USING (grid_code) "
        "WHERE st_distance(geom, st_point(lon, lat)) > 1e-7",
    )
    assert outside == 0


def test_cases_keep_the_order_of_the_life_cycle(world: World) -> None:
    steps = ["reported", "filed", "dispatched", "handled", "checked", "closed"]
    pairs = [(pl.col(later) >= pl.col(earlier)).fill_null(True) for earlier, later in itertools.pairwise(steps)]
    assert world.cases.select(pl.all_horizontal(pairs).all()).item()


def test_rates_lie_where_real_cities_report_them(world: World) -> None:
    state = case_state.at(world.cases, END)
    assert 11_000 <= state.height <= 13_000
    filed = state.filter(pl.col("filed").is_not_null() & pl.col("cancelled").is_null())
    due = filed.filter(pl.col("close_due") <= END)
    closed = filed["closed"].is_not_null().sum() / filed.height
    on_time = (due["closed"] <= due["close_due"]).fill_null(False).sum() / due.height
    rework = filed["rework_count"].sum() / filed.height
    assert 0.96 <= closed <= 0.985
    assert 0.85 <= on_time <= 0.95
    assert 0.03 <= rework <= 0.05
    assert {"suspended", "cancelled", "not_accepted", "handling"} <= set(state["status"])


def test_headers_drift_between_the_months(home: Path) -> None:
    spans = ("20260101_20260131", "20260201_20260228", "20260301_20260331")
    headers = [drop(home, "990102", s).read_bytes().decode("gb18030").splitlines()[0].split(",") for s in spans]
    assert set(headers[0]) == set(headers[1])
    assert headers[0] != headers[1]
    assert set(headers[2]) - set(headers[0]) == {"上报日期时间", "满意度"}
    first, last = (gzip.decompress(drop(home, "990103", spans[i]).read_bytes()).split(b"\n")[0] for i in (0, 2))
    assert set(json.loads(last)) - set(json.loads(first)) == {"is_drone_checked"}


def test_defects_stand_in_the_files_as_announced(home: Path) -> None:
    texts = [path.read_bytes().decode("gb18030") for path in sorted((home / "drops/patrol/990102").iterdir())]
    rows = pl.concat([pl.read_csv(io.StringIO(t), infer_schema=False) for t in texts], how="diagonal")
    reported = pl.coalesce("上报时间", "上报日期时间")
    found = {
        "missing_id": rows["案卷编号"].null_count(),
        "wrong_type": rows.filter(reported.str.starts_with("2026-13")).height,
        "closed_before_reported": rows.filter(pl.col("结案时间") < reported).height,
        "outside_city": rows.filter(pl.col("经度").cast(pl.Float64) > 130).height,
        "wrong_code": rows.filter(pl.col("单元网格").str.len_chars() != 15).height,
        "unmapped_class": rows.filter(pl.col("类别编码") == ref.UNMAPPED_CLASS["patrol_case_yunhe"]).height,
    }
    # A row with a month 13 compares as text like one that closed before it was reported.
    found["closed_before_reported"] -= rows.filter(
        reported.str.starts_with("2026-13") & (pl.col("结案时间") < reported)
    ).height
    assert found == {d.kind: d.count for d in expected_defects("patrol_case_yunhe")}


def test_the_quarantine_expects_only_rows_that_break_a_rule() -> None:
    assert expected_quarantine()["hotline_order"] == 25
    assert "unit_grid" not in expected_quarantine()


def test_a_mapping_seed_covers_all_source_codes_but_the_unmapped_one(home: Path) -> None:
    folder = CITIES / "demo" / "mappings"
    orders = pl.read_parquet(home / "demo_city/hotline.parquet")["body"].str.json_decode(
        pl.Struct({"service_code": pl.String, "process_status": pl.String, "channel": pl.String})
    )
    fields = orders.struct.unnest()
    for column, what in (("service_code", "class"), ("process_status", "status"), ("channel", "channel")):
        mapped = pl.read_csv(folder / f"map_hotline_12345__{what}.csv", infer_schema=False)["source_code"]
        expected = {ref.UNMAPPED_CLASS["hotline_order"]} if what == "class" else set()
        assert set(fields[column]) - set(mapped) == expected, what


def test_a_later_day_closes_open_cases_and_adds_new_ones(tmp_path: Path) -> None:
    base = generate(tmp_path)
    before = digests(tmp_path)
    later = advance_files(tmp_path, "2026-04-10")
    after = digests(tmp_path)
    assert later.rows["hotline_order"] > base.rows["hotline_order"]
    drops = {name for name in after if name.startswith("drops/") and before.get(name) != after[name]}
    assert drops == {
        "drops/patrol/990102/patrol_case_20260401_20260410.csv",
        "drops/patrol/990103/patrol_case_20260401_20260410.ndjson.gz",
    }
    text = drop(tmp_path, "990102", "20260401_20260410").read_bytes().decode("gb18030")
    rows = pl.read_csv(io.StringIO(text), infer_schema=False)
    old = rows.filter(pl.col("上报日期时间") < "2026-04-01")
    assert old.filter(pl.col("案卷状态") == ref.YUNHE_STATUS["closed"]).height > 10
    assert rows.height > old.height


def test_a_later_day_is_the_same_from_any_start(tmp_path: Path) -> None:
    generate(tmp_path / "a")
    generate(tmp_path / "b")
    advance_files(tmp_path / "a", "2026-04-10")
    advance_files(tmp_path / "b", "2026-04-05")
    advance_files(tmp_path / "b", "2026-04-10")
    a, b = digests(tmp_path / "a"), digests(tmp_path / "b")
    for name in ("demo_city/hotline.parquet", "demo_city/permit.csv", "demo_city/department.csv"):
        assert a[name] == b[name]


@pytest.mark.parametrize("day", ["2026-03-30", "2026-05-01"])
def test_the_city_moves_only_forward_and_only_to_its_last_day(home: Path, day: str) -> None:
    with pytest.raises(ValueError, match=day):
        advance_files(home, day)
