"""The shapes in which the source systems show their rows: column names, codes, formats, and the defects in them."""

from __future__ import annotations

import polars as pl

from pipelines.demo_city import reference as ref
from pipelines.demo_city.clock import HOUR
from pipelines.demo_city.geography import City

_ISO = "%Y-%m-%dT%H:%M:%S"
_PLAIN = "%Y-%m-%d %H:%M:%S"
_COMPACT = "%Y%m%d%H%M%S"


def _is(kind: str) -> pl.Expr:
    return (pl.col("defect") == kind).fill_null(False)


def _text(column: str, pattern: str) -> pl.Expr:
    return pl.from_epoch(column).dt.strftime(pattern)


def _spoiled(good: pl.Expr, **wrong: pl.Expr) -> pl.Expr:
    """`good`, but the given value in rows with the named defect."""
    for kind, value in wrong.items():
        good = pl.when(_is(kind)).then(value).otherwise(good)
    return good


def _closed(pattern: str) -> pl.Expr:
    early = pl.from_epoch(pl.col("reported") - 2 * HOUR).dt.strftime(pattern)
    return _spoiled(_text("closed", pattern), closed_before_reported=early)


def _reported(pattern: str, wrong: str) -> pl.Expr:
    return _spoiled(_text("reported", pattern), wrong_type=pl.lit(wrong))


def _unit(system: str) -> pl.Expr:
    codes = {unit: ref.unit_code(system, unit) for unit, _, _ in ref.handling_units()}
    return pl.when(pl.col("filed").is_not_null()).then(pl.col("dept_id").replace_strict(codes))


def _padded(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.String).str.zfill(4)


def hotline_orders(state: pl.DataFrame) -> pl.DataFrame:
    """One row an order as the hotline's service shows it; `updated` (ISO text) and `body` (JSON object)."""
    position = pl.col("has_position")
    other = pl.col("district_code").replace_strict(dict(zip(ref.DISTRICTS, reversed(ref.DISTRICTS), strict=True)))
    is_over = pl.col("status").is_in(["closed", "cancelled", "not_accepted"])
    phone = pl.lit("1000000") + _padded("person")
    shown = state.select(
        service_request_id=_spoiled(pl.col("case_no"), missing_id=pl.lit(None, dtype=pl.String)),
        status=_spoiled(
            pl.when(is_over).then(pl.lit("closed")).otherwise(pl.lit("open")), wrong_code=pl.lit("PENDING?")
        ),
        status_notes=pl.lit(None, dtype=pl.String),
        service_code=_spoiled(pl.col("hotline_code"), unmapped_class=pl.lit(ref.UNMAPPED_CLASS["hotline_order"])),
        service_name=pl.col("class_name"),
        description=pl.lit("来电反映")
        + pl.col("community_name")
        + pl.lit("附近")
        + pl.col("class_name")
        + pl.lit("问题"),
        agency_responsible=_unit("hotline"),
        requested_datetime=_reported(_ISO, "2026-02-30T25:00:00"),
        updated_datetime=_text("updated", _ISO),
        expected_datetime=_text("close_due", _ISO),
        address=pl.col("street_name") + pl.col("community_name") + pl.lit("附近"),
        lat=pl.when(position).then("lat"),
        long=_spoiled(pl.when(position).then("lon"), outside_city=pl.col("lon") + 10),
        channel=pl.col("channel"),
        process_status=pl.col("status").replace_strict(ref.HOTLINE_STATUS),
        district_code=_spoiled(pl.col("district_code"), wrong_district=other),
        filed_datetime=_text("filed", _ISO),
        dispatched_datetime=_text("dispatched", _ISO),
        deadline_datetime=_text("handle_due", _ISO),
        handled_datetime=_text("handled", _ISO),
        visited_datetime=_text("checked", _ISO),
        closed_datetime=_closed(_ISO),
        is_urgent=pl.col("is_urgent"),
        is_supervised=pl.col("is_supervised"),
        rework_count=pl.col("rework_count"),
        return_count=pl.col("return_count"),
        caller_name=pl.lit("虚构市民") + _padded("person"),
        caller_phone=phone,
    )
    return shown.select(
        pl.col("updated_datetime").alias("updated"), pl.struct(pl.all()).struct.json_encode().alias("body")
    )


