"""Server-side request forgery: each attack is shown to reach its goal with the guard off, and to fail with it on."""

from __future__ import annotations

import http.server
import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import ClassVar
from urllib.parse import urlsplit

import pytest

from tutti.errors import CapacityError, InputError
from tutti.media import Fetcher, Limits, fetch
from tutti.media.fetch import is_outside

NAME = "images.example.com"
SECRET = b"the keys to everything"

# This machine, in notations that a resolver or a browser takes for 127.0.0.1 or ::1.
OWN = """127.0.0.1 127.0.0.2 127.1 127.0.1 127.255.255.254 0.0.0.0 0 2130706433 0x7f000001 0x7f.1 0x7f.0.0.1
0x7f.0x0.0x0.0x1 0177.0.0.1 0177.1 017700000001 127.000.000.001 00000177.0.0.1 0x0000007f.0.0.1 localhost LOCALHOST
[::1] [0:0:0:0:0:0:0:1] [0000::1] [::ffff:127.0.0.1] [::ffff:7f00:1] [0:0:0:0:0:ffff:127.0.0.1]
[::] [::127.0.0.1]""".split()
# What stands inside a network: its machines, its cloud's services, and what belongs to nobody.
INSIDE = """10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.254 192.168.0.1 192.168.1.254 100.64.0.1 100.100.100.200
169.254.169.254 169.254.170.2 169.254.0.1 168.63.129.16 192.0.0.192 192.0.2.1 198.18.0.1 198.51.100.1 203.0.113.7
224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255 0.0.0.0 0.1.2.3 127.0.0.1 127.8.8.8
::1 :: fe80::1 fe80::a9fe:a9fe fc00::1 fd00:ec2::254 fec0::1 ff02::1 2001:db8::1
::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:a9fe:a9fe ::10.0.0.1 64:ff9b::a9fe:a9fe 64:ff9b:1::a00:1 2002:7f00:1::
2002:a9fe:a9fe:: 2001:0:4136:e378:8000:63bf:3fff:fdd2 fe80::1%lo 100::1 not-an-address""".split()
# Addresses whose parts a careless reader takes for others.
ODD = [
    f"http://{NAME}@127.0.0.1/",
    f"http://{NAME}:80@127.0.0.1/",
    f"http://user:word@{NAME}/",
    f"http://127.0.0.1#@{NAME}/",
    f"http://127.0.0.1\\@{NAME}/",
    f"http://{NAME}\\.evil.example/",
    f"http://127.0.0.1/?@{NAME}",
    f"http://{NAME}.evil.example/",
    f"http://evil-{NAME}/",
    f"http://{NAME}./",
    f"http://{NAME}%2eevil.example/",
    f"http://{NAME}:8080/",
    f"http://{NAME}:99999/",
    f"http://{NAME}:x/",
    f"http://{NAME}\t/",
    f"http://{NAME}\r\nHost: evil.example/",
    f"http:///{NAME}/",
    f"ftp://{NAME}/",
    f"gopher://{NAME}/",
    f"file://{NAME}/etc/passwd",
    "http://①②⑦.⓪.⓪.①/",
    "http://127。0。0。1/",
    "http://ｉmages.example.com/",
    "http://127.0.0.1.nip.io/",
    "http://localtest.me/",
    "http://[::ffff:127.0.0.1/",
    "http://",
    "http:",
    "https:images.example.com",
    "http://metadata.google.internal/",
]


class Neighbour(http.server.BaseHTTPRequestHandler):
    """A service of this machine that answers whoever reaches it."""

    answers: ClassVar[dict[str, tuple[int, dict[str, str], bytes]]] = {}
    asked: ClassVar[list[tuple[str, str | None]]] = []

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("host")))
        status, headers, body = self.answers.get(self.path, (200, {}, SECRET))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "content-length" not in headers:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    Neighbour.answers, Neighbour.asked = {}, []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Neighbour) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def fetcher(port: int, address: str = "127.0.0.1", *, inside: bool = False, limits: Limits = Limits()) -> Fetcher:  # noqa: B008
    return Fetcher([f"{NAME}:{port}"], limits, resolve=lambda *_: [address], inside=inside, seconds=5)


