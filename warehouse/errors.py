"""The errors a user meets: each names the place, the value and the fix."""

from __future__ import annotations


class GridLakeError(Exception):
    """A failure that the reader can act on.

    Args:
        problem: what is wrong, in one sentence without a full stop.
        where: the file, setting, table or address it is wrong in.
        value: the offending value, if it may be shown (never a secret, never personal data).
        fix: what to do about it.
    """

    def __init__(self, problem: str, *, where: str = "", value: object = None, fix: str = "") -> None:
        self.problem = problem
        self.where = where
        self.value = value
        self.fix = fix
        super().__init__(self._message())

    def _message(self) -> str:
        parts = [f"{self.where}: {self.problem}" if self.where else self.problem]
        if self.value is not None:
            parts.append(f"(value: {self.value!r})")
        if self.fix:
            parts.append(f"Fix: {self.fix}")
        return " ".join(parts)


class SettingsError(GridLakeError):
    """A setting is unknown or has a bad value."""


class LakeError(GridLakeError):
    """The lake cannot be opened, written or kept up."""


class WriteConflict(LakeError):
    """A write met another writer again and again and gave up; nothing of it is in the lake."""


class ReadOnlyViolation(LakeError):
    """A statement that would change something was given where only reading is allowed."""
