"""The hotline centre's HTTP service: orders of 12345 and 12319 in the shape of Open311 GeoReport v2, JSON pages.

`GET /open311/v2/requests.json` takes `page` (from 1), `page_size` (1..1000), `updated_after` (ISO time, inclusive) and
wants `Authorization: Bearer <token>`. Orders come oldest change first, so pages stay in place while new orders arrive.
The fields that GeoReport does not know are plain members beside its own. `GET /health` needs no token.
"""

from __future__ import annotations

import hmac
import socket
import threading
from datetime import datetime
from pathlib import Path

import httpx
import polars as pl
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

PATH = "/open311/v2/requests.json"
MAX_PAGE_SIZE = 1000
_STOP_SECONDS = 10.0


class _Orders:
    """The orders file, read again when it has been replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._frame = pl.DataFrame()

    def since(self, moment: str, offset: int, count: int) -> pl.Series:
        """JSON objects of the orders changed at or after `moment` (ISO text, '' = all), `count` from `offset` on."""
        with self._lock:
            status = self._path.stat()
            if self._seen != (status.st_ino, status.st_mtime_ns):
                self._frame = pl.read_parquet(self._path)
                self._seen = (status.st_ino, status.st_mtime_ns)
            frame = self._frame
        return frame.filter(pl.col("updated") >= moment)["body"].slice(offset, count)


def build_app(orders: Path, token: str) -> Starlette:
    """The ASGI application over one orders file."""
    store = _Orders(orders)

    def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    def requests(request: Request) -> Response:
        if not hmac.compare_digest(request.headers.get("authorization", ""), f"Bearer {token}"):
            return _error(401, "a valid bearer token is required")
        query = request.query_params
        try:
            page, size = int(query.get("page", "1")), int(query.get("page_size", "100"))
            after = query.get("updated_after", "")
            # Source times are local and without offset, so they compare as text.
            after = datetime.fromisoformat(after).replace(tzinfo=None).isoformat() if after else ""
        except ValueError:
            return _error(400, "page and page_size are whole numbers, updated_after is an ISO time")
        if page < 1 or not 1 <= size <= MAX_PAGE_SIZE:
            return _error(400, f"page starts at 1, page_size is 1..{MAX_PAGE_SIZE}")
        objects = store.since(after, (page - 1) * size, size)
        return Response(f"[{','.join(objects)}]", media_type="application/json")

    return Starlette(routes=[Route("/health", health), Route(PATH, requests)])


def _error(status: int, description: str) -> Response:
    return JSONResponse([{"code": status, "description": description}], status_code=status)


class HotlineService:
    """The application on a loopback port, in a thread of this process.

    Raises (start):
        RuntimeError: the service did not answer.
    """

    def __init__(self, orders: Path, token: str, port: int = 0) -> None:
        app = build_app(orders, token)
        config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=2)
        self._server = uvicorn.Server(config)
        # Bound here, so the port is known (and answers queue up) before the server runs.
        self._socket = socket.create_server(("127.0.0.1", port))
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="hotline", daemon=True
        )

    @property
    def url(self) -> str:
        """Base address without a trailing slash."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def start(self) -> None:
        """Run until `stop`; returns when the health endpoint has answered."""
        self._thread.start()
        try:
            httpx.get(f"{self.url}/health", timeout=_STOP_SECONDS, trust_env=False).raise_for_status()
        except httpx.HTTPError as error:
            self.stop()
            raise RuntimeError(f"the hotline's service does not answer: {error}") from error

    def stop(self) -> None:
        """Finish open answers and close the port."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS)
        self._socket.close()
