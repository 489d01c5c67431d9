"""Superset's cache of query results, kept apart by version of the data.

A result never outlives its version, so it needs no short life: a new version simply asks under other keys.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cachelib import FileSystemCache


class VersionedCache(FileSystemCache):
    """A FileSystemCache whose keys begin with the version that the request reads."""

    def __init__(self, version: Callable[[], str], **options: Any) -> None:
        """`version` gives the version of the current request; `options` are those of FileSystemCache."""
        self._version = version
        super().__init__(**options)

    def _keyed(self, key: str) -> str:
        # The base class counts its files under a key of its own, which belongs to no version.
        return key if key == self._fs_count_file else f"{self._version()}:{key}"

    def get(self, key: str) -> Any:
        """The value, or None."""
        return super().get(self._keyed(key))

    def set(self, key: str, value: Any, timeout: int | None = None, **options: Any) -> Any:
        """Keep the value."""
        return super().set(self._keyed(key), value, timeout, **options)

    def add(self, key: str, value: Any, timeout: int | None = None) -> Any:
        """Keep the value unless the key has one."""
        # FileSystemCache.add calls self.set, which makes the key of this version.
        return False if self.has(key) else self.set(key, value, timeout)

    def delete(self, key: str, **options: Any) -> Any:
        """Forget the value."""
        return super().delete(self._keyed(key), **options)

    def has(self, key: str) -> Any:
        """Whether there is a value."""
        return super().has(self._keyed(key))


def backend(app: Any, config: dict[str, Any], args: list[Any], options: dict[str, Any]) -> VersionedCache:
    """What flask-caching calls for `CACHE_TYPE = "catalog.serve.superset.server.cache.backend"`."""
    from catalog.serve.superset.server.app import version_of_request

    return VersionedCache(
        version_of_request,
        cache_dir=config["CACHE_DIR"],
        threshold=config["CACHE_THRESHOLD"],
        default_timeout=config["CACHE_DEFAULT_TIMEOUT"],
        mode=0o600,
    )
