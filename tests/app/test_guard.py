"""Nobody but the browser that opened the address gets a page or changes anything, and answers let nothing out."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import io
import json
import re
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from types import SimpleNamespace

import pytest
from starlette.testclient import TestClient

from app.driving import PORT, SAME, SITE, change, front_of, opened, stranger
from helpers import write_thin_study
from inveonimaging.app.access.rules import CHANGE_HEADER, MOST_BYTES, POLICY, Head, refusal_of
from inveonimaging.app.access.secrets import Access
from inveonimaging.app.memory.state import State
from inveonimaging.app.pages.front import Front
from inveonimaging.app.serving import connections, server
from inveonimaging.app.serving.guard import Guard, policy_alone
from inveonimaging.errors import OutputError
from inveonimaging.study.image import Image

NAVIGATION = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


@pytest.fixture
def front(tmp_path: Path) -> Front:
    (tmp_path / "data").mkdir()
    return front_of(tmp_path / "data")


def test_the_address_counts_once_and_leaves_a_cookie_that_scripts_and_other_sites_cannot_use(front: Front) -> None:
    client, base = stranger(front), front.access.base
    first = client.get("/start", params={"token": front.access.token})
    (morsel,) = SimpleCookie(first.headers["set-cookie"]).values()
    assert (morsel["httponly"], morsel["samesite"].lower(), morsel["path"]) == (True, "strict", base)
    assert (morsel["max-age"], morsel["expires"], morsel["domain"]) == ("", "", "")
    assert f'content="0;url={base}/"' in first.text
    assert client.get(f"{base}/").status_code == 200
    again = stranger(front)
    assert again.get("/start", params={"token": front.access.token}).status_code == 403
    assert again.get(f"{base}/").status_code == 403


def test_who_lost_the_cookie_gets_a_new_address_and_the_one_before_is_over(front: Front) -> None:
    first = front.access.token
    second = front.access.renew()
    assert front.access.exchange(first) is None
    session = front.access.exchange(second)
    third = front.access.renew()
    assert front.access.exchange(second) is None
    assert front.access.exchange(third) == session  # tabs that are open go on


def test_the_cookie_alone_opens_nothing_nor_does_the_path_alone(front: Front, client: TestClient) -> None:
    """Cookies know no ports: another server gets those of the path /, and could send them from where no browser is."""
    (session,) = client.cookies.values()
    cookie = {"cookie": f"inveon-{PORT}={session}"}
    base = front.access.base
    for path in ("/", "/look", "/static/app.css", "/.", f"/x{base}/", f"{base}x/", f"/{base}/", base.upper() + "/"):
        assert stranger(front).get(f"{SITE}{path}", headers=cookie).status_code == 403, path
        own = {**SAME, **cookie, CHANGE_HEADER: front.access.change_token}
        assert stranger(front).post(f"{SITE}{path}", headers=own).status_code == 403, path
    assert stranger(front).get(f"{base}/").status_code == 403
    assert stranger(front).get(f"{base}/", headers=cookie).status_code == 200


def test_a_cookie_that_another_server_set_locks_nobody_out(front: Front, client: TestClient) -> None:
    (session,) = client.cookies.values()
    ours, theirs = f"inveon-{PORT}={session}", f"inveon-{PORT}=x"
    for cookie in (f"{ours}; {theirs}", f"{theirs}; {ours}", f"a=b;{ours}", f'=; "; \N{SECTION SIGN}; {ours}'):
        headers = {b"cookie": cookie.encode("latin-1")}
        assert stranger(front).get(f"{front.access.base}/", headers=headers).status_code == 200, cookie
    assert stranger(front).get(f"{front.access.base}/", headers={"cookie": theirs}).status_code == 403


def test_every_address_on_a_page_is_below_the_secret_path(front: Front, client: TestClient) -> None:
    write_thin_study(front.roots.folders[0] / "study")
    study, base = str(front.roots.folders[0] / "study"), front.access.base
    browser = stranger(front)
    browser.cookies = client.cookies
    for name in ("/", f"/?folder={front.roots.folders[0]}", f"/look?source={study}", f"/make?source={study}", "/jobs"):
        html = browser.get(base + name).text
        found = re.findall(r"""\s(?:href|src|action|hx-[a-z]+)=["'](/[^"']*)""", html)
        assert found
        assert [each for each in found if not each.startswith(f"{base}/")] == []
    scan = next(Path(study).glob("*.img"))
    moved = browser.get(f"{base}/", params={"folder": str(scan)}, follow_redirects=False)
    assert (moved.status_code, moved.headers["location"].partition("?")[0]) == (303, f"{base}/look")


@pytest.mark.parametrize("token", ["", "x", "é", "\udcff", "A" * 5000])
def test_another_token_opens_nothing_and_uses_nothing_up(front: Front, token: str) -> None:
    assert front.access.exchange(token) is None
    assert not front.access.has_session(token)
    assert front.access.exchange(front.access.token) is not None


def test_who_only_fetches_ahead_does_not_use_the_address_up(front: Front) -> None:
    client = stranger(front)
    address = f"/start?token={front.access.token}"
    for headers in ({"sec-purpose": "prefetch"}, {"sec-purpose": "prefetch;prerender"}, {"purpose": "prefetch"}):
        assert client.get(address, headers=headers).status_code == 403
    assert client.head(address).status_code == 405
    assert client.post(address, headers=SAME).status_code == 403
    assert client.get(address).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        f"evil.example:{PORT}",
        "127.0.0.1",
        "localhost",
        f"127.0.0.1:{PORT + 1}",
        f"127.0.0.1:{PORT}.evil.example",
        f"localhost.evil.example:{PORT}",
        f"[::1]:{PORT}",
        f"0.0.0.0:{PORT}",
        f"127.1:{PORT}",
        f"LOCALHOST.:{PORT}",
        f"user@127.0.0.1:{PORT}",
        "",
    ],
)
def test_another_name_of_this_computer_is_refused_with_the_cookie_and_at_the_start(
    front: Front, client: TestClient, host: str
) -> None:
    """DNS rebinding: the page of another site has its own name there."""
    assert client.get("/", headers={"host": host}).status_code == 421
    assert client.get("/static/app.css", headers={"host": host}).status_code == 421
    assert stranger(front).get("/start?token=x", headers={"host": host}).status_code == 421


