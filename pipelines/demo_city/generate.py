"""Write the made-up city's files: the departments' drops and the state from which its servers answer.

`generate` writes the base state (up to LAST_DAY), `advance` moves an existing city on to a later day. Both are
functions of the seed and the day alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl

from pipelines.demo_city import case_state, cases, deliveries, permits, writers
from pipelines.demo_city import reference as ref
from pipelines.demo_city.clock import DAY, seconds
from pipelines.demo_city.components import build_components
from pipelines.demo_city.defects import mark
from pipelines.demo_city.geography import City, build_city

# A spoiled case is over well before the end of the base state, so a later state never touches it.
_SETTLED = "2026-03-25"


@dataclass(frozen=True)
class Layout:
    """Where the made-up city keeps its files below the lake's home."""

    home: Path

    @property
    def root(self) -> Path:
        """The servers' own folder."""
        return self.home / "demo_city"

    @property
    def drops(self) -> Path:
        """The folder of the departments' files (GRIDLAKE_DATA)."""
        return self.home / "drops"

    @property
    def hotline(self) -> Path:
        """What the hotline's service answers from."""
        return self.root / "hotline.parquet"

    @property
    def permits(self) -> Path:
        """Rows of permit_office.permit."""
        return self.root / "permit.csv"

    @property
    def windows(self) -> Path:
        """Rows of permit_office.department."""
        return self.root / "department.csv"

    @property
    def state(self) -> Path:
        """Seed, day and row counts; written last, so its presence says that all other files are complete."""
        return self.root / "state.json"


@dataclass(frozen=True)
class State:
    """What has been written: `rows` counts the rows shown to the lake so far, by data set."""

    seed: int
    as_of: str
    rows: dict[str, int]


@dataclass(frozen=True)
class World:
    """Everything that ever happens in the city."""

    city: City
    components: pl.DataFrame
    cases: pl.DataFrame
    permits: pl.DataFrame


@lru_cache(maxsize=2)
def build_world(seed: int = ref.SEED) -> World:
    """Draw the city; every part has a random stream of its own, so a change in one leaves the others as they are."""
    streams = [np.random.Generator(np.random.PCG64(s)) for s in np.random.SeedSequence(seed).spawn(5)]
    city = build_city(streams[0])
    components = build_components(city, streams[1])
    drawn = cases.build_cases(city, components, streams[2])
    issued = permits.build_permits(city, streams[3])
    return World(
        city,
        _mark_components(components, streams[4]),
        _mark_cases(drawn, streams[4]),
        mark(issued, issued["decided"] < seconds(_SETTLED), "permit_application", streams[4]),
    )


