"""One word for one thing, in the words of the field: what the pages show in Chinese, and what they must not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conventions.pages import ROOT

# Where words for readers stand: labels of marts, boards, code lists, contracts' names, Chinese pages.
SHOWN = (
    "dbt/models/mart/*.yml",
    "dbt/seeds/standards/*.csv",
    "catalog/serve/superset/dashboards/*.yml",
    "catalog/serve/superset/server/embedded.py",
    "catalog/cities/demo/contracts/*.yml",
    "catalog/feeds/kinds.yml",
    "README.zh-CN.md",
    "*/*.zh-CN.md",
    "catalog/serve/superset/README.zh-CN.md",
)
# What must not be written -> what to write. A pattern is a regular expression.
INSTEAD = {
    "体征指数": "案件办理指数 (体征指数 is the whole index, which does not stand yet)",
    "维度(?!下钻|对照)": "分项 (维度 are those of the whole index)",
    "区县": "区（县）",
    "上报渠道|来电渠道|上报来源": "问题来源",
    "采集员": "监督员",
    "未派部门": "未派遣, or 未明确 for permits and components",
    "交付批次": "入湖批次",
    "合同(?!编号)": "契约",
    "期望套件|数据期望": "数据校验, 校验套件",
    "退单": "回退",
    "逾期数|计为逾期|逾期未结": "超期 (逾期 is of data that were not delivered)",
    "按时(?=立案|派遣|处置|完成|结案|率)": "按期",
    "紧急问题": "紧急案件",
    "公众举报有效": "公众有效举报",
    "(?<!为)下限(?=[为到])": "零分值",
    "平方公里": "平方千米",
    "许可类型|许可件数|许可决定": "事项类型, 申请件数, 办理结果",
    "用数部门": "数据需求部门",
    "发布文件": "看板数据包",
    "逐月": "月度走势",
    "当前时钟": "当前系统时间",
    r"不立案(?!件)": "不予立案",
    r"（%\)|\(%）|[\u4e00-\u9fff] \(%\)": "（%）",
    "数据健康|从指数到案件": "数据质量, 指标溯源",
}
# Where such a word is another thing.
ALLOWED = {
    "catalog/serve/superset/README.zh-CN.md": {"维度"},  # a chart's dimension
    "dbt/seeds/standards/class_standard.csv": {"合同", "逐月", "下限"},  # names of the national list
}


def files() -> Iterator[Path]:
    for pattern in SHOWN:
        found = sorted(ROOT.glob(pattern))
        assert found, pattern
        yield from found


@pytest.mark.parametrize("wrong", INSTEAD)
def test_pages_use_the_word_of_the_field(wrong: str) -> None:
    told = []
    for path in files():
        name = path.relative_to(ROOT).as_posix()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            for found in re.findall(f"(?:{wrong})", line):
                if found not in ALLOWED.get(name, set()):
                    told.append(f"{name}:{number}: {found}, write {INSTEAD[wrong]}")
    assert told == []


def test_marts_label_a_column_of_one_name_with_one_word() -> None:
    """Of the columns that several marts share; a mart may say more exactly what its own column holds."""
    shared = {
        "district_name_zh": "区（县）",
        "street_name_zh": "街道（乡镇）",
        "community_name_zh": "社区（村）",
        "channel_name_zh": "问题来源",
        "node_name_zh": "分项",
        "level_name_zh": "区域级别",
        "loaded_at": "入湖时间",
    }
    label = re.compile(r"- \{name: (\w+),.*meta: \{zh: \"?([^,\"]+)\"?,")
    wrong = []
    for path in sorted((ROOT / "dbt/models/mart").glob("*.yml")):
        for name, word in label.findall(path.read_text(encoding="utf-8")):
            if name in shared and word != shared[name]:
                wrong.append(f"{path.name}: {name} is {word}, elsewhere {shared[name]}")
    assert wrong == []
