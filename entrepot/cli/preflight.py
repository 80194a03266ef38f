"""What has to hold before a server can start, told in one line when it does not."""

from __future__ import annotations

import errno
import socket
import ssl
from pathlib import Path

from entrepot.config import Config
from entrepot.errors import ConfigInvalid


def check_tls(certificate: Path, key: Path) -> None:
    """Raises ConfigInvalid unless both files can be read and belong together."""
    for name, path in (("tls_certificate", certificate), ("tls_key", key)):
        try:
            path.read_bytes()
        except OSError as error:
            raise ConfigInvalid(name, path, f"{path} cannot be read: {error.strerror}") from error
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ConfigInvalid("tls_key", key, f"{key} is not the key of the certificate {certificate}") from error
        hint = f"{certificate} and {key} are no certificate and key in PEM form ({error.reason or 'unreadable'})"
        raise ConfigInvalid("tls_certificate", certificate, hint) from error


def _no_password() -> str:
    # Without it OpenSSL would ask on the terminal, and a server would stand there for ever.
    raise ConfigInvalid("tls_key", None, "the key is locked with a password; the server needs it in clear")


def check_port(config: Config) -> str:
    """Try to listen where the server will; returns ``host:port``, with a free port for port 0.

    The socket is closed again, and bound by the server a moment later without asking whether it
    shares the port: so two servers on one port are told apart here or nowhere. Raises ConfigInvalid.
    """
    host, port = config.address
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
            bound_host, bound_port = probe.getsockname()[:2]
    except socket.gaierror as error:
        raise ConfigInvalid("listen", config.listen, f"{host} is no host that is known here") from error
    except OSError as error:
        raise ConfigInvalid("listen", config.listen, _reason(config.listen, error)) from error
    return f"[{bound_host}]:{bound_port}" if family == socket.AF_INET6 else f"{bound_host}:{bound_port}"


def _reason(listen: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{listen} is in use: stop the other server, or choose another port with --listen or ENTREPOT_LISTEN"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{listen} is no address of this host"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{listen} may not be used by this user: ports below 1024 are for root"
    return f"{listen} cannot be listened on: {error.strerror}"