def yunhe_cases(state: pl.DataFrame, month: int) -> pl.DataFrame:
    """The case file of district 990102 with the header of that month: it changes in February and again in March."""
    code, _, target = ref.YUNHE_LOCAL_CLASS
    is_local = pl.col("is_local_class") & (pl.col("kind") == "event") & (pl.col("code") == target)
    letter = pl.when(pl.col("kind") == "event").then(pl.lit("S")).otherwise(pl.lit("B"))
    class_code = pl.when(is_local).then(pl.lit(code)).otherwise(letter + pl.col("code"))
    shown = state.select(
        案卷编号=_spoiled(pl.col("case_no"), missing_id=pl.lit(None, dtype=pl.String)),
        上报来源=pl.col("channel").replace_strict(ref.YUNHE_CHANNEL),
        类别编码=_spoiled(class_code, unmapped_class=pl.lit(ref.UNMAPPED_CLASS["patrol_case_yunhe"])),
        类别名称=pl.col("class_name"),
        案卷状态=pl.col("status").replace_strict(ref.YUNHE_STATUS),
        是否紧急=pl.col("is_urgent").cast(pl.Int8),
        是否督办=pl.col("is_supervised").cast(pl.Int8),
        上报时间=_reported(_PLAIN, "2026-13-45 99:00:00"),
        立案时间=_text("filed", _PLAIN),
        派遣时间=_text("dispatched", _PLAIN),
        处置时间=_text("handled", _PLAIN),
        核查时间=_text("checked", _PLAIN),
        结案时间=_closed(_PLAIN),
        立案截止=_text("file_due", _PLAIN),
        派遣截止=_text("dispatch_due", _PLAIN),
        处置截止=_text("handle_due", _PLAIN),
        结案截止=_text("close_due", _PLAIN),
        处置部门=_unit("990102"),
        单元网格=_spoiled(pl.col("grid_code"), wrong_code=pl.col("grid_code").str.head(14)),
        经度=_spoiled(pl.col("lon"), outside_city=pl.col("lon") + 10),
        纬度=pl.col("lat"),
        返工次数=pl.col("rework_count"),
        退单次数=pl.col("return_count"),
        采集员工号=pl.lit("YHC") + _padded("person"),
        更新时间=_text("updated", _PLAIN),
    )
    if month == 1:
        return shown
    reordered = shown.select("案卷编号", "更新时间", *reversed(shown.columns[1:-1]))
    if month == 2:
        return reordered
    return reordered.rename({"上报时间": "上报日期时间"}).with_columns(满意度=pl.lit("未评价"))


def lanting_cases(state: pl.DataFrame, month: int) -> pl.DataFrame:
    """The case file of district 990103 with the keys of that month: from March on it says more."""
    kind = pl.when(pl.col("kind") == "event").then(pl.lit("2-")).otherwise(pl.lit("1-"))
    shown = state.select(
        case_no=_spoiled(pl.col("case_no"), missing_id=pl.lit(None, dtype=pl.String)),
        source=pl.col("channel").replace_strict(ref.LANTING_CHANNEL),
        class_code=_spoiled(kind + pl.col("code"), unmapped_class=pl.lit(ref.UNMAPPED_CLASS["patrol_case_lanting"])),
        class_name=pl.col("class_name"),
        state=pl.col("status").replace_strict(ref.LANTING_STATUS),
        urgent=pl.col("is_urgent"),
        supervised=pl.col("is_supervised"),
        report_time=_reported(_COMPACT, "二月三十日"),
        register_time=_text("filed", _COMPACT),
        dispatch_time=_text("dispatched", _COMPACT),
        finish_time=_text("handled", _COMPACT),
        check_time=_text("checked", _COMPACT),
        close_time=_closed(_COMPACT),
        register_deadline=_text("file_due", _COMPACT),
        dispatch_deadline=_text("dispatch_due", _COMPACT),
        finish_deadline=_text("handle_due", _COMPACT),
        close_deadline=_text("close_due", _COMPACT),
        unit_code=_unit("990103"),
        cell_id=_spoiled(pl.col("grid_code"), wrong_code=pl.lit("G") + pl.col("grid_code").str.slice(1)),
        x=_spoiled(pl.col("lon"), outside_city=pl.col("lon") + 10),
        y=pl.col("lat"),
        rework=pl.col("rework_count"),
        back=pl.col("return_count"),
        collector_id=pl.lit("LTC") + _padded("person"),
        change_time=_text("updated", _COMPACT),
        _is_cut=_is("unreadable"),
    )
    return shown.with_columns(is_drone_checked=pl.lit(False)) if month >= 3 else shown


