"""Superset over HTTP, as a page or a program of a city uses it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx


@dataclass(frozen=True)
class RunningCity:
    """A city whose services run: where Superset answers, and the folder of its lake."""

    address: str
    home: Path
    environment: dict[str, str]

    def sign_in(self, name: str | None) -> Superset:
        """A session of the account, or of a stranger."""
        session = Superset(self.address)
        if name is not None:
            session.sign_in(name, self.password(name))
        return session

    def password(self, name: str) -> str:
        """The account's password, from its file in the home."""
        file = "first-password" if name == "admin" else f"passwords/{name}"
        return (self.home / "superset" / file).read_text().strip()


class Superset:
    """One session."""

    def __init__(self, address: str) -> None:
        self.client = httpx.Client(base_url=address, timeout=120, headers={"Referer": address})

    def sign_in(self, name: str, password: str) -> None:
        answer = self.client.post(
            "/api/v1/security/login", json={"username": name, "password": password, "provider": "db"}
        )
        answer.raise_for_status()
        self.client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        self.add_csrf_token()

    def add_csrf_token(self) -> None:
        token = self.client.get("/api/v1/security/csrf_token/")
        token.raise_for_status()
        self.client.headers["X-CSRFToken"] = token.json()["result"]

    def dashboard_charts(self, slug: str) -> list[dict[str, Any]]:
        """The charts of a dashboard, with their form data, as its page gets them."""
        answer = self.client.get(f"/api/v1/dashboard/{slug}/charts")
        answer.raise_for_status()
        return list(answer.json()["result"])

    def chart(self, chart_id: int) -> dict[str, Any]:
        answer = self.client.get(f"/api/v1/chart/{chart_id}")
        answer.raise_for_status()
        return dict(answer.json()["result"])

    def datasets(self) -> dict[str, int]:
        """`schema.table` -> id of every data set that the session may list."""
        answer = self.client.get("/api/v1/dataset/", params={"q": "(page_size:200)"})
        answer.raise_for_status()
        return {f"{row['schema']}.{row['table_name']}": row["id"] for row in answer.json()["result"]}

    def ask(
        self,
        dataset: int,
        columns: Sequence[str],
        metrics: Sequence[Any] = (),
        *,
        filters: Sequence[dict[str, Any]] = (),
        limit: int = 10_000,
        page: str | None = None,
        is_forced: bool = True,
        **more: Any,
    ) -> httpx.Response:
        """A chart's query, as the pages send it."""
        parameters = {"page": page} if page else {}
        query = {
            "columns": list(columns),
            "metrics": list(metrics),
            "filters": list(filters),
            "row_limit": limit,
            "orderby": [],
            "url_params": parameters,
            **more,
        }
        body = {
            "datasource": {"id": dataset, "type": "table"},
            "force": is_forced,
            "queries": [query],
            "form_data": {"url_params": parameters},
            "result_format": "json",
            "result_type": "full",
        }
        return self.client.post("/api/v1/chart/data", json=body)

    def rows(
        self, dataset: int, columns: Sequence[str], metrics: Sequence[Any] = (), **more: Any
    ) -> list[dict[str, Any]]:
        answer = self.ask(dataset, columns, metrics, **more)
        assert answer.status_code == 200, answer.text[:2000]
        return list(answer.json()["result"][0]["data"])

    def sql(self, database: int, text: str, schema: str | None = None) -> httpx.Response:
        """What SQL Lab sends."""
        body = {
            "database_id": database,
            "sql": text,
            "schema": schema,
            "runAsync": False,
            "expand_data": True,
            "queryLimit": 100,
            "client_id": secrets.token_hex(5),
        }
        return self.client.post("/api/v1/sqllab/execute/", json=body)