def test_a_host_that_is_there_twice_or_not_at_all_is_refused() -> None:
    hosts = [("host", f"127.0.0.1:{PORT}"), ("host", "evil.example")]
    for headers in (hosts, hosts[::-1], []):
        refusal = refusal_of(Head("GET", "/", headers), PORT, Access())
        assert refusal is not None
        assert refusal.status == 421


def test_localhost_is_the_same_computer(front: Front) -> None:
    client = TestClient(server.application(front), base_url=f"http://localhost:{PORT}")
    assert client.get("/start", params={"token": front.access.token}).status_code == 200
    assert client.get(f"{front.access.base}/").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": f"http://127.0.0.1:{PORT + 1}"},
        {"origin": f"https://127.0.0.1:{PORT}"},
        {"origin": f"http://localhost:{PORT}"},
        {"origin": f"{SITE}.evil.example"},
        {"origin": ""},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", **NAVIGATION},
        {"sec-fetch-site": "same-origin, cross-site"},
    ],
)
def test_what_a_page_of_another_site_asks_for_is_refused(
    front: Front, client: TestClient, headers: dict[str, str]
) -> None:
    assert client.get("/", headers=headers).status_code == 403
    own = {**SAME, CHANGE_HEADER: front.access.change_token, **headers}
    assert client.post("/", headers=own).status_code == 403


def test_the_address_may_be_opened_from_anywhere(front: Front) -> None:
    address = f"/start?token={front.access.token}"
    client = stranger(front)
    assert client.get(address, headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}).status_code == 403
    assert client.get(address, headers={"sec-fetch-site": "cross-site", **NAVIGATION}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/static/app.css", "/static/htmx.js", "/count?folder=/", "/nothing"])
def test_without_the_cookie_there_is_nothing(front: Front, path: str) -> None:
    for client in (stranger(front), opened(front)):
        client.cookies.clear()
        assert client.get(path).status_code == 403
        client.cookies.set(f"inveon-{PORT}", "x")
        assert client.get(path).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        SAME,
        {**SAME, CHANGE_HEADER: "x"},
        {**SAME, CHANGE_HEADER: ""},
        {CHANGE_HEADER: "right"},
        {"sec-fetch-site": "same-origin", CHANGE_HEADER: "right"},
    ],
)
def test_no_change_without_the_token_of_the_page_and_its_origin(
    front: Front, client: TestClient, headers: dict[str, str]
) -> None:
    sent = {name: front.access.change_token if value == "right" else value for name, value in headers.items()}
    assert client.post("/", headers=sent).status_code == 403


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "CONNECT", "get"])
def test_other_methods_are_refused(client: TestClient, method: str) -> None:
    refusal = refusal_of(Head(method, "/", [("host", f"127.0.0.1:{PORT}")]), PORT, Access())
    assert refusal is not None
    assert refusal.status == 405
    assert client.request("OPTIONS", "/", headers={"access-control-request-method": "POST"}).status_code == 405


