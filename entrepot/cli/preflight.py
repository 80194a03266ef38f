"""What has to hold before a server can start, told in one line when it does not."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from dataclasses import replace
from pathlib import Path

from entrepot.config import Listener
from entrepot.errors import ConfigInvalid


def check_tls(certificate: Path, key: Path) -> None:
    """Raises ConfigInvalid unless both files can be read and belong together."""
    from entrepot.serving.tls import KeyLocked, load

    for name, path in (("tls_certificate", certificate), ("tls_key", key)):
        try:
            path.read_bytes()
        except OSError as error:
            raise ConfigInvalid(name, path, f"{path} cannot be read: {error.strerror}") from error
    try:
        load(certificate, key)
    except KeyLocked as error:
        raise ConfigInvalid("tls_key", None, error.args[0]) from error
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ConfigInvalid("tls_key", key, f"{key} is not the key of the certificate {certificate}") from error
        hint = f"{certificate} and {key} are no certificate and key in PEM form ({error.reason or 'unreadable'})"
        raise ConfigInvalid("tls_certificate", certificate, hint) from error


def check_listener(listener: Listener) -> Listener:
    """Try to listen where the server will; returns the listener, with a free port for port 0.

    The socket is closed again, and bound by the server a moment later without asking whether it
    shares the port: so two servers on one port are told apart here or nowhere. Raises ConfigInvalid.
    """
    if listener.path is not None:
        _check_unix(listener, listener.path)
        return listener
    host, port = listener.host_and_port
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
            bound_host, bound_port = probe.getsockname()[:2]
    except socket.gaierror as error:
        raise ConfigInvalid("listen", listener.address, f"{host} is no host that is known here") from error
    except OSError as error:
        raise ConfigInvalid("listen", listener.address, _reason(listener.address, error)) from error
    bound = f"[{bound_host}]:{bound_port}" if family == socket.AF_INET6 else f"{bound_host}:{bound_port}"
    return replace(listener, address=bound)


def _check_unix(listener: Listener, path: Path) -> None:
    """Somebody may listen there, or something else may be in the way; a socket that was left behind is not."""
    from entrepot.serving.sockets import is_answering

    hint = ""
    try:
        if path.is_socket() and is_answering(path):
            hint = _reason(listener.address, OSError(errno.EADDRINUSE, ""))
        elif path.exists() and not path.is_socket():
            hint = f"{path} is there, and is no socket"
        elif not os.access(path.parent, os.W_OK):
            hint = f"{path.parent} is no directory that this user may write to"
    except OSError as error:
        hint = f"{path} cannot be looked at: {error.strerror}"
    if hint:
        raise ConfigInvalid("listen", listener.address, hint)


def _reason(listen: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{listen} is in use: stop the other server, or choose another port with --listen or ENTREPOT_LISTEN"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{listen} is no address of this host"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{listen} may not be used by this user: ports below 1024 are for root"
    return f"{listen} cannot be listened on: {error.strerror}"
