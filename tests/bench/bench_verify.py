"""How long `gridlake verify` takes over ten thousand files, shallow and deep.

The files are the smallest there are: what counts is opening each, not the bytes in it.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from warehouse.lake.session import open_lake, transact
from warehouse.safety.verify import damage, verify
from warehouse.settings import load_settings

FILES = 10_000


def main() -> None:
    """Make the lake, look at it in each way, print the seconds."""
    with tempfile.TemporaryDirectory(prefix="gridlake-verify-") as folder:
        settings = load_settings(home=Path(folder))
        with open_lake(settings, spatial=False) as lake:
            for statement in (
                "CREATE TABLE lake.raw.part (n INTEGER, word VARCHAR)",
                "ALTER TABLE lake.raw.part SET PARTITIONED BY (n)",
                f"INSERT INTO lake.raw.part SELECT n, 'word ' || n FROM range({FILES}) AS r(n)",
            ):
                transact(lake, settings, lambda c, sql=statement: c.execute(sql), message="bench")  # type: ignore[misc]
        started = time.monotonic()
        assert damage(settings) == ()
        print(f"presence and size, as `gridlake status` asks: {time.monotonic() - started:.1f} s", flush=True)
        for deep in (False, True):
            started = time.monotonic()
            found = verify(settings, deep=deep)
            assert found.file_count >= FILES
            assert found.faults == ()
            way = "--deep" if deep else "footers"
            print(f"{found.file_count:,} files, {way}: {time.monotonic() - started:.1f} s", flush=True)


if __name__ == "__main__":
    main()