def _mark_components(frame: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    is_green = frame["class_code"].str.starts_with(ref.GREENERY_LARGE_CLASS)
    is_point = ~frame["is_area"]
    return mark(mark(frame, ~is_green & is_point, "component_census", rng), is_green, "component_greenery", rng)


def _mark_cases(frame: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Spoil only cases that begin and end in one month: they stand in one delivery only."""
    month = pl.from_epoch(pl.col("reported")).dt.month() == pl.from_epoch(pl.col("closed")).dt.month()
    fits = (month & (pl.col("closed") < seconds(_SETTLED)) & pl.col("has_position")).fill_null(False)
    systems = {"hotline_order": "hotline", "patrol_case_yunhe": "990102", "patrol_case_lanting": "990103"}
    for dataset, system in systems.items():
        frame = mark(frame, frame.select(fits & (pl.col("system") == system)).to_series(), dataset, rng)
    return frame


def read_state(home: Path) -> State | None:
    """What has been written below `home`; None if nothing, or not all."""
    path = Layout(home).state
    return State(**json.loads(path.read_text())) if path.exists() else None


def generate(home: Path, seed: int = ref.SEED) -> State:
    """Write the base state, unless a city is there already.

    Raises:
        ValueError: the city that is there was drawn from another seed.
    """
    found = read_state(home)
    if found is not None:
        if found.seed != seed:
            raise ValueError(f"{home} holds the city of seed {found.seed}, not {seed}: choose another folder")
        return found
    world = build_world(seed)
    layout = Layout(home)
    rows = _write_registers(layout, world)
    first = date.fromisoformat(cases.FIRST_DAY)
    for month_end in (date(2026, 1, 31), date(2026, 2, 28), date.fromisoformat(cases.LAST_DAY)):
        _add(rows, _write_cases(layout, world, first, month_end))
        first = month_end + timedelta(days=1)
    rows |= _write_systems(layout, world, date.fromisoformat(cases.LAST_DAY))
    return _write_state(layout, State(seed, cases.LAST_DAY, rows))


def advance_files(home: Path, day: str) -> State:
    """Move the files on to the end of `day` (ISO date): one more drop a district, a newer state of the systems.

    Raises:
        ValueError: there is no city, or `day` lies before its day or after HORIZON.
    """
    found = read_state(home)
    if found is None:
        raise ValueError(f"no made-up city below {home}: generate it first")
    if not found.as_of <= day <= cases.HORIZON:
        raise ValueError(f"{day} is outside of {found.as_of} … {cases.HORIZON}")
    if day == found.as_of:
        return found
    world, layout = build_world(found.seed), Layout(home)
    until = date.fromisoformat(day)
    rows = dict(found.rows)
    _add(rows, _write_cases(layout, world, date.fromisoformat(found.as_of) + timedelta(days=1), until))
    rows |= _write_systems(layout, world, until)
    return _write_state(layout, State(found.seed, day, rows))


def _end(day: date) -> int:
    return seconds(day.isoformat()) + DAY - 1


def _add(total: dict[str, int], more: dict[str, int]) -> None:
    for dataset, count in more.items():
        total[dataset] = total.get(dataset, 0) + count


def _write_registers(layout: Layout, world: World) -> dict[str, int]:
    """Areas, grids, components and departments."""
    at = seconds(cases.FIRST_DAY)
    areas, grids = deliveries.area_boundaries(world.city), deliveries.unit_grids(world.city)
    writers.write_bytes(layout.drops / "planning/area_boundary.geojson", writers.geojson(areas, "area"), at)
    writers.write_bytes(layout.drops / "planning/unit_grid.geojson", writers.geojson(grids, "grid"), at)
    large = world.components["class_code"].str.head(2)
    green = deliveries.greenery_components(world.components.filter(large == ref.GREENERY_LARGE_CLASS))
    writers.write_bytes(layout.drops / "greenery/component_greenery.xlsx", writers.xlsx(green, "园林部件"), at)
    surveyed = 0
    for code in sorted(set(large) - {ref.GREENERY_LARGE_CLASS}):
        part = deliveries.census_components(world.components.filter(large == code))
        surveyed += part.height
        path = layout.drops / f"census/component_{code}.geojson.gz"
        writers.write_bytes(path, writers.geojson(part, f"component_{code}"), at)
    departments = deliveries.departments()
    writers.write_bytes(layout.drops / "staff_office/department.csv", writers.csv(departments), at)
    return {
        "area_boundary": areas.height,
        "unit_grid": grids.height,
        "component_census": surveyed,
        "component_greenery": green.height,
        "department_list": departments.height,
    }


def _write_cases(layout: Layout, world: World, first: date, last: date) -> dict[str, int]:
    """The patrol platforms' drops of the cases that changed from `first` to `last`."""
    changed = case_state.changed(world.cases, seconds(first.isoformat()) - 1, _end(last))
    yunhe = deliveries.yunhe_cases(changed.filter(pl.col("system") == "990102"), last.month)
    lanting = deliveries.lanting_cases(changed.filter(pl.col("system") == "990103"), last.month)
    name = f"patrol_case_{first:%Y%m%d}_{last:%Y%m%d}"
    folder = layout.drops / "patrol"
    writers.write_bytes(folder / f"990102/{name}.csv", writers.csv(yunhe, "gb18030"), _end(last))
    writers.write_bytes(folder / f"990103/{name}.ndjson.gz", writers.ndjson(lanting), _end(last))
    return {"patrol_case_yunhe": yunhe.height, "patrol_case_lanting": lanting.height}


def _write_systems(layout: Layout, world: World, day: date) -> dict[str, int]:
    """What the hotline's service and the permit office's database hold at the end of a day."""
    layout.root.mkdir(parents=True, exist_ok=True)
    state = case_state.at(world.cases.filter(pl.col("system") == "hotline"), _end(day)).sort("updated", "case_no")
    orders = deliveries.hotline_orders(state)
    partial = layout.hotline.with_suffix(".partial")
    orders.write_parquet(partial)
    partial.replace(layout.hotline)
    issued, windows = permits.at(world.permits, _end(day)), permits.windows_at(_end(day))
    writers.write_bytes(layout.permits, writers.csv(issued), _end(day))
    writers.write_bytes(layout.windows, writers.csv(windows), _end(day))
    return {
        "hotline_order": orders.height,
        "permit_application": issued.height,
        "permit_department": windows.height,
    }


def _write_state(layout: Layout, state: State) -> State:
    text = json.dumps({"seed": state.seed, "as_of": state.as_of, "rows": dict(sorted(state.rows.items()))}, indent=2)
    writers.write_bytes(layout.state, (text + "\n").encode(), _end(date.fromisoformat(state.as_of)))
    return state
