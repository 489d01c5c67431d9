"""Cases of the made-up city: where, when and of which class, and the whole life of each.

`build_cases` gives every case its full timeline up to the end of HORIZON; what a source system shows on a given day
is cut out of it by `case_state.py`. So the same case can be delivered open on one day and closed on a later one.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines.demo_city import reference as ref
from pipelines.demo_city.clock import DAY, HOUR, Seconds, add, seconds
from pipelines.demo_city.geography import City

FIRST_DAY, LAST_DAY, HORIZON = "2026-01-01", "2026-03-31", "2026-04-30"
# Mean cases a day of each system, before weekday and festival.
_PER_DAY = {"hotline": 45.0, "990102": 58.0, "990103": 41.0}
_WEEKDAY = {"hotline": (1.1, 1.05, 1.0, 1.0, 1.05, 0.9, 0.9), "patrol": (1.15, 1.1, 1.1, 1.05, 1.1, 0.7, 0.65)}
_HOURS = {
    "day": (0, 0, 0, 0, 0, 1, 2, 5, 10, 12, 12, 8, 4, 4, 8, 10, 10, 7, 4, 2, 1, 1, 0, 0),
    "peak": (0, 0, 0, 0, 0, 1, 4, 12, 10, 6, 6, 8, 6, 3, 4, 6, 9, 14, 12, 6, 3, 1, 0, 0),
    "night": (3, 2, 1, 1, 1, 1, 2, 2, 3, 3, 3, 3, 3, 2, 2, 3, 3, 4, 8, 12, 16, 16, 12, 6),
}
# Collectors walk from seven to nine in the evening.
_SHIFT = np.array([0.02] * 7 + [1.0] * 12 + [0.6] * 2 + [0.05] * 3)
_NEVER = 400 * DAY
# Timeline columns that move a case, and with it its updated-at, when their time has come.
EVENTS = (
    "reported",
    "filed",
    "not_accepted",
    "cancelled",
    "returned",
    "dispatched",
    "suspended",
    "resumed",
    "reworked",
    "handled",
    "checked",
    "closed",
)


def build_cases(city: City, components: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """One row a case: system, number, class, place, department and timeline (Int64 seconds since 1970, NULL = never).

    `system` is 'hotline' or the code of the district whose patrol platform holds the case.
    """
    system, day = _days(rng)
    drawn = _places(city, components, system, _classes(system, day, rng), rng)
    reported = day + _second_of_day(system, drawn["class_index"].to_numpy(), rng)
    drawn = drawn.with_columns(reported=pl.Series(reported))
    drawn = _repeated(drawn, rng)
    lived = _lives(drawn, rng)
    return _numbered(_attributed(pl.concat([drawn.drop("reported"), lived], how="horizontal"), rng))


def _days(rng: np.random.Generator) -> tuple[NDArray[np.str_], Seconds]:
    """System and midnight of each case."""
    midnights = np.arange(seconds(FIRST_DAY), seconds(HORIZON) + DAY, DAY)
    weekday = (midnights // DAY + 3) % 7
    is_festival = (midnights >= seconds(ref.SPRING_FESTIVAL[0])) & (midnights <= seconds(ref.SPRING_FESTIVAL[1]))
    systems, days = [], []
    for name, mean in _PER_DAY.items():
        rate = mean * np.array(_WEEKDAY["hotline" if name == "hotline" else "patrol"])[weekday]
        rate = rate * np.where(is_festival, 0.45, 1.0) * (1 + 0.08 * np.sin(np.arange(midnights.size) / 9))
        counts = rng.poisson(rate)
        days.append(np.repeat(midnights, counts))
        systems.append(np.full(int(counts.sum()), name))
    return np.concatenate(systems), np.concatenate(days).astype(np.int64)


def _draw(weights: NDArray[np.float64], rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """One column index for each row, drawn with the weights of the row's distribution; weights: (kinds, choices)."""
    shares = np.cumsum(weights / weights.sum(axis=1, keepdims=True), axis=1)
    chosen = (rng.random(rows.size)[:, None] > shares[rows]).sum(axis=1)
    return np.asarray(np.minimum(chosen, weights.shape[1] - 1), dtype=np.int64)


def _classes(system: NDArray[np.str_], day: Seconds, rng: np.random.Generator) -> NDArray[np.int64]:
    patrol = np.array([c.weight for c in ref.CASE_CLASSES])
    public = patrol * np.array([c.public_share for c in ref.CASE_CLASSES])
    index = _draw(np.stack([patrol, public]), (system == "hotline").astype(np.int64), rng)
    is_snow = np.isin(day, [seconds(d) for d in ref.SNOW_DAYS]) & (rng.random(day.size) < 0.3)
    return np.where(is_snow, ref.SNOW_CLASS, index)


