"""Where a server listens: the tables ``[[listen]]``."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from msgspec import Meta

from entrepot.errors import ConfigInvalid

UNIX: Final = "unix:"
"""What the address of a Unix socket begins with; among trusted proxies, whoever reaches such a socket."""

_PREFIX: Final = re.compile(r"(/[!$-.0-;=@-Z_a-z~]+)+")
_TCP: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\]/]+)):(\d{1,5})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A table ``[[listen]]``: one address, and what is to be had there."""

    address: Annotated[
        str,
        Meta(description="`host:port`, or `unix:/path` for a Unix socket", extra={"default": "has to be set"}),
    ]
    doors: Annotated[
        tuple[str, ...], Meta(description="the doors that answer here", extra={"default": "all that are open"})
    ] = ()
    tls_certificate: Annotated[
        Path | None,
        Meta(
            description="PEM file of the certificate chain, with `tls_key`; it is read again when it changes",
            extra={"default": "that of the top, but for a Unix socket"},
        ),
    ] = None
    tls_key: Annotated[
        Path | None, Meta(description="PEM file of the certificate's private key", extra={"default": "as above"})
    ] = None
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(
            description="networks (`10.0.0.0/8`) from which forwarded fields are believed; "
            "`unix` is every client of a Unix socket"
        ),
    ] = ()
    forwarded_by: Annotated[
        Literal["x-forwarded", "forwarded"],
        Meta(description="which fields they set: `X-Forwarded-For`, `-Proto`, `-Host` and `-Prefix`, or `Forwarded`"),
    ] = "x-forwarded"
    forwarded_prefixes: Annotated[
        tuple[str, ...],
        Meta(description="what they may take from the beginning of a path (`/s3`), and tell with `X-Forwarded-Prefix`"),
    ] = ()

    @property
    def path(self) -> Path | None:
        """The file of a Unix socket."""
        return Path(self.address.removeprefix(UNIX)) if self.address.startswith(UNIX) else None

    @property
    def host_and_port(self) -> tuple[str, int]:
        """Of a TCP address, the host without brackets. Raises ConfigInvalid."""
        match = _TCP.fullmatch(self.address)
        if match is None or int(match[3]) > 0xFFFF:
            hint = f"{self.address!r} is not host:port, as 127.0.0.1:9000 and [::1]:9000 are, nor unix:/path"
            raise ConfigInvalid("listen", self.address, hint)
        return match[1] or match[2], int(match[3])

    @property
    def tls(self) -> tuple[Path, Path] | None:
        """Certificate and key, if it speaks TLS."""
        return None if self.tls_certificate is None or self.tls_key is None else (self.tls_certificate, self.tls_key)

    def check(self) -> None:
        """Raises ConfigInvalid for what cannot be."""
        if self.path is None:
            _ = self.host_and_port
        elif not self.path.name or len(str(self.path).encode()) > 107:  # sun_path of unix(7)
            raise ConfigInvalid("listen", self.address, f"{self.address!r} names no file that a Unix socket can be")
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ConfigInvalid("listen", None, f"{self.address}: tls_certificate and tls_key go together")
        for network in self.trusted_proxies:
            _check_network(network)
        for prefix in self.forwarded_prefixes:
            if not _PREFIX.fullmatch(prefix):
                raise ConfigInvalid("listen", prefix, f"forwarded_prefixes: {prefix!r} is not the beginning of a path")


def _check_network(text: str) -> None:
    if text == UNIX.rstrip(":"):
        return
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        raise ConfigInvalid("listen", text, f"trusted_proxies: {text!r} is no network: {error}") from error
