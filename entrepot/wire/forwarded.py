"""What a proxy in front tells of a request: who sent it, by which scheme, to which host, below which path.

Fields of two families say so: ``Forwarded`` (RFC 7239), and ``X-Forwarded-For``, ``-Proto``, ``-Host`` and ``-Prefix``.
Anybody can send them, so one family is read, of proxies that are trusted; each proxy adds to the right what it
saw itself, so they are read from the right for as long as the sender is a trusted proxy. Few proxies set a prefix, and
the others hand on what clients wrote; and with a prefix of one's choice the signature for ``/a/b/c`` is one for
``/b/c``. So prefixes are told in the configuration, and no other is believed.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from entrepot.wire.http import Headers, Request

UNIX: Final = "unix"
"""Among networks: whoever connects to a Unix socket, who has no address."""

_HOST: Final = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")
_OBFUSCATED: Final = re.compile(r"unknown|_[A-Za-z0-9._-]+")
_PAIR: Final = re.compile(
    r"""[ \t]*([A-Za-z]+)=(?:([!#$%&'*+.^_`|~0-9A-Za-z:\[\]-]+)|"((?:[^"\\]|\\.)*)")[ \t]*([;,]|$)"""
)


class Hop(NamedTuple):
    """What one proxy saw; empty where it does not say."""

    client: str = ""
    scheme: str = ""
    host: str = ""


_ADDRESS_CHARACTERS: Final = 64
"""More than any address has: a longer one is none, and nothing long is remembered of what anybody may send."""


class Proxies:
    """The trusted networks, how to read what proxies there say (``x-forwarded`` or ``forwarded``), and the prefixes
    that they may take away.
    """

    def __init__(self, networks: Sequence[str], family: str, prefixes: Sequence[str] = ()) -> None:
        self._networks = [ipaddress.ip_network(network) for network in networks if network != UNIX]
        self._unix = UNIX in networks
        self._read: Callable[[Headers], list[Hop]] = read_forwarded if family == "forwarded" else read_x_forwarded
        self._prefixes = frozenset(prefixes) if family != "forwarded" else frozenset()
        self._trusts = lru_cache(maxsize=1024)(self._is_within)

    def apply(self, request: Request) -> None:
        """Make of a request what its client sent, if a trusted proxy says what that was."""
        if not (self._unix if request.client == "" else self._trusts(request.client)):
            return
        for hop in reversed(self._read(request.headers)):
            request.scheme = hop.scheme or request.scheme
            if hop.host:
                others = [field for field in request.headers.raw if field[0] != b"host"]
                request.headers = Headers([(b"host", hop.host.encode()), *others])
            if hop.client:
                request.client = hop.client
            if not self._trusts(hop.client[:_ADDRESS_CHARACTERS]):
                break
        if self._prefixes:
            self._add_prefix(request)

    def _is_within(self, client: str) -> bool:
        try:
            address = ipaddress.ip_address(client)
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._networks)

    def _add_prefix(self, request: Request) -> None:
        """The path as it was before the proxy took a prefix away, which clients have signed."""
        prefix = (request.headers.get("x-forwarded-prefix") or "").rstrip("/")
        if prefix in self._prefixes:
            request.mount = prefix.encode()
            request.raw_path = request.mount + request.raw_path


def read_x_forwarded(headers: Headers) -> list[Hop]:
    """The hops from the first to the last. What a proxy says only once, or not for all hops, is about the last ones."""
    clients, schemes, hosts = (_listed(headers, f"x-forwarded-{name}") for name in ("for", "proto", "host"))
    length = max(len(clients), len(schemes), len(hosts))
    padded = ([""] * (length - len(each)) + each for each in (clients, schemes, hosts))
    return [_hop(*values) for values in zip(*padded, strict=True)]


def read_forwarded(headers: Headers) -> list[Hop]:
    """The hops from the first to the last; none when the field is not well formed (RFC 7239 §4)."""
    hops: list[dict[str, str]] = [{}]
    text, at = ",".join(headers.all("forwarded")), 0
    while at < len(text):
        pair = _PAIR.match(text, at)
        if pair is None:
            return []
        hops[-1][pair[1].lower()] = pair[2] if pair[2] is not None else re.sub(r"\\(.)", r"\1", pair[3])
        if pair[4] == ",":
            hops.append({})
        at = pair.end()
    return [_hop(hop.get("for", ""), hop.get("proto", ""), hop.get("host", "")) for hop in hops if hop]


def _listed(headers: Headers, name: str) -> list[str]:
    return [word.strip() for value in headers.all(name) for word in value.split(",")]


def _hop(client: str, scheme: str, host: str) -> Hop:
    scheme = scheme.lower()
    return Hop(parse_node(client), scheme if scheme in ("http", "https") else "", host if _HOST.fullmatch(host) else "")


def parse_node(text: str) -> str:
    """The address in ``192.0.2.1``, ``192.0.2.1:80``, ``2001:db8::1``, ``[2001:db8::1]:80``; a word that stands for one
    (RFC 7239 §6) as it is; '' for anything else.
    """
    if _OBFUSCATED.fullmatch(text):
        return text
    bare = text[1:].partition("]")[0] if text[:1] == "[" else text.partition(":")[0] if text.count(":") == 1 else text
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        return ""