def _second_of_day(system: NDArray[np.str_], class_index: NDArray[np.int64], rng: np.random.Generator) -> Seconds:
    shapes = np.array(list(_HOURS.values()), dtype=np.float64) + 0.02
    weights = np.concatenate([shapes * _SHIFT, shapes])
    profile = np.array([list(_HOURS).index(c.profile) for c in ref.CASE_CLASSES])[class_index]
    hour = _draw(weights, profile + len(_HOURS) * (system == "hotline"), rng)
    return np.asarray(hour * HOUR + rng.integers(0, HOUR, hour.size), dtype=np.int64)


def _places(
    city: City,
    components: pl.DataFrame,
    system: NDArray[np.str_],
    class_index: NDArray[np.int64],
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Grid and position of each case; a case about a component lies at a component of its class."""
    total = class_index.size
    district = city.grids["district_code"].to_numpy()
    # Every large class has hot spots of its own: a few grids carry most of it.
    groups = sorted({c.kind + c.code[:2] for c in ref.CASE_CLASSES})
    heat = rng.gamma(0.55, 1.0, (len(groups), district.size)) + 0.05
    group = np.array([groups.index(c.kind + c.code[:2]) for c in ref.CASE_CLASSES])[class_index]
    home = np.where(system == "hotline", np.where(rng.random(total) < 0.56, "990102", "990103"), system)
    codes = list(ref.DISTRICTS)
    masks = np.stack([district == code for code in codes])
    weights = (heat[None, :, :] * masks[:, None, :]).reshape(-1, district.size)
    grid = _draw(
        weights, np.array([codes.index(c) for c in codes])[(home == codes[1]).astype(int)] * len(groups) + group, rng
    )
    lon, lat = city.points(grid, rng.uniform(0.02, 0.98, total), rng.beta(0.5, 0.5, total) * 0.94 + 0.03)

    pairs = (
        components.select("district_code", "class_code").with_row_index().sort("district_code", "class_code", "index")
    )
    keys = (pairs["district_code"] + pairs["class_code"]).to_numpy()
    wanted = np.char.add(home.astype(str), np.array([c.code for c in ref.CASE_CLASSES])[class_index])
    low, high = np.searchsorted(keys, wanted, "left"), np.searchsorted(keys, wanted, "right")
    is_component = np.array([c.kind == "component" for c in ref.CASE_CLASSES])[class_index] & (high > low)
    position = np.minimum(low + (rng.random(total) * (high - low)).astype(np.int64), keys.size - 1)
    chosen = components[pairs["index"].to_numpy()[position]]
    order = {code: i for i, code in enumerate(city.grids["grid_code"])}
    at_component = chosen["grid_code"].replace_strict(order, return_dtype=pl.Int64).to_numpy()
    return pl.DataFrame(
        {
            "system": system,
            "class_index": class_index,
            "grid": np.where(is_component, at_component, grid),
            "lon": np.where(is_component, chosen["lon"].to_numpy(), lon),
            "lat": np.where(is_component, chosen["lat"].to_numpy(), lat),
        }
    ).with_columns(
        pl.Series(name, city.grids[name].to_numpy()[np.where(is_component, at_component, grid)])
        for name in ("grid_code", "district_code", "street_name", "community_name")
    )


def _repeated(drawn: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Let some hotline orders be about a matter that another order or a collector has reported before."""
    row = np.arange(drawn.height)
    hotline = row[drawn["system"].to_numpy() == "hotline"]
    again = rng.choice(hotline, round(hotline.size * 0.09), replace=False)
    first = rng.choice(np.setdiff1d(row, again), again.size, replace=False)
    source = row.copy()
    source[again] = first
    shift = np.zeros(row.size, dtype=np.int64)
    shift[again] = rng.integers(15 * 60, 20 * HOUR, again.size)
    # About 15 m at most, so that both lie within the distance at which cases count as similar.
    wobble = np.zeros((row.size, 2))
    wobble[again] = rng.uniform(-0.0001, 0.0001, (again.size, 2))
    copied = drawn[source].with_columns(system=drawn["system"])
    return copied.with_columns(
        lon=(pl.col("lon") + pl.Series(wobble[:, 0])).round(7),
        lat=(pl.col("lat") + pl.Series(wobble[:, 1])).round(7),
        reported=pl.col("reported") + pl.Series(shift),
    )


def _lives(drawn: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """The timeline of each case and its due times."""
    index = drawn["class_index"].to_numpy()
    reported = drawn["reported"].to_numpy()
    total = index.size
    is_public = drawn["system"].to_numpy() == "hotline"
    urgent = np.array([c.is_urgent for c in ref.CASE_CLASSES])[index]
    limit = np.array([c.limit_hours for c in ref.CASE_CLASSES])[index] * HOUR

    def some(share: float | NDArray[np.float64]) -> NDArray[np.bool_]:
        return np.asarray(rng.random(total) < share)

    def span(median_minutes: float, spread: float = 0.7) -> NDArray[np.float64]:
        return np.asarray(rng.lognormal(np.log(median_minutes * 60), spread, total))

    decided = add(reported, np.where(is_public, span(28), span(9)), urgent)
    is_refused = some(np.where(is_public, 0.07, 0.015))
    is_cancelled = ~is_refused & some(0.012)
    lives = ~(is_refused | is_cancelled)
    first_dispatch = add(decided, span(14), urgent)
    is_returned = lives & some(0.045)
    returned = add(first_dispatch, span(70), urgent)
    dispatched = np.where(is_returned, add(returned, span(35), urgent), first_dispatch)
    # Nine in ten are handled within the limit; the districts differ a little.
    pace = rng.lognormal(np.where(drawn["district_code"].to_numpy() == "990102", -0.72, -0.6), 0.6, total)
    first_handled = add(dispatched, pace * limit + 240, urgent)
    is_suspended = lives & ~urgent & some(0.006)
    suspended = add(dispatched, span(90), urgent)
    pause = rng.integers(12, 60, total) * DAY
    resumed = suspended + pause
    first_handled = np.where(is_suspended, np.maximum(first_handled, suspended) + pause, first_handled)
    first_handled = np.where(lives & some(0.009), first_handled + _NEVER, first_handled)
    is_reworked = lives & some(0.042)
    reworked = add(first_handled, span(45), urgent)
    handled = np.where(is_reworked, add(reworked, limit * rng.uniform(0.1, 0.6, total), urgent), first_handled)
    checked = add(handled, span(38), urgent)
    closed = add(checked, span(16), urgent)
    handle_due = add(dispatched, limit, urgent)
    hour = np.full(total, float(HOUR))

    def only(where: NDArray[np.bool_], at: Seconds) -> pl.Series:
        return pl.Series(at).zip_with(pl.Series(where), pl.Series([None] * total, dtype=pl.Int64))

    return pl.DataFrame(
        {
            "reported": reported,
            "filed": only(~is_refused, decided),
            "not_accepted": only(is_refused, decided),
            "cancelled": only(is_cancelled, first_dispatch),
            "returned": only(is_returned, returned),
            "dispatched": only(lives, dispatched),
            "suspended": only(is_suspended, suspended),
            "resumed": only(is_suspended, resumed),
            "reworked": only(is_reworked, reworked),
            "handled": only(lives, handled),
            "checked": only(lives, checked),
            "closed": only(lives, closed),
            "file_due": add(reported, hour, urgent),
            "dispatch_due": only(~is_refused, add(decided, hour, urgent)),
            "handle_due": only(lives, handle_due),
            "close_due": only(lives, add(handle_due, hour * 4, urgent)),
            "pause": only(is_suspended, pause),
        }
    )


def _attributed(cases: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Class, department, channel and marks of each case."""
    index = cases["class_index"].to_numpy()
    system = cases["system"].to_numpy()
    is_public = (system == "hotline").astype(np.int64)
    channels = [c for c, _ in ref.PATROL_CHANNELS] + [c for c, _ in ref.HOTLINE_CHANNELS]
    shares = np.zeros((2, len(channels)))
    shares[0, : len(ref.PATROL_CHANNELS)] = [w for _, w in ref.PATROL_CHANNELS]
    shares[1, len(ref.PATROL_CHANNELS) :] = [w for _, w in ref.HOTLINE_CHANNELS]
    units = {(key, district): unit for unit, key, district in ref.handling_units()}
    by_class = [
        {code: units.get((c.dept, code), units.get((c.dept, ""), c.dept)) for code in ref.DISTRICTS}
        for c in ref.CASE_CLASSES
    ]
    dept = np.array([[named[code] for code in ref.DISTRICTS] for named in by_class])
    is_second = (cases["district_code"].to_numpy() == list(ref.DISTRICTS)[1]).astype(np.int64)
    return cases.with_columns(
        kind=np.array([c.kind for c in ref.CASE_CLASSES])[index],
        code=np.array([c.code for c in ref.CASE_CLASSES])[index],
        class_name=np.array([c.name_zh for c in ref.CASE_CLASSES])[index],
        hotline_code=np.array([c.hotline_code for c in ref.CASE_CLASSES])[index],
        is_urgent=np.array([c.is_urgent for c in ref.CASE_CLASSES])[index],
        is_supervised=rng.random(index.size) < 0.012,
        is_local_class=rng.random(index.size) < 0.4,
        channel=np.array(channels)[_draw(shares, is_public, rng)],
        dept_id=dept[index, is_second],
        person=rng.integers(0, 10_000, index.size),
        has_position=rng.random(index.size) > 0.08 * is_public,
    )


def _numbered(cases: pl.DataFrame) -> pl.DataFrame:
    """Give each case its number: prefix of the system, day, and position within the day."""
    return (
        cases.sort("system", "reported", "grid_code", "class_index", "person", maintain_order=True)
        .with_columns(date=pl.from_epoch("reported").dt.strftime("%Y%m%d"))
        .with_columns(position=pl.int_range(1, pl.len() + 1).over("system", "date"))
        .with_columns(
            case_no=pl.when(pl.col("system") == "hotline").then(pl.lit("12345")).otherwise("system")
            + pl.col("date")
            + pl.col("position").cast(pl.String).str.zfill(5)
        )
    )
