"""Settings that come from where a server is put: its addresses, and variables that others set there."""

from __future__ import annotations

from pathlib import Path

import pytest

from entrepot.config import Listener, load
from entrepot.errors import ConfigInvalid


def test_listeners_are_tables_or_a_list_of_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    toml = """
        tls_certificate = "top.pem"
        tls_key = "top.key"
        [[listen]]
        address = "0.0.0.0:9000"
        doors = ["s3"]
        trusted_proxies = "10.0.0.0/8, unix"
        [[listen]]
        address = "unix:/run/entrepot.sock"
        forwarded_by = "forwarded"
        [[listen]]
        address = "[::1]:9001"
        tls_certificate = "own.pem"
        tls_key = "own.key"
    """
    Path("entrepot.toml").write_text(toml)
    loaded = load({}, {})
    first, second, third = loaded.config.listeners
    assert (first.doors, first.trusted_proxies) == (("s3",), ("10.0.0.0/8", "unix"))
    assert first.tls == (Path("top.pem"), Path("top.key"))
    assert (second.path, second.tls, second.forwarded_by) == (Path("/run/entrepot.sock"), None, "forwarded")
    assert (third.host_and_port, third.tls) == (("::1", 9001), (Path("own.pem"), Path("own.key")))
    assert {row.source for row in loaded.settings if row.name == "listen"} == {"entrepot.toml"}
    addresses = load({}, {"ENTREPOT_LISTEN": "127.0.0.1:1, unix:/a"}).config.listeners
    assert [each.address for each in addresses] == ["127.0.0.1:1", "unix:/a"]


def test_what_kubernetes_and_docker_inject_beside_a_service_of_our_name_is_passed_by() -> None:
    injected = {
        "ENTREPOT_PORT": "tcp://10.0.0.1:9000", "ENTREPOT_SERVICE_HOST": "10.0.0.1", "ENTREPOT_SERVICE_PORT": "9000",
        "ENTREPOT_SERVICE_PORT_HTTP": "9000", "ENTREPOT_PORT_9000_TCP": "tcp://10.0.0.1:9000",
        "ENTREPOT_PORT_9000_TCP_PROTO": "tcp", "ENTREPOT_PORT_9000_TCP_PORT": "9000",
        "ENTREPOT_PORT_9000_TCP_ADDR": "10.0.0.1", "ENTREPOT_S3_SERVICE_HOST": "fd00::1",
        "ENTREPOT_S3_PORT": "tcp://[fd00::1]:9000", "ENTREPOT_PORT_53_UDP_ADDR": "10.0.0.1",
        "ENTREPOT_NAME": "/app/entrepot", "ENTREPOT_ENV_PATH": "/bin",
    }  # fmt: skip
    loaded = load({}, injected | {"ENTREPOT_LISTEN": "127.0.0.1:1", "PATH": "/bin"})
    assert loaded.passed_by == tuple(sorted(injected))
    assert loaded.config.listen == (Listener(address="127.0.0.1:1"),)


@pytest.mark.parametrize(("name", "value"), [
    ("ENTREPOT_PORT", "9000"), ("ENTREPOT_PORT", ""), ("ENTREPOT_SERVICE_HOST", "a.example"),
    ("ENTREPOT_NAME", "store"), ("ENTREPOT_HOST", "10.0.0.1"), ("ENTREPOT_PORT_TCP", "tcp://10.0.0.1:9000"),
])  # fmt: skip
def test_what_only_looks_injected_is_unknown(name: str, value: str) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        load({}, {name: value})
    assert refused.value.name == name
