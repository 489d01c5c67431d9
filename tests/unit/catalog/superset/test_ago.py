from __future__ import annotations

import pytest

from catalog.serve.superset.server.ago import spoken


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("5分之前", "5 分钟前"),
        ("1分之前", "1 分钟前"),
        ("30秒之前", "30 秒前"),
        ("3小时之前", "3 小时前"),
        ("2天之前", "2 天前"),
        ("4个月之前", "4 个月前"),
        ("现在", "现在"),
        ("5 minutes ago", "5 minutes ago"),
    ],
)
def test_a_span_is_told_as_one_says_it(told: str, said: str) -> None:
    assert spoken(told) == said
