"""The accounts that the suite wants, made through the command line, and its configuration file."""

from __future__ import annotations

import configparser
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server import Server

SECTIONS: Final = {
    "s3 main": "main",
    "s3 alt": "alt",
    "s3 tenant": "tenant",
    "iam": "iam",
    "iam root": "iam-root",
    "iam alt root": "iam-alt-root",
}
TENANT: Final = "testx"
REGION: Final = "us-east-1"  # the default of the server, and where a bucket of one's own may be created again


@dataclass(frozen=True, slots=True)
class Account:
    """An account as the suite knows it. Its name is the owner's ID and DisplayName in answers."""

    name: str
    access_key: str
    secret_key: str

    @property
    def section(self) -> dict[str, str]:
        return {
            "access_key": self.access_key,
            "secret_key": self.secret_key,
            "user_id": self.name,
            "display_name": self.name,
            "email": f"{self.name}@example.com",
        }


def create_accounts(server: Server, shard: int) -> dict[str, Account]:
    """Create every account of one shard, so that shards never see each other's buckets: section → account."""
    made = {}
    for section, name in SECTIONS.items():
        account = Account(f"{name}{shard}", secrets.token_hex(10).upper(), secrets.token_hex(20))
        server.command(
            "key",
            "create",
            "--account",
            account.name,
            "--access-key",
            account.access_key,
            "--secret-key",
            account.secret_key,
        )
        made[section] = account
    return made


def write_configuration(path: Path, server: Server, accounts: dict[str, Account]) -> None:
    """Write the suite's ini file."""
    ini = configparser.RawConfigParser()
    ini["DEFAULT"] = {
        "host": server.host,
        "port": str(server.port),
        "is_secure": str(server.tls is not None),
        "ssl_verify": "False",
    }
    ini["fixtures"] = {"bucket prefix": "x-{random}-"}
    for section, account in accounts.items():
        ini[section] = account.section
    ini["s3 main"]["api_name"] = REGION
    ini["s3 main"]["lc_debug_interval"] = "10"
    ini["s3 tenant"]["tenant"] = TENANT
    with path.open("w", encoding="utf-8") as file:
        ini.write(file)
