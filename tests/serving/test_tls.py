"""HTTPS by two settings."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import pytest

from tests.server import Server, make_certificate
from tests.serving.raw import Wire, head


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("tls")
    with Server(folder / "data", tls=make_certificate(folder)) as server:
        yield server


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions_of_tls(secure: Server, version: ssl.TLSVersion) -> None:
    context = ssl.create_default_context(cafile=secure.ca)
    context.minimum_version = context.maximum_version = version
    with Wire(secure, context) as wire:
        assert isinstance(wire.socket, ssl.SSLSocket)
        assert wire.socket.version() == version.name.replace("_", ".")
        for _ in range(2):
            wire.send(head("GET", "/health", [("host", "a")]))
            assert wire.answer().status == 200


def test_older_versions_are_refused(secure: Server) -> None:
    context = ssl.create_default_context(cafile=secure.ca)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        Wire(secure, context)


def test_plain_http_on_the_port_of_https_ends_and_hurts_nobody(secure: Server) -> None:
    with Wire(secure) as wire:
        wire.send(head("GET", "/health", [("host", "a")]))
        wire.ended()
    with Wire(secure, ssl.create_default_context(cafile=secure.ca)) as wire:
        wire.send(head("GET", "/health", [("host", "a")]))
        assert wire.answer().status == 200