def test_pages_that_show_take_no_change(front: Front, client: TestClient) -> None:
    for path in ("/", "/count"):
        assert change(client, front, path).status_code == 405


@pytest.mark.parametrize("path", ["/", "/static/app.js", "/nothing", "/?folder=relative", "/start?token=x"])
def test_every_answer_has_the_headers(front: Front, path: str) -> None:
    for client in (opened(front), stranger(front)):
        answer = client.get(path)
        (policy,) = answer.headers.get_list("content-security-policy")
        assert policy == (POLICY if client.cookies and not path.startswith("/start") else policy_alone())
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_the_policy_lets_nothing_run_but_files_of_the_app() -> None:
    rules = dict(each.split(" ", 1) for each in POLICY.split("; "))
    assert rules["default-src"] == rules["frame-ancestors"] == rules["base-uri"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == rules["form-action"] == "'self'"
    assert "unsafe" not in POLICY


def test_who_gets_no_page_is_shown_why_in_the_looks_of_the_app(front: Front) -> None:
    client = stranger(front)
    for path, words in (("/", "it opens the one that runs"), ("/start?token=x", "it opens the one that runs")):
        answer = client.get(path)
        assert answer.status_code == 403
        style = re.search("<style>(.*)</style>", answer.text, re.DOTALL)
        assert style is not None
        digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
        assert f"style-src 'sha256-{digest}'" in answer.headers["content-security-policy"]
        assert words in answer.text
        assert "/static/" not in answer.text
        assert front.access.base not in answer.text
    part = client.get("/jobs", headers={"hx-request": "true"})
    assert (part.status_code, part.text.startswith('<p class="problem" role="alert">')) == (403, True)


def test_pages_that_are_not_there_and_those_that_fail_lead_back(
    front: Front, client: TestClient, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = client.get("/nothing")
    assert (answer.status_code, answer.text.count('href="/"') > 0) == (404, True)
    assert client.get("/convert").status_code == 405
    values: list[str] = []
    guard = client.app
    assert isinstance(guard, Guard)
    monkeypatch.setattr(guard, "_log", values.append)
    monkeypatch.setattr(State, "recent", property(lambda _: 1 / 0))
    failed = client.get("/", params={"folder": "secret folder"})
    assert (failed.status_code, failed.text.count('href="/"') > 0) == (500, True)
    assert "ZeroDivision" not in failed.text
    (shown,) = values
    assert shown.startswith("GET /: Traceback")
    assert "ZeroDivisionError" in shown
    assert front.access.base not in shown
    monkeypatch.setattr(State, "recent", property(lambda _: open(client.base_url.path)))  # noqa: SIM115, PTH123 - there is none
    answer = client.get("/")
    assert (answer.status_code, "No such file or directory" in answer.text) == (400, True)
    assert len(values) == 1
    assert capfd.readouterr() == ("", "")


def test_pages_have_no_script_and_no_style_inside(client: TestClient) -> None:
    for name in ("/", "/?folder=relative"):
        html = client.get(name).text.lower()
        assert html.count("<script") == html.count("<script src=") == 2
        assert "<style" not in html
        assert " style=" not in html
        assert " on" not in "".join(part.split(">")[0] for part in html.split("<")).replace(" on-", "")


def test_an_answer_longer_than_any_form_is_refused(front: Front, client: TestClient) -> None:
    headers = {**SAME, CHANGE_HEADER: front.access.change_token}
    assert client.post("/", content=b"x" * (MOST_BYTES + 1), headers=headers).status_code == 413
    for length in ("-1", "1e3", "9" * 100, "", "\N{SUPERSCRIPT TWO}"):
        refusal = refusal_of(
            Head("GET", "/", [("host", f"127.0.0.1:{PORT}"), ("content-length", length)]), PORT, Access()
        )
        assert refusal is not None
        assert refusal.status == 413


def test_what_is_no_request_for_a_page_is_closed(front: Front) -> None:
    values: list[str] = []

    async def send(message: object) -> None:
        values.append(json.dumps(message))

    async def nothing() -> dict[str, object]:
        return {}

    guard = Guard(server.application(front), access=front.access, port=PORT)
    asyncio.run(guard({"type": "websocket", "path": "/", "headers": []}, nothing, send))
    assert values == ['{"type": "websocket.close", "code": 1008}']


# A server.


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Front]:
    listener = server.listening()
    front = front_of(tmp_path)
    front.port = listener.getsockname()[1]
    with server.serving(front, listener):
        yield front


def test_the_server_is_on_loopback_alone_and_says_no_secret(served: Front, capfd: pytest.CaptureFixture[str]) -> None:
    address = server.address_of(served)
    assert address.startswith(f"http://127.0.0.1:{served.port}/start?token=")
    with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310 - our own
        assert answer.status == 200
        assert "server" not in {name.lower() for name in answer.headers}
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(address, timeout=60)  # noqa: S310 - of our own
    others = [each[4][0] for each in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
    for other in {*map(str, others)} - {"127.0.0.1"}:
        with contextlib.suppress(OSError), socket.create_connection((other, served.port), 1):
            assert other.startswith("127."), f"it answers on {other}"
    assert capfd.readouterr() == ("", "")
    assert served.access.token not in repr(served.access) + repr(vars(served)["access"])


def test_who_connects_and_dawdles_is_cut_off_and_keeps_nobody_out(
    served: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any user of this computer can connect."""
    monkeypatch.setattr(connections, "REQUEST_S", 0.3)
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 4)
    slow = [socket.create_connection(("127.0.0.1", served.port), 60) for _ in range(6)]
    slow[-1].send(b"GET / HTTP/1.1\r\nHost: ")
    slow[-2].send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nslow")
    with contextlib.suppress(ConnectionError):  # two too many: the oldest
        assert slow[0].recv(1) == b""
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"http://127.0.0.1:{served.port}/", timeout=60)
    for each in slow:
        with contextlib.suppress(ConnectionError):
            while each.recv(65536):
                pass
        each.close()


def test_a_connection_that_says_its_second_request_slowly_is_cut_off(
    served: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "REQUEST_S", 0.3)
    ask = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n".encode()
    with socket.create_connection(("127.0.0.1", served.port), 60) as slow:
        slow.send(ask + b"\r\n")
        assert b" 403 " in slow.recv(65536)
        slow.send(ask)
        with contextlib.suppress(ConnectionError):
            while slow.recv(65536):
                pass


def test_much_that_other_servers_set_as_cookies_is_read_over(served: Front) -> None:
    with urllib.request.urlopen(server.address_of(served), timeout=60) as answer:  # noqa: S310 - our own
        ours = answer.headers["set-cookie"].partition(";")[0]
    theirs = "; ".join(f"c{number}={'x' * 4000}" for number in range(60))
    address = f"http://127.0.0.1:{served.port}{served.access.base}/alive"
    request = urllib.request.Request(address, headers={"cookie": f"{theirs}; {ours}"})
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - our own
        assert answer.status == 204


def test_pictures_that_take_long_keep_no_other_page(
    served: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser asks for all pictures of a page at once, and leaves the page."""
    study, drawn, go_on = write_thin_study(tmp_path / "study"), [], threading.Event()

    def slow(image: Image) -> SimpleNamespace:
        drawn.append(image.pair.name)
        assert go_on.wait(60)
        return SimpleNamespace(png=b"PNG")

    monkeypatch.setattr("inveonimaging.reports.pictures.card_picture", slow)
    with urllib.request.urlopen(server.address_of(served), timeout=60) as answer:  # noqa: S310 - our own
        cookie = answer.headers["set-cookie"].partition(";")[0]
    scans = [urllib.parse.quote(str(each)) for each in sorted(study.glob("*.img"))]
    head = f"HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nCookie: {cookie}\r\n\r\n"
    asking = []
    for number in range(60):
        asking.append(socket.create_connection(("127.0.0.1", served.port), 60))
        asking[-1].send(f"GET {served.access.base}/picture?scan={scans[number % 2]} {head}".encode())
    while not drawn:
        time.sleep(0.01)
    with socket.create_connection(("127.0.0.1", served.port), 60) as other:
        other.send(f"GET {served.access.base}/ {head}".encode())
        assert b" 200 OK" in other.recv(65536)
    for each in asking[1:-1]:
        each.close()
    go_on.set()
    for each in (asking[0], asking[-1]):
        assert b" 200 OK" in each.recv(65536)
        each.close()
    assert len(drawn) == 2  # each scan once, whoever asks


def test_a_port_that_is_taken_is_one_line() -> None:
    with server.listening() as listener:
        port = listener.getsockname()[1]
        with pytest.raises(OutputError, match=rf"^port {port} cannot be used: .+; leave out --port$"):
            server.listening(port)


def test_no_secret_is_in_the_state(front: Front, client: TestClient, tmp_path: Path) -> None:
    client.get("/", params={"folder": str(tmp_path / "data")})
    kept = io.BytesIO(b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())).getvalue()
    for secret in (front.access.token, front.access.change_token, *client.cookies.values()):
        assert secret.encode() not in kept
