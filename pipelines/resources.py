"""What Dagster's assets are given: the settings of the lake, read when a run starts and not at import."""

from __future__ import annotations

import dagster as dg

from warehouse.settings import Settings, load_settings


class LakeResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The lake of the environment's settings."""

    @property
    def settings(self) -> Settings:
        """The settings as they are now.

        Raises:
            SettingsError: a setting is unknown or bad.
        """
        return load_settings()
