"""Lines of a CSV file are counted block by block, wherever a block ends."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.connectors.files.csv_look import _Tally

CONTENT = st.lists(st.sampled_from([b'"', b'""', b"\n", b"\r\n", b"a", b",", b"\xe8\xa1\x97"]), max_size=60).map(
    b"".join
)


def line_ends(content: bytes, sign: bytes) -> int:
    """The signs before which the number of quotes is even."""
    return sum(piece.count(sign) for piece in content.split(b'"')[::2])


@settings(deadline=None, derandomize=True)
@given(CONTENT, st.lists(st.integers(1, 20), min_size=1, max_size=8))
def test_line_ends_outside_of_quotes_are_counted(content: bytes, sizes: list[int]) -> None:
    for described, sign in ((content, b"\n"), (content.replace(b"\n", b""), b"\r")):
        tally, start, number = _Tally(), 0, 0
        while start < len(described):
            size = sizes[number % len(sizes)]
            tally.add(described[start : start + size])
            start, number = start + size, number + 1
        counted = tally.line_feeds if sign == b"\n" else tally.returns
        assert counted == line_ends(described, sign)
        assert tally.is_inside_quotes == bool(described.count(b'"') % 2)
