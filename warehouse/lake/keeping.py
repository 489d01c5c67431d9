"""Who removes data files and who needs them to stay: upkeep and backup agree by a lock in the data folder.

The lock lies beside the data, so that it holds between hosts that share them.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from warehouse.durable import make_folder
from warehouse.lake.named_files import data_folder
from warehouse.settings import Settings

_LOCK = ".backup.lock"


@contextmanager
def files_kept(settings: Settings) -> Iterator[None]:
    """Keep upkeep from removing data files; several may ask for this at once."""
    with (make_folder(data_folder(settings)) / _LOCK).open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield


@contextmanager
def files_removable(settings: Settings) -> Iterator[bool]:
    """Whether data files may be removed within the block: not while somebody keeps them."""
    with (make_folder(data_folder(settings)) / _LOCK).open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
