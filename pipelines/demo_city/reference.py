"""Fixed facts of the made-up city: areas, departments, classes of cases and components, codes of its systems.

Only constants and small tables. Class codes and names follow GB/T 30428.2-2013; limits are the city's own.
"""

from __future__ import annotations

from dataclasses import dataclass

SEED = 9901
CITY = ("990100", "云泽市", "Yunze")
DISTRICTS = {"990102": ("云河区", "Yunhe"), "990103": ("兰汀区", "Lanting")}
# Street code, Chinese name, English name, in the order north to south; 1xx is a town (镇).
STREETS = {
    "990102": (
        ("001", "望湖街道", "Wanghu"),
        ("002", "松风街道", "Songfeng"),
        ("003", "石桥街道", "Shiqiao"),
    ),
    "990103": (("001", "青榕街道", "Qingrong"), ("002", "东港街道", "Donggang"), ("100", "竹溪镇", "Zhuxi")),
}
# Three communities a street, west to east, in the order of STREETS.
COMMUNITIES = (
    ("晴川", "Qingchuan"),
    ("雁栖", "Yanqi"),
    ("柳堤", "Liudi"),
    ("鹿鸣", "Luming"),
    ("听雨", "Tingyu"),
    ("半山", "Banshan"),
    ("古井", "Gujing"),
    ("长亭", "Changting"),
    ("双槐", "Shuanghuai"),
    ("榕荫", "Rongyin"),
    ("百花", "Baihua"),
    ("文昌", "Wenchang"),
    ("渔歌", "Yuge"),
    ("海棠", "Haitang"),
    ("灯塔", "Dengta"),
    ("竹里", "Zhuli"),
    ("茶园", "Chayuan"),
    ("溪口", "Xikou"),
)


@dataclass(frozen=True)
class CaseClass:
    """A class of cases and how it behaves here.

    `limit_hours` counts working hours unless `is_urgent` (then hours round the clock); `public_share` is the weight
    among hotline orders relative to `weight` among patrol cases; `profile` names the day's shape.
    """

    kind: str
    code: str
    name_zh: str
    dept: str
    weight: float
    limit_hours: float
    profile: str = "day"
    is_urgent: bool = False
    public_share: float = 1.0
    hotline_code: str = ""


