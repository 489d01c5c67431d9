"""Superset's configuration. Started by `gridlake up`, which gives it `Options` through the environment.

No secret stands here, nothing is fetched from outside, no account is made by default.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from superset.config import DISALLOWED_SQL_FUNCTIONS as _DISALLOWED
from superset.config import THEME_DARK as _DARK
from superset.config import THEME_DEFAULT as _LIGHT

from catalog.serve.superset import ids
from catalog.serve.superset.charts import colours
from catalog.serve.superset.server.connection import TELLING_FUNCTIONS, Instances, mutator
from catalog.serve.superset.server.options import Options
from warehouse.secret_files import derived, secret

_options = Options.from_environment()
_options.home.mkdir(parents=True, exist_ok=True, mode=0o700)

DATA_DIR = str(_options.home)
# A city's own vault may give the secret; else it is made once, in a file.
_given = os.environ.get("GRIDLAKE_SUPERSET_SECRET", "")
SECRET_KEY = _given or secret(_options.secret_file)
SQLALCHEMY_DATABASE_URI = (
    _options.metadata_file.read_text(encoding="utf-8").strip()
    if _options.metadata_file.exists()
    else f"sqlite:///{_options.home / 'superset.db'}?check_same_thread=false"
)
SQLALCHEMY_ENGINE_OPTIONS: dict[str, Any] = (
    {"connect_args": {"timeout": 30}} if SQLALCHEMY_DATABASE_URI.startswith("sqlite") else {"pool_pre_ping": True}
)

# ---- looks and language
APP_NAME = "GridLake"
BABEL_DEFAULT_LOCALE = "zh"
LANGUAGES = {"zh": {"flag": "cn", "name": "简体中文"}, "en": {"flag": "us", "name": "English"}}
_FONTS = (
    "'Noto Sans CJK SC', 'Source Han Sans SC', 'PingFang SC', 'Microsoft YaHei', Inter, Helvetica, Arial, sans-serif"
)
_TOKENS = {
    "brandAppName": APP_NAME,
    "brandLogoAlt": APP_NAME,
    # Superset's own default is not in the released package.
    "brandSpinnerUrl": "/static/assets/images/loading.gif",
    "fontFamily": _FONTS,
    "fontUrls": [],
}
THEME_DEFAULT = {**_LIGHT, "token": {**_LIGHT["token"], **_TOKENS}}
THEME_DARK = {**_DARK, "token": {**_DARK["token"], **_TOKENS}}
EXTRA_CATEGORICAL_COLOR_SCHEMES = colours.category_schemes()
EXTRA_SEQUENTIAL_COLOR_SCHEMES = colours.sequence_schemes()
DEFAULT_TIME_FILTER = "No filter"

# ---- results and states are kept in files that all worker processes share
ROW_LIMIT = 10_000
SQL_MAX_ROW = 100_000
SAMPLES_ROW_LIMIT = 1_000
SQLLAB_TIMEOUT = int(timedelta(seconds=60).total_seconds())
SUPERSET_WEBSERVER_TIMEOUT = int(timedelta(seconds=60).total_seconds())


def _files(name: str, lifetime: timedelta) -> dict[str, Any]:
    return {
        "CACHE_TYPE": "FileSystemCache",
        "CACHE_DIR": str(_options.home / "cache" / name),
        "CACHE_DEFAULT_TIMEOUT": int(lifetime.total_seconds()),
        "CACHE_THRESHOLD": 5_000,
        "CACHE_OPTIONS": {"mode": 0o600},
    }


CACHE_CONFIG = _files("metadata", timedelta(hours=1))
DATA_CACHE_CONFIG = {
    **_files("results", timedelta(hours=1)),
    "CACHE_TYPE": "catalog.serve.superset.server.cache.backend",
}
FILTER_STATE_CACHE_CONFIG = _files("filters", timedelta(days=30))
EXPLORE_FORM_DATA_CACHE_CONFIG = _files("explore", timedelta(days=7))
RATELIMIT_ENABLED = True
RATELIMIT_STORAGE_URI = "memory://"
RATELIMIT_APPLICATION = "500 per second"
# Superset's own limit counts in each process for itself; see sign_in.py.
AUTH_RATE_LIMITED = False

FEATURE_FLAGS = {
    "DASHBOARD_RBAC": True,
    "DRILL_BY": True,
    "DRILL_TO_DETAIL": True,
    "EMBEDDED_SUPERSET": True,
    "ENABLE_TEMPLATE_PROCESSING": False,
    "ALERT_REPORTS": False,
    "ALLOW_ADHOC_SUBQUERY": False,
    "RLS_IN_SQLLAB": True,
    "ENABLE_JAVASCRIPT_CONTROLS": False,
}

# ---- who comes in
AUTH_USER_REGISTRATION = False
GUEST_ROLE_NAME = ids.GUEST_ROLE
GUEST_TOKEN_JWT_SECRET = derived(_given, "guest") if _given else secret(_options.guest_secret_file)
GUEST_TOKEN_JWT_EXP_SECONDS = 300
GUEST_TOKEN_JWT_AUDIENCE = "gridlake"  # noqa: S105  not a secret
FAB_ADD_SECURITY_API = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = _options.is_https
PERMANENT_SESSION_LIFETIME = timedelta(hours=12)
WTF_CSRF_ENABLED = True
ENABLE_PROXY_FIX = _options.is_https
HTML_SANITIZATION = True

# ---- nothing from outside: also stops the picture that Superset's pages fetch from scarf.sh
DECKGL_BASE_MAP = [["none", "无底图 / no base map"]]
MAPBOX_API_KEY = ""
ENABLE_CORS = False
TALISMAN_ENABLED = True
TALISMAN_CONFIG = {
    "content_security_policy": {
        "base-uri": ["'self'"],
        "default-src": ["'self'"],
        "img-src": ["'self'", "blob:", "data:"],
        "worker-src": ["'self'", "blob:"],
        "connect-src": ["'self'"],
        "object-src": "'none'",
        "style-src": ["'self'", "'unsafe-inline'"],
        "font-src": ["'self'", "data:"],
        "script-src": ["'self'", "'strict-dynamic'"],
        "frame-src": ["'self'"],
        "frame-ancestors": ["'self'", *_options.embed_hosts],
    },
    "content_security_policy_nonce_in": ["script-src"],
    "force_https": False,  # done by whatever terminates HTTPS in front
    "session_cookie_secure": _options.is_https,
    # Browsers that know frame-ancestors go by that; this header cannot name a site.
    "frame_options": None if _options.embed_hosts else "SAMEORIGIN",
    "referrer_policy": "strict-origin-when-cross-origin",
}

# ---- the data: one read-only serving file; see connection.py
PREVENT_UNSAFE_DB_CONNECTIONS = True
DISALLOWED_SQL_FUNCTIONS = {**_DISALLOWED, "duckdb": set(TELLING_FUNCTIONS)}


def DB_CONNECTION_MUTATOR(*arguments: Any) -> tuple[Any, dict[str, Any]]:  # noqa: N802  Superset's name
    """Superset calls this for each connection; the parts are made at the first one."""
    global _mutate
    if _mutate is None:
        from catalog.serve.superset.server import reading
        from catalog.serve.superset.server.app import path_of_request

        spill = Path(_options.home / "spill")
        spill.mkdir(exist_ok=True, mode=0o700)
        limits: dict[str, Any] = {"threads": _options.threads, "memory": _options.memory, "spill": spill}
        _mutate = mutator(Instances(**limits, reading=reading.current), path_of_request)
    return _mutate(*arguments)


_mutate: Any = None


def FLASK_APP_MUTATOR(app: Any) -> None:  # noqa: N802  Superset's name
    """Superset calls this once with its application."""
    from catalog.serve.superset.server.app import install

    install(app)