def reached(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Addresses that would have been connected to."""
    seen: list[str] = []

    def connect(address: str, port: int, seconds: float) -> socket.socket:
        seen.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(fetch, "connect", connect)
    return seen


def careless(host: str, port: int) -> bytes:
    """What is read by somebody who connects to whatever a host is taken for, as most clients do."""
    address = socket.getaddrinfo(host, port, family=socket.AF_INET, type=socket.SOCK_STREAM)[0][4][0]
    assert ipaddress.ip_address(address).is_loopback or address == "0.0.0.0"  # which connects to this machine, too
    with socket.create_connection(("127.0.0.1", port), timeout=2) as line:
        line.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return line.makefile("rb").read()


def test_there_are_sixty_of_them_and_more() -> None:
    assert len({*OWN, *INSIDE, *ODD}) >= 100


@pytest.mark.parametrize("host", [host for host in OWN if ":" not in host])
def test_this_machine_in_every_notation(host: str, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert careless(host, port).endswith(SECRET)
    seen = reached(monkeypatch)
    with pytest.raises(InputError, match="not allowed here"):
        fetcher(port).fetch(f"http://{host}:{port}/")
    assert seen == []


@pytest.mark.parametrize("host", [host for host in OWN if ":" in host])
def test_this_machine_in_longer_addresses(host: str, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ipaddress.ip_address(host.strip("[]"))
    seen = reached(monkeypatch)
    with pytest.raises(InputError, match="not allowed here"):
        fetcher(port).fetch(f"http://{host}:{port}/")
    assert seen == []


@pytest.mark.parametrize("address", INSIDE)
def test_an_allowed_name_that_leads_inside(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = reached(monkeypatch)
    with pytest.raises(InputError, match="cannot be fetched: ConnectionRefusedError"):
        fetcher(80, address, inside=True).fetch(f"http://{NAME}/")
    assert seen == [address], "with the guard off the connection is made"
    with pytest.raises(InputError, match="not on the public internet"):
        fetcher(80, address).fetch(f"http://{NAME}/")
    assert seen == [address]


@pytest.mark.parametrize("url", ODD)
def test_addresses_that_are_read_in_two_ways(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = reached(monkeypatch)
    with pytest.raises(InputError):
        Fetcher([NAME], Limits(), resolve=lambda *_: ["93.184.216.34"]).fetch(url)
    assert seen == []


def test_public_addresses_are_outside() -> None:
    assert all(is_outside(text) for text in ("93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946"))
    assert not any(is_outside(text) for text in INSIDE)


def test_one_address_inside_among_several_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = reached(monkeypatch)
    two = Fetcher([NAME], Limits(), resolve=lambda *_: ["93.184.216.34", "10.0.0.1"])
    with pytest.raises(InputError, match="not on the public internet"):
        two.fetch(f"http://{NAME}/")
    assert seen == []


class AskingTwice(Fetcher):
    """Checks the addresses of a name, and has the connection ask for them again, as most clients do."""

    def _connected(self, hop: fetch._Hop, deadline: float) -> socket.socket:
        self._address(hop)
        return fetch.connect(self._resolve(hop.host, hop.port)[0], hop.port, 2)


def test_a_name_that_is_bound_anew_between_check_and_connection(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rebinding: the name is outside when it is checked and inside when it is asked again."""

    def turning() -> Callable[..., list[str]]:
        answers = iter(["93.184.216.34", "127.0.0.1"])
        return lambda *_: [next(answers)]

    url = f"http://{NAME}:{port}/"
    assert AskingTwice([f"{NAME}:{port}"], Limits(), resolve=turning()).fetch(url) == SECRET
    seen = reached(monkeypatch)
    with pytest.raises(InputError, match="ConnectionRefusedError"):
        Fetcher([f"{NAME}:{port}"], Limits(), resolve=turning()).fetch(url)
    assert seen == ["93.184.216.34"], "it is resolved once, and the connection goes where the check looked"


def test_with_the_guard_off_the_neighbour_is_reached_by_name(port: int) -> None:
    assert fetcher(port, inside=True).fetch(f"http://{NAME}:{port}/a?b=c") == SECRET
    assert Neighbour.asked == [("/a?b=c", f"{NAME}:{port}")]
    with pytest.raises(InputError, match="not on the public internet"):
        fetcher(port).fetch(f"http://{NAME}:{port}/a")
    assert len(Neighbour.asked) == 1


class CheckingOnce(Fetcher):
    """Checks what a client sends, and then follows wherever it is led."""

    def _checked(self, url: str) -> fetch._Hop:
        try:
            return super()._checked(url)
        except InputError:
            parts = urlsplit(url)
            if not Neighbour.asked or parts.scheme != "http" or not parts.port:
                raise
            return fetch._Hop("http", parts.hostname or "", parts.port, parts.path)


@pytest.mark.parametrize("goal", ["http://127.0.0.1:{port}/secret", "http://localhost:{port}/secret"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_elsewhere(port: int, goal: str, status: int) -> None:
    Neighbour.answers["/"] = (status, {"location": goal.format(port=port)}, b"")
    url = f"http://{NAME}:{port}/"
    once = CheckingOnce([f"{NAME}:{port}"], Limits(), resolve=lambda *_: ["127.0.0.1"], inside=True, seconds=5)
    assert once.fetch(url) == SECRET
    Neighbour.asked.clear()
    with pytest.raises(InputError, match="not allowed here"):
        fetcher(port, inside=True).fetch(url)
    assert [path for path, _ in Neighbour.asked] == ["/"]


@pytest.mark.parametrize("goal", ["//127.0.0.1/", "file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1:70/"])
def test_a_redirect_to_what_is_no_address_of_the_web(port: int, goal: str) -> None:
    Neighbour.answers["/"] = (302, {"location": goal}, b"")
    with pytest.raises(InputError):
        fetcher(port, inside=True).fetch(f"http://{NAME}:{port}/")
    assert [path for path, _ in Neighbour.asked] == ["/"]


def test_a_redirect_within_the_domain_whose_name_leads_inside_by_then(port: int) -> None:
    """The first hop is outside in the eyes of the resolver, the second, of the same name, inside."""
    Neighbour.answers["/"] = (302, {"location": "/secret"}, b"")

    class Outside(Fetcher):
        """Takes this machine for one outside, so that the first hop can be made."""

        def _connected(self, hop: fetch._Hop, deadline: float) -> socket.socket:
            self._address(hop)
            return fetch.connect("127.0.0.1", hop.port, 2)

    def turning(inside: bool) -> Fetcher:
        addresses = iter(["93.184.216.34", "10.0.0.1"])
        return Outside([f"{NAME}:{port}"], Limits(), resolve=lambda *_: [next(addresses)], inside=inside, seconds=5)

    url = f"http://{NAME}:{port}/"
    assert turning(inside=True).fetch(url) == SECRET
    Neighbour.asked.clear()
    with pytest.raises(InputError, match="not on the public internet"):
        turning(inside=False).fetch(url)
    assert [path for path, _ in Neighbour.asked] == ["/"]


def test_redirects_within_the_domain_are_followed_but_not_forever(port: int) -> None:
    Neighbour.answers["/"] = (302, {"location": "/picture"}, b"")
    assert fetcher(port, inside=True).fetch(f"http://{NAME}:{port}/") == SECRET
    Neighbour.answers["/picture"] = (302, {"location": "/"}, b"")
    with pytest.raises(InputError, match="leads on more than 3 times"):
        fetcher(port, inside=True).fetch(f"http://{NAME}:{port}/")
    assert len(Neighbour.asked) == 2 + 4


def test_too_much_is_noticed_by_the_header_and_on_the_way(port: int) -> None:
    Neighbour.answers["/said"] = (200, {"content-length": "999999999999"}, b"")
    Neighbour.answers["/unsaid"] = (200, {"content-length": "", "connection": "close"}, bytes(5000))
    small = fetcher(port, inside=True, limits=Limits(max_bytes=1000))
    for path in ("said", "unsaid"):
        with pytest.raises(CapacityError, match="the limit is 1,000"):
            small.fetch(f"http://{NAME}:{port}/{path}")
    assert fetcher(port, inside=True).fetch(f"http://{NAME}:{port}/unsaid") == bytes(5000)


def test_what_is_packed_is_refused(port: int) -> None:
    Neighbour.answers["/"] = (200, {"content-encoding": "gzip"}, b"")
    with pytest.raises(InputError, match="where a medium was expected"):
        fetcher(port, inside=True).fetch(f"http://{NAME}:{port}/")


def test_a_byte_at_a_time_ends_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            line, _ = listener.accept()
            with line:
                for _ in range(200):
                    try:
                        line.sendall(b"H")
                    except OSError:
                        return
                    time.sleep(0.05)

        thread = threading.Thread(target=drip)
        thread.start()
        port = listener.getsockname()[1]
        slow = Fetcher([f"{NAME}:{port}"], Limits(), resolve=lambda *_: ["127.0.0.1"], inside=True, seconds=0.5)
        begun = time.monotonic()
        with pytest.raises((InputError, CapacityError)):
            slow.fetch(f"http://{NAME}:{port}/")
        assert time.monotonic() - begun < 5
        thread.join()


@pytest.mark.parametrize(
    "domain", ["*", "127.0.0.1", "localhost", "", "com", "http://a.example.com", "a.example.com:x", "::1"]
)
def test_what_is_no_domain_cannot_be_allowed(domain: str) -> None:
    with pytest.raises(InputError, match="no domain to fetch media from"):
        Fetcher([domain], Limits())


def test_a_dot_before_a_domain_allows_what_is_below(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = reached(monkeypatch)
    below = Fetcher([".example.com"], Limits(), resolve=lambda *_: ["93.184.216.34"])
    for host in ("example.com", "a.example.com", "a.b.example.com"):
        with pytest.raises(InputError, match="ConnectionRefused"):
            below.fetch(f"https://{host}/")
    with pytest.raises(InputError, match="not allowed"):
        below.fetch("https://notexample.com/")
    assert len(seen) == 3