CASE_CLASSES = (
    CaseClass("event", "0101", "私搭乱建", "enforcement", 2.0, 80, public_share=3.0, hotline_code="20101"),
    CaseClass("event", "0107", "沿街晾挂", "enforcement", 5.0, 4, public_share=0.3, hotline_code="20102"),
    CaseClass("event", "0110", "暴露垃圾", "sanitation", 12.0, 4, hotline_code="10101"),
    CaseClass("event", "0111", "积存垃圾渣土", "sanitation", 5.0, 8, hotline_code="10101"),
    CaseClass("event", "0112", "道路不洁", "sanitation", 8.0, 4, public_share=0.4, hotline_code="10102"),
    CaseClass("event", "0113", "道路破损", "municipal", 4.0, 40, public_share=2.0, hotline_code="30101"),
    CaseClass("event", "0114", "道路遗撒", "sanitation", 3.0, 2, "day", True, 0.6, "10102"),
    CaseClass("event", "0117", "绿地脏乱", "landscaping", 3.0, 8, public_share=0.6, hotline_code="50101"),
    CaseClass("event", "0127", "油烟污染", "enforcement", 2.0, 24, "night", public_share=5.0, hotline_code="20301"),
    CaseClass("event", "0128", "商业噪音", "enforcement", 2.5, 8, "night", public_share=6.0, hotline_code="20302"),
    CaseClass("event", "0129", "露天烧烤", "enforcement", 2.0, 4, "night", public_share=3.0, hotline_code="20303"),
    CaseClass("event", "0134", "废弃车辆", "traffic_police", 1.0, 40, public_share=2.0, hotline_code="40201"),
    CaseClass("event", "0136", "乱堆物堆料", "enforcement", 9.0, 8, public_share=0.5, hotline_code="20103"),
    CaseClass("event", "0201", "非法小广告", "enforcement", 10.0, 4, public_share=0.3, hotline_code="20201"),
    CaseClass("event", "0203", "违规户外广告", "enforcement", 2.0, 40, hotline_code="20202"),
    CaseClass("event", "0206", "违规牌匾标识", "enforcement", 1.5, 40, public_share=0.6, hotline_code="20202"),
    CaseClass("event", "0301", "施工扰民", "enforcement", 3.0, 8, "night", public_share=7.0, hotline_code="60101"),
    CaseClass("event", "0302", "施工占道", "enforcement", 2.0, 16, hotline_code="60102"),
    CaseClass("event", "0304", "工地扬尘", "construction", 1.5, 8, public_share=2.0, hotline_code="60103"),
    CaseClass("event", "0401", "无照经营游商", "enforcement", 7.0, 2, "peak", public_share=0.8, hotline_code="20401"),
    CaseClass("event", "0405", "店外经营", "enforcement", 9.0, 4, "peak", public_share=0.6, hotline_code="20402"),
    CaseClass("event", "0406", "占道经营", "enforcement", 6.0, 4, "peak", public_share=1.2, hotline_code="20402"),
    CaseClass(
        "event", "0409", "机动车乱停放", "traffic_police", 8.0, 4, "peak", public_share=2.0, hotline_code="40101"
    ),
    CaseClass("event", "0410", "非机动车乱停放", "enforcement", 9.0, 4, "peak", public_share=0.8, hotline_code="40101"),
    CaseClass("event", "0501", "供水管道破裂", "water_supply", 0.5, 4, "day", True, 3.0, "70101"),
    CaseClass("event", "0505", "路面塌陷", "municipal", 0.3, 4, "day", True, 2.0, "30102"),
    CaseClass("event", "0506", "道路积水", "drainage", 0.8, 2, "day", True, 2.0, "70201"),
    CaseClass("event", "0507", "道路积雪、结冰", "sanitation", 0.05, 4, "peak", True, 1.0, "10103"),
    CaseClass("component", "0101", "上水井盖", "water_supply", 0.8, 4, "day", True, 1.5, "80101"),
    CaseClass("component", "0102", "污水井盖", "drainage", 1.2, 4, "day", True, 1.5, "80101"),
    CaseClass("component", "0103", "雨水井盖", "drainage", 1.5, 4, "day", True, 1.5, "80101"),
    CaseClass("component", "0104", "雨水箅子", "drainage", 1.5, 8, hotline_code="80102"),
    CaseClass("component", "0106", "路灯井盖", "lighting", 0.5, 8, hotline_code="80101"),
    CaseClass("component", "0107", "通信井盖", "telecom", 1.0, 8, hotline_code="80101"),
    CaseClass("component", "0137", "路灯", "lighting", 3.0, 16, "night", public_share=3.0, hotline_code="80201"),
    CaseClass("component", "0210", "交通标志牌", "traffic_police", 0.8, 24, hotline_code="80301"),
    CaseClass("component", "0217", "交通护栏", "traffic_police", 1.2, 16, hotline_code="80302"),
    CaseClass("component", "0305", "垃圾箱", "sanitation", 2.0, 8, public_share=0.8, hotline_code="80401"),
    CaseClass("component", "0402", "行道树", "landscaping", 1.5, 24, public_share=2.0, hotline_code="80501"),
    CaseClass("component", "0407", "街头座椅", "landscaping", 0.4, 24, hotline_code="80502"),
)
SNOW_CLASS = next(i for i, c in enumerate(CASE_CLASSES) if (c.kind, c.code) == ("event", "0507"))
SNOW_DAYS = ("2026-01-20", "2026-01-21", "2026-01-22")
SPRING_FESTIVAL = ("2026-02-16", "2026-02-23")

