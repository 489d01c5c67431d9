"""Sessions that the helpers keep open end with the test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.warehouse.helpers import close_sessions


@pytest.fixture(autouse=True)
def _sessions_end_with_the_test() -> Iterator[None]:
    yield
    close_sessions()
