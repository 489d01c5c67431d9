"""What the disk, the memory and the catalogue complain of, in words that say what to do.

DuckDB, SQLite, Dagster and Python tell the same trouble in different words; here each is known by its cause, once.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator

from warehouse.errors import GridLakeError, LakeError
from warehouse.settings import Settings


class StorageError(LakeError):
    """Disk, memory or catalogue cannot do what was asked; nothing that was committed is lost."""


# Words of the message, codes of the system, what it means, what to do.
_TROUBLES = (
    (
        r"No space left on device|disk is full|Disk quota exceeded|failed to offload data block|File too large",
        (errno.ENOSPC, errno.EDQUOT, errno.EFBIG),
        "the disk is full; what was under way was not written, everything before is whole",
        "make room (`gridlake maintain` frees files of history that has expired), then run it again",
    ),
    (
        r"Out of Memory Error|OutOfMemoryException",
        (errno.ENOMEM,),
        "it does not fit into the memory that DuckDB may use; what was under way was not written",
        "set GRIDLAKE_MEMORY to more, as far as the machine has it, or GRIDLAKE_THREADS to less; of files to be"
        " landed, the provider may also send smaller ones",
    ),
    (
        r"Read-only file system|attempt to write a readonly database",
        (errno.EROFS,),
        "the folder of the lake cannot be written to",
        "mount its file system for writing, or give its files to the account that runs GridLake",
    ),
    (
        r"Permission denied(?! for)",
        (errno.EACCES, errno.EPERM),
        "a file may not be opened by this account",
        "run GridLake under the account that owns GRIDLAKE_HOME, or give the folder to this one (`chown -R`)",
    ),
    (
        r"file is not a database|database disk image is malformed",
        (),
        "the catalogue is damaged",
        "restore it from the backup (`gridlake restore`); the data files are not touched",
    ),
    (
        r"database is locked",
        (),
        "the catalogue is locked by another program",
        "end the program that has catalog.sqlite open (`fuser catalog.sqlite`), then run it again",
    ),
    (
        r"Input/output error|Stale file handle",
        (errno.EIO, errno.ESTALE),
        "the disk does not answer as it should",
        "look at the system's log; when the disk works again, `gridlake verify` tells what is damaged",
    ),
    (
        r"(Cannot|Could not|Failed to) (open|read)[^\n]*\.parquet|No magic bytes"
        r"|Parquet[^\n]*(corrupt|invalid|too small)",
        (),
        "a data file is missing or damaged",
        "`gridlake verify` names every such file and what brings it back",
    ),
)


def explained(error: BaseException, settings: Settings | None = None) -> StorageError | None:
    """The same trouble as an error that names the place and the fix, or None where it is another kind of trouble."""
    for cause in _causes(error):
        if isinstance(cause, StorageError):
            return cause
        if isinstance(cause, GridLakeError):
            return None
        text = str(cause)
        number = cause.errno if isinstance(cause, OSError) else None
        for pattern, numbers, problem, fix in _TROUBLES:
            if number in numbers or re.search(pattern, text, re.IGNORECASE):
                said = " ".join(text.partition("Possible solutions:")[0].split())[:300]
                said = settings.blotted(said) if settings else said
                where = str(settings.home_path) if settings else ""
                return StorageError(f"{problem} ({said})", where=where, fix=fix)
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