# 2013 class code, Chinese name, owning department, how many, survey class of the outline.
COMPONENT_CLASSES = (
    ("0101", "上水井盖", "water_supply", 520, "point"),
    ("0102", "污水井盖", "drainage", 620, "point"),
    ("0103", "雨水井盖", "drainage", 680, "point"),
    ("0104", "雨水箅子", "drainage", 760, "point"),
    ("0106", "路灯井盖", "lighting", 260, "point"),
    ("0107", "通信井盖", "telecom", 430, "point"),
    ("0111", "燃气井盖", "gas", 210, "point"),
    ("0128", "电力设施", "power", 150, "point"),
    ("0137", "路灯", "lighting", 1100, "point"),
    ("0150", "监控电子眼", "police", 240, "point"),
    ("0154", "充电站（桩）", "power", 90, "point"),
    ("0201", "停车场", "city_admin", 36, "area"),
    ("0204", "公交站亭", "transit", 84, "point"),
    ("0210", "交通标志牌", "traffic_police", 420, "point"),
    ("0214", "交通信号灯", "traffic_police", 130, "point"),
    ("0217", "交通护栏", "traffic_police", 260, "point"),
    ("0225", "非机动车停放点", "city_admin", 140, "point"),
    ("0301", "公共厕所", "sanitation", 32, "area"),
    ("0305", "垃圾箱", "sanitation", 520, "point"),
    ("0306", "户外广告", "city_admin", 150, "point"),
    ("0507", "水域护栏", "water_conservancy", 60, "point"),
    ("0401", "古树名木", "landscaping", 24, "point"),
    ("0402", "行道树", "landscaping", 900, "point"),
    ("0405", "花架花钵", "landscaping", 90, "point"),
    ("0407", "街头座椅", "landscaping", 160, "point"),
)
# The landscaping bureau hands in a workbook of its own.
GREENERY_LARGE_CLASS = "04"
COMPONENT_STATES = (("完好", 0.93), ("破损", 0.05), ("丢失", 0.008), ("占用", 0.007), ("废弃", 0.005))

# Key, Chinese name without the city, English name, kind, whether each district has a handling unit of its own.
DEPARTMENTS = (
    ("enforcement", "城市管理综合行政执法支队", "urban management enforcement corps", "bureau", True),
    ("sanitation", "环境卫生管理处", "sanitation office", "bureau", True),
    ("municipal", "市政设施管理处", "municipal works office", "bureau", True),
    ("landscaping", "园林绿化管理处", "landscaping office", "bureau", True),
    ("drainage", "排水管理处", "drainage office", "bureau", True),
    ("lighting", "城市照明管理处", "street lighting office", "bureau", True),
    ("traffic_police", "公安交警支队", "traffic police", "bureau", True),
    ("construction", "住房和城乡建设局", "housing and construction bureau", "bureau", True),
    ("city_admin", "城市管理局", "city management bureau", "bureau", False),
    ("police", "公安局", "public security bureau", "bureau", False),
    ("water_conservancy", "水务局", "water bureau", "bureau", False),
    ("transit", "公共交通集团有限公司", "public transport group", "enterprise", False),
    ("water_supply", "供水集团有限公司", "water supply group", "enterprise", False),
    ("gas", "燃气有限公司", "gas company", "enterprise", False),
    ("power", "供电公司", "power company", "enterprise", False),
    ("telecom", "通信发展管理办公室", "telecommunications office", "enterprise", False),
    ("approval", "行政审批局", "approval bureau", "bureau", False),
    ("supervision_centre", "城市管理监督中心", "city management supervision centre", "centre", False),
    ("hotline_centre", "12345 政务服务便民热线中心", "12345 hotline centre", "centre", False),
)

# Source channel code, weight.
HOTLINE_CHANNELS = (("12345-TEL", 0.56), ("12319-TEL", 0.22), ("APP", 0.11), ("WX", 0.08), ("MEDIA", 0.03))
PATROL_CHANNELS = (("collector", 0.9), ("video", 0.045), ("drone", 0.025), ("iot", 0.015), ("leader", 0.015))
YUNHE_CHANNEL = {"collector": "1", "video": "16", "drone": "21", "iot": "22", "leader": "2"}
LANTING_CHANNEL = {
    "collector": "人工巡查",
    "video": "视频发现",
    "drone": "无人机巡查",
    "iot": "物联报警",
    "leader": "领导交办",
}

