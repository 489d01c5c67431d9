"""Names that Superset keeps things by: uuids that never change for the same thing, addresses, marks.

Both sides use them: the bundle is made in our environment and taken in by Superset's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid5

if TYPE_CHECKING:
    from catalog.serve.superset.definition import Language

DATABASE = "gridlake"
# Roles and row rules that start with it are ours, and are removed when no rule names them any more.
MARK = "gridlake "
GUEST_ROLE = MARK + "guest"
PUBLIC_SLUG = "public-index"
ENGLISH_SUFFIX = "-en"
# uuid5(NAMESPACE_URL, "gridlake/superset"): a city that installs twice gets the same ids.
_NAMESPACE = UUID("96d47163-6c24-5031-8db8-1268e33c7496")


def database_id() -> str:
    """The one database."""
    return _made("database", DATABASE)


def dataset_id(model: str, language: Language) -> str:
    """The data set of a model in one language."""
    return _made("dataset", language, model)


def chart_id(slug: str, key: str, language: Language) -> str:
    """A chart of a dashboard in one language."""
    return _made("chart", language, slug, key)


def dashboard_id(slug: str, language: Language) -> str:
    """A dashboard in one language."""
    return _made("dashboard", language, slug)


def dashboard_slug(slug: str, language: Language) -> str:
    """The end of a dashboard's address: the plain slug is the Chinese one."""
    return slug if language == "zh" else slug + ENGLISH_SUFFIX


def _made(*parts: str) -> str:
    return str(uuid5(_NAMESPACE, "/".join(parts)))
