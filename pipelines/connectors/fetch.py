"""What a connector is asked: one data set as it is declared, and where the lake stands with it.

Landing says it; a connector reads nothing of the lake's own records.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from catalog.contract import Contract
from pipelines.sources.declared import DatasetSource, SourceSystem
from warehouse.settings import Settings


@dataclass(frozen=True)
class Taken:
    """What the lake last took from a path: the hash of its content, and the delivery it was."""

    content_hash: str
    delivery_id: str


@dataclass(frozen=True)
class Fetch:
    """One data set to be fetched from its source.

    Args:
        settings: of the lake.
        system: the source system, as its file declares it.
        entry: the data set's entry in that file.
        contract: the data set's contract.
        spool: a folder of this landing, which may not be there yet; it goes when the landing ends.
        position: number of the last landing of the data set, 0 where there is none; pulls are told apart by it.
        begin: the cursor value from which a pull asks, in the city's time; None for everything.
        taken: path below the source's folder -> what the lake last took from it.
        barred: hash of a content that is not to land again -> why, and what to do.
        is_by_snapshot: whether each snapshot of a register is a batch of its own, and is refused whole.
        pause: waits that many seconds between attempts.
    """

    settings: Settings
    system: SourceSystem
    entry: DatasetSource
    contract: Contract
    spool: Path
    position: int = 0
    begin: str | None = None
    taken: Mapping[str, Taken] = field(default_factory=dict)
    barred: Mapping[str, str] = field(default_factory=dict)
    is_by_snapshot: bool = False
    pause: Callable[[float], None] = time.sleep