# Case status of the life cycle -> code of the source.
YUNHE_STATUS = {
    "pending_register": "10",
    "not_accepted": "19",
    "pending_dispatch": "20",
    "returned": "29",
    "handling": "30",
    "suspended": "35",
    "check_not_pass": "39",
    "pending_check": "40",
    "pending_close": "50",
    "closed": "60",
    "cancelled": "90",
}
LANTING_STATUS = {
    "pending_register": "待立案",
    "not_accepted": "不予立案",
    "pending_dispatch": "待派遣",
    "returned": "退单",
    "handling": "处置中",
    "suspended": "挂账",
    "check_not_pass": "返工",
    "pending_check": "待核查",
    "pending_close": "待结案",
    "closed": "已结案",
    "cancelled": "作废",
}
# The hotline knows fewer steps than the life cycle.
HOTLINE_STATUS = {
    "pending_register": "RECEIVED",
    "not_accepted": "REJECTED",
    "pending_dispatch": "ACCEPTED",
    "returned": "RETURNED",
    "handling": "PROCESSING",
    "suspended": "SUSPENDED",
    "check_not_pass": "REOPENED",
    "pending_check": "ANSWERED",
    "pending_close": "ANSWERED",
    "closed": "FINISHED",
    "cancelled": "VOID",
}
# A class the Yunhe platform added for itself; it is a narrower kind of 0410.
YUNHE_LOCAL_CLASS = ("S0199", "共享单车乱停放", "0410")
UNMAPPED_CLASS = {"hotline_order": "99901", "patrol_case_yunhe": "S0999", "patrol_case_lanting": "2-0999"}
UNMAPPED_COMPONENT_CODE = "0198"
UNMAPPED_PERMIT_TYPE = "ZX99"

# Type code of the permit office, Chinese name, handling window, weight, days to decide.
PERMIT_TYPES = (
    ("ZD01", "市政设施建设类审批（占用城市道路）", "W01", 0.26, 10),
    ("WJ02", "市政设施建设类审批（挖掘城市道路）", "W01", 0.16, 15),
    ("GG03", "设置大型户外广告审批", "W02", 0.17, 20),
    ("DZ04", "店招标牌设置（备案）", "W02", 0.18, 7),
    ("ZT05", "城市建筑垃圾处置核准", "W03", 0.13, 20),
    ("SM06", "工程建设涉及城市绿地、树木审批", "W04", 0.06, 20),
    ("YJ07", "夜间施工（证明）", "W03", 0.04, 3),
)
PERMIT_WINDOWS = (
    ("W01", "市政窗口", "municipal works window", "city_admin"),
    ("W02", "市容窗口", "city appearance window", "city_admin"),
    ("W03", "建设窗口", "construction window", "approval"),
    ("W04", "园林窗口", "landscaping window", "approval"),
    ("W05", "综合窗口", "general window", "approval"),
)


def unit_name(key: str, district: str = "") -> str:
    """The Chinese name of a department, or of its handling unit in a district (by code), with the place in front.

    A corps (支队) is the city's; in a district it has a brigade (大队).
    """
    name = next(zh for department, zh, *_ in DEPARTMENTS if department == key)
    if not district:
        return CITY[1] + name
    place, _ = DISTRICTS[district]
    if key == "enforcement":
        return f"{place}综合行政执法大队"
    if key == "traffic_police":
        return f"{name}{place.removesuffix('区')}大队"
    return place + name


def handling_units() -> list[tuple[str, str, str]]:
    """(dept_id, department key, district code or '') of every unit that handles cases, in a fixed order."""
    by_district = [(f"{d}_{key}", key, d) for d in DISTRICTS for key, _, _, _, split in DEPARTMENTS if split]
    whole_city = [
        (key, key, "") for key, _, _, kind, split in DEPARTMENTS if not split and kind in ("bureau", "enterprise")
    ]
    return by_district + whole_city


def unit_code(system: str, dept_id: str) -> str:
    """The code by which a source system knows a handling unit."""
    position = [unit for unit, _, _ in handling_units()].index(dept_id) + 1
    return {"hotline": f"31{position:02d}", "990102": f"YH-{position:02d}", "990103": f"LT{position:03d}"}[system]
