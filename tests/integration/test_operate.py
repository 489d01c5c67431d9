"""The operator's files do what their page says: systemd takes the unit, the proxy makes HTTPS of Superset."""

from __future__ import annotations

import re
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from conftest import free_port
from superset_client import RunningCity

from pipelines.services.processes import Register, running, wait_until_ready
from pipelines.services.superset import service
from warehouse.settings import PROJECT_ROOT, load_settings

OPERATE = PROJECT_ROOT / "docs" / "operate"


def test_systemd_takes_the_unit_and_finds_it_confined(tmp_path: Path) -> None:
    unit = tmp_path / "gridlake@demo.service"
    text = (OPERATE / "gridlake@.service").read_text(encoding="utf-8")
    unit.write_text(
        text.replace("/opt/gridlake", str(PROJECT_ROOT)).replace("=gridlake\n", "=root\n"), encoding="utf-8"
    )
    verified = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stdout, [x for x in verified.stderr.splitlines() if unit.name in x]) == (
        0,
        "",
        [],
    )
    told = dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))
    assert (told["User"], told["NoNewPrivileges"], told["ProtectSystem"], told["UMask"]) == (
        "gridlake",
        "yes",
        "strict",
        "0077",
    )


@dataclass(frozen=True)
class Proxied:
    """Superset behind nginx: its name with port, the port behind the proxy, and the certificate to trust."""

    port: int
    plain_port: int
    behind: int
    certificate: Path

    def client(self) -> httpx.Client:
        trusted = ssl.create_default_context(cafile=str(self.certificate))
        return httpx.Client(base_url=f"https://localhost:{self.port}", verify=trusted, timeout=60)


@pytest.fixture(scope="module")
def proxied(running_city: RunningCity, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    """One more Superset of the running city, told that it is reached through HTTPS, and nginx with our file."""
    folder = tmp_path_factory.mktemp("proxy")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, *name]
    subprocess.run(made, capture_output=True, check=True)
    port, plain_port, behind = free_port(), free_port(), free_port()
    server = (OPERATE / "nginx.conf").read_text(encoding="utf-8")
    for written, meant in {
        "/etc/ssl/certs/city.example.pem": str(certificate),
        "/etc/ssl/private/city.example.key": str(key),
        "https://city.example": f"https://localhost:{port}",
        "city.example": "localhost",
        "listen 80;": f"listen 127.0.0.1:{plain_port};",
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "Host $host;": "Host $http_host;",
        "X-Forwarded-Port 443": f"X-Forwarded-Port {port}",
        "127.0.0.1:8088": f"127.0.0.1:{behind}",
    }.items():
        assert written in server, written
        server = server.replace(written, meant)
    main = folder / "nginx.conf"
    main.write_text(f"pid {folder}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{server}}}\n")
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin") or "nginx"
    settings = load_settings(
        city="demo", home=running_city.home, superset_port=behind, superset_https=True, superset_workers=1
    )
    register = Register(folder)
    with register.held(), running(service(settings), register, folder) as superset:
        wait_until_ready(service(settings), {"superset": superset}, folder, threading.Event())
        with subprocess.Popen([nginx, "-c", str(main), "-p", str(folder), "-g", "daemon off;"]) as proxy:
            try:
                found = Proxied(port, plain_port, behind, certificate)
                transport = httpx.HTTPTransport(retries=20, verify=ssl.create_default_context(cafile=str(certificate)))
                with httpx.Client(transport=transport) as waiting:
                    assert waiting.get(f"https://localhost:{port}/health").text == "OK"
                yield found
            finally:
                proxy.terminate()


def test_signing_in_through_https_gives_a_cookie_for_https_only(proxied: Proxied, running_city: RunningCity) -> None:
    with proxied.client() as browser:
        form = browser.get("/login/")
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', form.text) or re.search(
            r'csrf_token[^"]*&#34;: &#34;([^&]+)&', form.text
        )
        fields = {"username": "admin", "password": running_city.password("admin")}
        if token:
            fields["csrf_token"] = token[1]
        answer = browser.post("/login/", data=fields, headers={"Referer": f"https://localhost:{proxied.port}/login/"})
        assert answer.status_code == 302, answer.text[:500]
        cookie = answer.headers["set-cookie"]
        assert "Secure" in cookie
        assert "HttpOnly" in cookie
        assert browser.get("/api/v1/me/").json()["result"]["username"] == "admin"


def test_a_redirect_stays_on_https(proxied: Proxied) -> None:
    with proxied.client() as browser:
        target = browser.get("/").headers["location"]
        assert httpx.URL(browser.base_url).join(target).scheme == "https"
    assert httpx.get(f"http://localhost:{proxied.plain_port}/x?y=1").headers["location"] == (
        f"https://localhost:{proxied.port}/x?y=1"
    )


def test_what_a_client_says_of_its_address_does_not_get_through(proxied: Proxied) -> None:
    with proxied.client() as browser:
        forged = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "X-Forwarded-For": "203.0.113.9"}
        answer = browser.get("/", headers=forged)
        assert "evil.example" not in answer.headers["location"]
        assert not answer.headers["location"].startswith("http://")
