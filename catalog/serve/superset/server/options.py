"""How the two environments agree: what Superset's process is told, and where its files are.

Written by the process that starts Superset (`as_environment`), read by Superset's configuration
(`from_environment`). No secret travels this way: secrets are files that only their owner can read.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_PREFIX = "GRIDLAKE_SERVER_"


@dataclass(frozen=True)
class Options:
    """What Superset needs to know of the lake and the machine.

    Attributes:
        home: folder of Superset's own files (accounts, caches, secrets).
        serving: the symlink that names the newest version of the serving file.
        timezone: in which times are shown.
        memory: what DuckDB may use in each worker process, for example "1400MB".
        threads: threads of DuckDB in each worker process.
        embed_hosts: sites that may show embedded dashboards, for example "https://portal.example".
        is_https: whether users reach Superset through HTTPS, so that cookies are sent over it only.
    """

    home: Path
    serving: Path
    timezone: str = "Asia/Shanghai"
    memory: str = "1400MB"
    threads: int = 2
    embed_hosts: tuple[str, ...] = ()
    is_https: bool = False

    @property
    def secret_file(self) -> Path:
        """The key that signs sessions."""
        return self.home / "secret.key"

    @property
    def guest_secret_file(self) -> Path:
        """The key that signs guest tokens; another one, because a guest token is handed to strangers."""
        return self.home / "guest.key"

    @property
    def metadata_file(self) -> Path:
        """Holds the URL of the PostgreSQL database for Superset's own tables, where the city has set one."""
        return self.home / "metadata.url"

    @property
    def password_file(self) -> Path:
        """The first account's password."""
        return self.home / "first-password"

    @property
    def bundle_folder(self) -> Path:
        """The compiled dashboards and access rules that `setup` brings into Superset."""
        return self.home / "bundle"

    def as_environment(self) -> dict[str, str]:
        """The variables from which `from_environment` gives the same options."""
        return {
            _PREFIX + "HOME": str(self.home),
            _PREFIX + "SERVING": str(self.serving),
            _PREFIX + "TIMEZONE": self.timezone,
            _PREFIX + "MEMORY": self.memory,
            _PREFIX + "THREADS": str(self.threads),
            _PREFIX + "EMBED_HOSTS": " ".join(self.embed_hosts),
            _PREFIX + "HTTPS": "1" if self.is_https else "",
        }

    @classmethod
    def from_environment(cls) -> Options:
        """The options of this process.

        Raises:
            KeyError: a variable is missing: Superset was not started by `gridlake up`.
        """
        get = {name.removeprefix(_PREFIX): value for name, value in os.environ.items() if name.startswith(_PREFIX)}
        return cls(
            home=Path(get["HOME"]),
            serving=Path(get["SERVING"]),
            timezone=get["TIMEZONE"],
            memory=get["MEMORY"],
            threads=int(get["THREADS"]),
            embed_hosts=tuple(get["EMBED_HOSTS"].split()),
            is_https=get["HTTPS"] == "1",
        )
