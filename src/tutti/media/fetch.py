"""Media from other machines: off unless domains are named, and then never from the inside of one's own network.

A name is resolved once, every address it has is checked, and the connection goes to the address that was checked: a
name that resolves anew (rebinding) changes nothing. Each hop of a redirect is checked from the start. Sources: the
OWASP cheat sheet on server-side request forgery; registries of special addresses: RFC 6890, RFC 4291, RFC 6052.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from tutti.errors import CapacityError, InputError
from tutti.media.limits import Limits

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]
"""From a name and a port to all its addresses."""

_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,62})(\.[a-z0-9-]{1,63})*\.[a-z][a-z0-9-]*")
"""A name in lower-case letters, digits and hyphens, whose last word is no number: never an address in any notation."""
_PORTS = {"http": 80, "https": 443}
_MOST_HOPS = 4
_PIECE = 1 << 16
_SPECIAL = [
    ipaddress.ip_network(text)
    for text in (
        "168.63.129.16/32",
        "192.0.0.0/24",
        "::/96",
        "::ffff:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2001::/32",
        "2002::/16",
        "fec0::/10",
    )
]
"""What `is_global` lets pass: services of clouds on a machine's own network (Azure's, Oracle's), and IPv6 networks that
carry IPv4 addresses inside or are deprecated. None of them is where media live."""


@dataclass(frozen=True, slots=True)
class _Hop:
    """An address of the web that passed all checks of its form."""

    scheme: str
    host: str
    port: int
    target: str


class Fetcher:
    """Fetches media from domains that were named.

    Args:
        domains: Names such as `images.example.com`; with a dot before it, all names that end so, too; with `:PORT`
            behind it, that port rather than 80 and 443.
        limits: Budget of bytes.
        seconds: Longest that all of a fetch may take.
        resolve: From a name to its addresses; the system's when not given.
        inside: Whether addresses inside one's own network are allowed; for tests.

    Raises:
        InputError: A domain is no name.
    """

    def __init__(
        self,
        domains: Iterable[str],
        limits: Limits,
        *,
        seconds: float = 20.0,
        resolve: Resolve | None = None,
        inside: bool = False,
    ) -> None:
        self._domains = [_domain(text) for text in domains]
        self._limits, self._seconds, self._inside = limits, seconds, inside
        self._resolve = resolve or _system_addresses

    def fetch(self, url: str) -> bytes:
        """The content at an address.

        Raises:
            InputError: The address is not allowed, or what is there cannot be had.
            CapacityError: It has more bytes than allowed, or comes too slowly.
        """
        deadline = time.monotonic() + self._seconds
        scheme = ""
        for _ in range(_MOST_HOPS):
            hop = self._checked(url)
            if scheme == "https" and hop.scheme == "http":
                raise InputError("The remote address leads from https to http, which is not followed.")
            scheme = hop.scheme
            try:
                content, onward = self._get(hop, deadline)
            except (OSError, http.client.HTTPException) as error:
                raise InputError(f"The medium at {hop.host} cannot be fetched: {type(error).__name__}.") from None
            if onward is None:
                return content
            url = urljoin(url, onward)
        raise InputError(f"The remote address leads on more than {_MOST_HOPS - 1} times; give the last address.")

    def _checked(self, url: str) -> _Hop:
        """The address in its parts, if its form is plain and its domain was named."""
        if not url.isascii() or not url.isprintable() or " " in url or "\\" in url or len(url) > 4096:
            raise InputError("The remote address holds characters that no address has; expected plain ASCII.")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise InputError("The remote address cannot be read; expected https://NAME/PATH.") from None
        if parts.scheme not in _PORTS or parts.username is not None or parts.password is not None:
            raise InputError("The remote address is not of the form https://NAME/PATH.")
        host = (parts.hostname or "").lower()
        if not _NAME.fullmatch(host) or not self._allowed(host, port, _PORTS[parts.scheme]):
            raise InputError(
                f"Media from {host[:80]!r} are not allowed here; allowed are those that the server was started with "
                "(--allow-media-domain)."
            )
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return _Hop(parts.scheme, host, port or _PORTS[parts.scheme], target)

    def _allowed(self, host: str, port: int | None, usual: int) -> bool:
        for name, only_port in self._domains:
            fits = host.endswith(name) or host == name[1:] if name.startswith(".") else host == name
            if fits and (port or usual) == (only_port or usual):
                return True
        return False

    def _get(self, hop: _Hop, deadline: float) -> tuple[bytes, str | None]:
        """The content, or where it leads on."""
        with self._connected(hop, deadline) as line, _cut_off(line, deadline):
            connection = http.client.HTTPConnection(hop.host, hop.port)
            connection.sock = line
            headers = {"User-Agent": "tutti", "Accept": "image/*, audio/*, video/*", "Accept-Encoding": "identity"}
            connection.request("GET", hop.target, headers=headers)
            response = connection.getresponse()
            if response.status in (301, 302, 303, 307, 308):
                onward = response.getheader("location")
                if not onward:
                    raise InputError(f"{hop.host} leads on to nowhere; give the last address.")
                return b"", onward
            if response.status != 200 or response.getheader("content-encoding", "identity") != "identity":
                raise InputError(f"{hop.host} answered with status {response.status} where a medium was expected.")
            return self._read(response, hop.host, deadline), None

    def _connected(self, hop: _Hop, deadline: float) -> socket.socket:
        address = self._address(hop)
        line = connect(address, hop.port, _left(deadline))
        try:
            if not self._inside and line.getsockname()[0] == line.getpeername()[0]:
                raise _inward(hop.host)  # this machine, by its public address
            return (
                line
                if hop.scheme == "http"
                else ssl.create_default_context().wrap_socket(line, server_hostname=hop.host)
            )
        except BaseException:
            line.close()
            raise

    def _address(self, hop: _Hop) -> str:
        """The one address that is connected to; all that the name has must be outside."""
        try:
            addresses = list(self._resolve(hop.host, hop.port))
        except OSError:
            addresses = []
        if not addresses:
            raise InputError(f"The name {hop.host} has no address; check it.")
        if not self._inside and not all(is_outside(address) for address in addresses):
            raise _inward(hop.host)
        return addresses[0]

    def _read(self, response: http.client.HTTPResponse, host: str, deadline: float) -> bytes:
        name = f"The medium at {host}"
        length = response.getheader("content-length", "")
        if length.isascii() and length.isdigit():
            self._limits.check_bytes(name, int(length[:18]))
        content = bytearray()
        while True:
            _left(deadline)
            piece = response.read1(_PIECE)
            if not piece:
                return bytes(content)
            content += piece
            self._limits.check_bytes(name, len(content))


def connect(address: str, port: int, seconds: float) -> socket.socket:
    """Connect to an address, never to a name."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    line = socket.socket(family, socket.SOCK_STREAM)
    try:
        line.settimeout(seconds)
        line.connect((address, port))
    except BaseException:
        line.close()
        raise
    return line


@contextlib.contextmanager
def _cut_off(line: socket.socket, deadline: float) -> Iterator[None]:
    """Shut a connection down at the deadline: a time for each read would let a byte at a time take forever."""

    def shut() -> None:
        with contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(_left(deadline), shut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def is_outside(text: str) -> bool:
    """Whether an address belongs to the public internet: not to this machine, its network, its cloud, or nobody."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:  # scoped to an interface, or no address at all
        return False
    if any(address.version == network.version and address in network for network in _SPECIAL):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _domain(text: str) -> tuple[str, int | None]:
    name, colon, port = text.strip().lower().partition(":")
    if not _NAME.fullmatch(name.removeprefix(".")) or (colon and not port.isdigit()):
        raise InputError(f"{text!r} is no domain to fetch media from; expected a name such as images.example.com.")
    return name, int(port) if port else None


def _system_addresses(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def _inward(host: str) -> InputError:
    return InputError(f"The name {host} leads to an address that is not on the public internet; it is not fetched.")


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise CapacityError("The medium at a remote address took too long to come; use a faster one, or send it whole.")
    return left
