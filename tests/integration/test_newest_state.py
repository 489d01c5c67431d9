"""Which state of a thing core shows: the later delivery's, by the lake's own sequence, never by a value or a clock."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from lakes import MODELS_ONLY, fingerprint

import pipelines.project
from catalog.contract import load_contracts
from pipelines.build import current_state, prepare, run_dbt
from pipelines.demo_city.writers import xlsx
from pipelines.landing.land import land
from pipelines.project import SHARED
from pipelines.sources.declared import load_sources
from warehouse.lake.session import open_lake, transact
from warehouse.settings import Settings, load_settings

_SYSTEMS = ("department_drops", "greenery_bureau")
_GRID = "990102001001001"
_SELECTED = ("--select", "+dim_area", "+dim_component", "+dim_department", *MODELS_ONLY)


def deliver(data: Path, number: int, *, side: float, trees: dict[str, str], unit_name: str, damaged: str = "") -> None:
    """Everything again, with the same dates: one grid, a register of trees (`damaged` nowhere), a list of units."""
    lon, lat = 123.5, 32.99
    ring = [[lon, lat], [lon + side, lat], [lon + side, lat + side], [lon, lat + side], [lon, lat]]
    properties = {
        "grid_code": _GRID,
        "grid_name": "g",
        "admin_code": "990102",
        "street_code": _GRID[:9],
        "community_code": _GRID[:12],
        "area_m2": 10000.0,
        "start_date": "2026-01-01",
    }
    grid = {"type": "Feature", "properties": properties, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    register = pl.DataFrame(
        {
            "部件标识码": list(trees),
            "部件名称": ["行道树"] * len(trees),
            "小类代码": ["0401"] * len(trees),
            "主管部门": ["landscaping"] * len(trees),
            "所在单元网格": [_GRID] * len(trees),
            "部件状态": list(trees.values()),
            "经度": ["?" if tree == damaged else str(lon + 0.0001) for tree in trees],
            "纬度": [str(lat + 0.0001)] * len(trees),
            "初始时间": ["2025-06-01"] * len(trees),
        }
    )
    files = {
        f"planning/unit_grid_{number}.geojson": json.dumps({"type": "FeatureCollection", "features": [grid]}).encode(),
        f"greenery/component_{number}.xlsx": xlsx(register, "园林部件"),
        f"staff_office/department_{number}.csv": (
            f"部门编码,部门名称,英文名称,上级部门,部门类别\nlandscaping,{unit_name},x,,bureau\n".encode()
        ),
    }
    for name, content in files.items():
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_bytes(content)


def land_all(settings: Settings) -> None:
    contracts = load_contracts("demo")
    for system in load_sources("demo"):
        if system.system in _SYSTEMS:
            for name in system.dataset_names:
                assert land(settings, system, name, contracts[name]).refusals == ()


def set_the_clock_back(settings: Settings) -> None:
    """What has landed so far was landed while the machine's clock was two days ahead."""

    def work(lake: duckdb.DuckDBPyConnection) -> None:
        for table in ("raw.department_list", "raw.component_greenery", "raw.unit_grid"):
            lake.execute(f"UPDATE lake.{table} SET _loaded_at = _loaded_at + INTERVAL 2 DAY")
        lake.execute("UPDATE lake.ops.load SET loaded_at = loaded_at + INTERVAL 2 DAY")

    with open_lake(settings) as lake:
        transact(lake, settings, work, message="clock")


def ask(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    with open_lake(settings, read_only=True) as lake:
        return lake.execute(sql).fetchall()


def trees(settings: Settings) -> dict[str, str]:
    rows = ask(
        settings,
        "SELECT component_id, CASE WHEN is_current THEN source_status_code ELSE 'gone' END"
        " FROM lake.core.dim_component",
    )
    return {component.rpartition(":")[2][-1]: state for component, state in rows}


def test_the_later_delivery_wins_and_a_changed_macro_builds_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(city="demo", home=tmp_path / "home", data=tmp_path / "data", memory="600MB")
    register = {f"990102040100000{n}": "完好" for n in range(1, 7)}
    deliver(settings.data_path, 1, side=0.01, trees=register, unit_name="园林处")
    land_all(settings)
    set_the_clock_back(settings)
    # Of two deliveries that land together the later in the folder wins, whether its text is the greater or the less.
    again = register | {"9901020401000001": "丢失", "9901020401000002": "破损"}
    deliver(settings.data_path, 2, side=0.02, trees=again, unit_name="园林局")
    del again["9901020401000003"]
    again |= {"9901020401000002": "完好", "9901020401000004": "破损"}
    # The row of a tree that is refused says nothing of it: it is not missing.
    again |= {"9901020401000005": "破损"}
    deliver(settings.data_path, 3, side=0.005, trees=again, unit_name="园林绿化中心", damaged="9901020401000005")
    land_all(settings)
    prepare(settings)
    run_dbt(settings, ["build", *_SELECTED])

    assert trees(settings) == {"1": "丢失", "2": "完好", "3": "gone", "4": "破损", "5": "完好", "6": "完好"}
    assert ask(settings, "SELECT dept_name_zh FROM lake.core.dim_department WHERE dept_id = 'landscaping'") == [
        ("园林绿化中心",)
    ]
    ((width, km2),) = ask(
        settings,
        "SELECT st_xmax(shape) - st_xmin(shape), area_km2 FROM (SELECT *, st_geomfromwkb(geometry) AS shape"
        f" FROM lake.core.dim_area WHERE area_id = '{_GRID}')",
    )
    assert width == pytest.approx(0.005)

    # A build over the same rows writes nothing; one whose macros changed is due and computes what they shape.
    before = fingerprint(settings)
    with open_lake(settings) as lake:
        state = current_state(lake, settings)
    changed = tmp_path / "dbt"
    shutil.copytree(SHARED, changed, ignore=shutil.ignore_patterns("target", "logs"))
    macro = changed / "macros" / "spatial.sql"
    macro.write_text(macro.read_text().replace("/ 1000000.0, 6)", "/ 500000.0, 6)"))
    monkeypatch.setattr(pipelines.project, "SHARED", changed)
    with open_lake(settings) as lake:
        assert current_state(lake, settings) != state
    run_dbt(settings, ["build", *_SELECTED])
    ((doubled,),) = ask(settings, f"SELECT area_km2 FROM lake.core.dim_area WHERE area_id = '{_GRID}'")
    assert doubled == pytest.approx(2 * km2)
    assert fingerprint(settings)["core.dim_component"] == before["core.dim_component"]
