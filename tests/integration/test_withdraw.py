"""A lake from which deliveries were withdrawn has the same tables as one that never had them."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from pathlib import Path

import polars as pl
from lakes import fingerprint

from catalog.contract import Contract, load_contracts
from pipelines.build import prepare, run_dbt
from pipelines.demo_city.writers import xlsx
from pipelines.landing.deliveries import deliveries
from pipelines.landing.land import land
from pipelines.landing.withdraw import undo, withdraw
from pipelines.sources.declared import SourceSystem, load_sources
from warehouse.lake.extensions import connect
from warehouse.lake.layout import tables
from warehouse.lake.session import attachment, open_lake
from warehouse.settings import Settings, load_settings

_DISTRICT, _GRID = "990102", "990102001001001"
_TABLES = ("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")
_BOOKKEEPING = {"build_position", "touched_key", "case_touched_day"}
# What the lake tells of its own work: of deliveries and checks, when they came about, and under which numbers.
_OWN_RECORD = {"mart_check", "mart_dataset", "mart_delivery"}
# The columns of the platform's files: text by the contract's field.
_CASE = {
    "case_no": "案卷编号",
    "channel": "上报来源",
    "class_code": "类别编码",
    "status": "案卷状态",
    "is_urgent": "是否紧急",
    "is_supervised": "是否督办",
    "reported_at": "上报时间",
    "filed_at": "立案时间",
    "dispatched_at": "派遣时间",
    "handled_at": "处置时间",
    "closed_at": "结案时间",
    "handle_due_at": "处置截止",
    "unit_code": "处置部门",
    "grid_code": "单元网格",
    "lon": "经度",
    "lat": "纬度",
    "collector_no": "采集员工号",
    "updated_at": "更新时间",
}


def case(number: int, reported: str, closed: str = "", *, updated: str = "", unit: str = "YH-02") -> dict[str, str]:
    """One state of one case; a case that is closed has gone through all steps at once."""
    return {
        "case_no": f"{_DISTRICT}{reported[:10].replace('-', '')}{number:05d}",
        "channel": "1",
        "class_code": "S0110",
        "status": "60" if closed else "30",
        "is_urgent": "0",
        "is_supervised": "0",
        "reported_at": f"{reported} 09:00:00",
        "filed_at": f"{reported} 09:10:00",
        "dispatched_at": f"{reported} 09:20:00",
        "handled_at": f"{closed} 10:00:00" if closed else "",
        "closed_at": f"{closed} 11:00:00" if closed else "",
        "handle_due_at": f"{reported} 21:00:00",
        "unit_code": unit,
        "grid_code": _GRID,
        "lon": "123.5001",
        "lat": "32.9901",
        "collector_no": "YHC0001",
        "updated_at": f"{updated or closed or reported} 12:00:00",
    }


def cases(*rows: dict[str, str]) -> bytes:
    lines = [",".join(_CASE.values()), *(",".join(row.values()) for row in rows)]
    return ("\n".join(lines) + "\n").encode("gb18030")


def boundary(code: str, level: str, side: float, since: str = "2026-01-01") -> bytes:
    lon, lat = 123.4, 32.9
    ring = [[lon, lat], [lon + side, lat], [lon + side, lat + side], [lon, lat + side], [lon, lat]]
    properties = {"code": code, "level": level, "name_zh": code, "start_date": since}
    if level == "grid":
        properties = {
            "grid_code": code,
            "grid_name": code,
            "admin_code": code[:6],
            "street_code": code[:9],
            "community_code": code[:12],
            "area_m2": "10000",
            "start_date": since,
        }
    feature = {"type": "Feature", "properties": properties, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    return json.dumps({"type": "FeatureCollection", "features": [feature]}).encode()


def register(states: str) -> bytes:
    """A register of trees: one letter for each, of its state."""
    names = {"w": "完好", "b": "破损"}
    trees = {f"990102040100000{n}": names[state] for n, state in enumerate(states) if state != " "}
    frame = pl.DataFrame(
        {
            "部件标识码": list(trees),
            "部件名称": ["行道树"] * len(trees),
            "小类代码": ["0401"] * len(trees),
            "主管部门": ["landscaping"] * len(trees),
            "所在单元网格": [_GRID] * len(trees),
            "部件状态": list(trees.values()),
            "经度": ["123.5001"] * len(trees),
            "纬度": ["32.9901"] * len(trees),
            "初始时间": ["2025-06-01"] * len(trees),
        }
    )
    return xlsx(frame, "园林部件")


_FIRST = {
    "planning/area_boundary_1.geojson": boundary(_DISTRICT, "district", 0.5),
    "planning/unit_grid_1.geojson": boundary(_GRID, "grid", 0.2),
    "greenery/component_1.xlsx": register("wwww"),
    "patrol/990102/patrol_case_1.csv": cases(
        case(1, "2026-01-05", "2026-01-07"),
        case(2, "2026-01-06"),
        case(3, "2026-02-10", "2026-02-12"),
        case(4, "2026-02-20"),
        # A typing error that nobody withdraws: while the horizon is in 2062 it is told, afterwards no more.
        case(5, "2026-02-20", "2027-05-03", updated="2026-02-21"),
    ),
}
# With these everything goes wrong; only the rows that are marked are right.
_WRONG = {
    "planning/area_boundary_2.geojson": boundary(_DISTRICT, "district", 0.05, since="2026-02-01"),
    "greenery/component_2.xlsx": register("b w"),
    "patrol/990102/patrol_case_2.csv": cases(
        case(2, "2026-01-06", "2062-05-01"), case(6, "2026-03-01", "2026-03-04"), case(7, "2026-03-02")
    ),
    "patrol/990102/patrol_case_3.csv": cases(
        case(1, "2026-01-05", "2026-03-20", unit="YH-01"), case(3, "2026-02-10"), case(8, "2026-03-09", "2026-03-10")
    ),
}
_LATER = {
    "greenery/component_3.xlsx": register("wbww"),
    # It corrects a part of what is withdrawn, with a time that is older.
    "patrol/990102/patrol_case_4.csv": cases(
        case(3, "2026-02-10", "2026-02-13"), case(2, "2026-01-06", "2026-03-11"), case(9, "2026-03-12")
    ),
}


def city(settings: Settings) -> list[SourceSystem]:
    """The made-up city's sources as they were before times of the future were refused."""
    found = []
    for system in load_sources("demo"):
        entries = [entry.model_copy(update={"future_tolerance": timedelta(days=40 * 366)}) for entry in system.datasets]
        found.append(system.model_copy(update={"datasets": tuple(entries)}))
    return [system for system in found if system.kind == "files" and system.system != "patrol_lanting"]