def census_components(components: pl.DataFrame) -> pl.DataFrame:
    """Components as the survey hands them in: the attribute names of the 2013 standard and the GeoJSON outline."""
    far = pl.col("geometry").str.replace_all(r"\[123\.", "[133.")
    names = {key: ref.unit_name(key) for key, *_ in ref.DEPARTMENTS}
    return components.select(
        ObjID=_spoiled(
            pl.col("component_id"),
            missing_id=pl.lit(None, dtype=pl.String),
            wrong_code=pl.col("component_id").str.head(15),
        ),
        ObjName=pl.col("name"),
        SmallClass=_spoiled(pl.col("class_code"), unmapped_class=pl.lit(ref.UNMAPPED_COMPONENT_CODE)),
        DeptCode1=pl.col("dept_id"),
        DeptName1=pl.col("dept_id").replace_strict(names),
        BGID=pl.col("grid_code"),
        ObjState=pl.col("state"),
        ORDate=_spoiled(pl.col("surveyed"), wrong_type=pl.lit("20261345")),
        CHDate=pl.col("changed"),
        DataSource=pl.lit("实测"),
        Note=pl.lit(None, dtype=pl.String),
        geometry=_spoiled(pl.col("geometry"), outside_city=far),
    )


def greenery_components(components: pl.DataFrame) -> pl.DataFrame:
    """Components as the landscaping bureau hands them in: one workbook, Chinese headers, longitude as text."""
    return components.select(
        部件标识码=_spoiled(pl.col("component_id"), missing_id=pl.lit(None, dtype=pl.String)),
        部件名称=pl.col("name"),
        小类代码=pl.col("class_code"),
        主管部门=pl.col("dept_id"),
        所在单元网格=pl.col("grid_code"),
        部件状态=pl.col("state"),
        经度=_spoiled(pl.col("lon").cast(pl.String), wrong_type=pl.lit("无坐标")),
        纬度=_spoiled(pl.col("lat"), outside_city=pl.col("lat") - 20),
        初始时间=pl.col("surveyed"),
    )


def area_boundaries(city: City) -> pl.DataFrame:
    """Areas above the grid as the planning bureau hands them in."""
    return city.areas.select("level", "code", "name_zh", "name_en", "parent_code", "geometry").with_columns(
        start_date=pl.lit("2024-01-01")
    )


def unit_grids(city: City) -> pl.DataFrame:
    """Unit grids with the attributes of the standard."""
    return city.grids.select(
        "grid_code",
        "grid_name",
        admin_code="district_code",
        street_code="street_code",
        street_name="street_name",
        community_code="community_code",
        community_name="community_name",
        area_m2="area_m2",
        perimeter_m="perimeter_m",
        start_date="start_date",
        end_date=pl.lit(None, dtype=pl.String),
        geometry="geometry",
    )


def departments() -> pl.DataFrame:
    """The staff office's list: city departments, then the districts' handling units below them."""
    top = [(key, ref.unit_name(key), en, None, kind) for key, _, en, kind, _ in ref.DEPARTMENTS]
    below = [
        (f"{code}_{key}", ref.unit_name(key, code), f"{english} {en}", key, "handling_unit")
        for code, (_, english) in ref.DISTRICTS.items()
        for key, _, en, _, is_split in ref.DEPARTMENTS
        if is_split
    ]
    return pl.DataFrame(top + below, schema=["部门编码", "部门名称", "英文名称", "上级部门", "部门类别"], orient="row")
