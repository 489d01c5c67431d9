"""Files that hold a secret: readable by their owner only, whole or not there.

Needs only the standard library, because Superset's environment uses it too.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path


def secret(file: Path) -> str:
    """The secret in the file, made at the first call; readable by its owner only.

    Raises:
        PermissionError: others may read the file, so it may no longer be a secret.
    """
    if not file.exists():
        write_secret(file, secrets.token_urlsafe(42), replace=False)
    if file.stat().st_mode & 0o077:
        raise PermissionError(f"{file} can be read by others: delete it, or set its mode to 600")
    return file.read_text(encoding="utf-8").strip()


def derived(of: str, purpose: str) -> str:
    """Another secret for one purpose: whoever learns it does not know the one it comes from."""
    return hmac.new(of.encode(), purpose.encode(), hashlib.sha256).hexdigest()


def write_secret(file: Path, text: str, *, replace: bool = True) -> None:
    """Write a file that only its owner can read; it appears whole or not at all.

    With `replace=False` a file that is already there stays, also when two processes do this at once.
    """
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        handle.write(text + "\n")
    try:
        if replace:
            temporary.replace(file)
        else:
            os.link(temporary, file)
    except FileExistsError:
        pass
    finally:
        temporary.unlink(missing_ok=True)