def contracts_of_then() -> dict[str, Contract]:
    found = load_contracts("demo")
    return {
        name: dataclasses.replace(one, rules=tuple(r for r in one.rules if r.name != "over_within_ten_years"))
        for name, one in found.items()
    }


def lake_of(place: Path, *deliveries_of: dict[str, bytes]) -> Settings:
    settings = load_settings(city="demo", home=place / "home", data=place / "data", memory="800MB")
    for files in deliveries_of:
        deliver(settings, files)
    return settings


def deliver(settings: Settings, files: dict[str, bytes]) -> None:
    """Drop and land the files one by one."""
    contracts = contracts_of_then()
    for name, content in files.items():
        path = settings.data_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        for system in city(settings):
            for dataset in system.dataset_names:
                assert land(settings, system, dataset, contracts[dataset]).refusals == ()


def build(settings: Settings) -> None:
    prepare(settings)
    run_dbt(settings, ["build", *_TABLES])


def take_back(settings: Settings, uri: str, *rows: str) -> int:
    with open_lake(settings, read_only=True) as lake:
        (name,) = [one.delivery_id for one in deliveries(lake) if one.uri == uri]
    outcome = withdraw(settings, city(settings), load_contracts("demo"), name, rows=rows, reason="wrong", by="steward")
    return outcome.withdrawal.number


def differing(one: Settings, other: Settings) -> list[str]:
    """Tables of which the one or the other lake has a row that the other has not, counted by how often."""
    connection = connect(extensions=("ducklake", "sqlite_scanner", "spatial"))
    try:
        connection.execute("SET TimeZone = 'UTC'")
        for alias, settings in (("lake", one), ("other", other)):
            connection.execute(attachment(settings).sql(read_only=True).replace(" AS lake ", f" AS {alias} "))
        wrong = []
        for schema, table in sorted(tables(connection)):
            if schema in ("core", "indicator", "mart") and table not in _BOOKKEEPING | _OWN_RECORD:
                rows = [f"SELECT * FROM {alias}.{schema}.{table}" for alias in ("lake", "other")]
                both = f"({rows[0]} EXCEPT ALL {rows[1]}) UNION ALL ({rows[1]} EXCEPT ALL {rows[0]})"
                ((count,),) = connection.execute(f"SELECT count(*) FROM ({both})").fetchall()
                if count:
                    wrong.append(f"{schema}.{table}: {count}")
        return wrong
    finally:
        connection.close()


def horizon(settings: Settings) -> str:
    with open_lake(settings, read_only=True) as lake:
        ((as_of,),) = lake.execute("SELECT as_of FROM lake.mart.mart_state").fetchall()
        return f"{as_of:%Y-%m-%d}"


def test_the_tables_are_those_of_a_lake_that_never_had_it(tmp_path: Path) -> None:
    lake = lake_of(tmp_path / "one", _FIRST)
    build(lake)
    deliver(lake, _WRONG)
    deliver(lake, _LATER)
    build(lake)
    assert horizon(lake) == "2062-05-01"
    wrecked = fingerprint(lake)
    assert wrecked["indicator.indicator_value"][0] > 50_000

    numbers = [
        take_back(lake, "patrol/990102/patrol_case_2.csv", "1"),
        take_back(lake, "patrol/990102/patrol_case_3.csv"),
        take_back(lake, "greenery/component_2.xlsx"),
        take_back(lake, "planning/area_boundary_2.geojson"),
    ]
    build(lake)
    right = {"patrol/990102/patrol_case_2.csv": cases(case(6, "2026-03-01", "2026-03-04"), case(7, "2026-03-02"))}
    never = lake_of(tmp_path / "never", _FIRST, right, _LATER)
    build(never)
    assert horizon(lake) == horizon(never) == "2026-03-12"
    assert differing(lake, never) == []

    for number in numbers:
        undo(lake, city(lake), load_contracts("demo"), number, reason="to see it again", by="steward")
    build(lake)
    assert [name for name, found in fingerprint(lake).items() if found != wrecked[name]] == []
