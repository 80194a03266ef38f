"""Garage as a single node without replicas, when a binary is on PATH. Its defaults do not sync writes."""

from __future__ import annotations

import secrets
import subprocess
from pathlib import Path

from bench.presign import REGION
from bench.processes import free_ports
from bench.servers.running import Launch, NotStarted, Running, Site, find_program, require_program

_CONFIGURATION = """\
metadata_dir = "{meta}"
data_dir = "{data}"
db_engine = "lmdb"
replication_factor = 1
rpc_bind_addr = "127.0.0.1:{rpc}"
rpc_public_addr = "127.0.0.1:{rpc}"
rpc_secret = "{secret}"

[s3_api]
s3_region = "{region}"
api_bind_addr = "127.0.0.1:{port}"
root_domain = ".s3.localhost"
"""


class Garage:
    name = "garage"

    def missing(self) -> str | None:
        return None if find_program("garage") else "garage is not on PATH"

    def version(self) -> str:
        command = [require_program("garage"), "--version"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        words = done.stdout.split()
        return words[1] if len(words) > 1 else "unknown"

    def launch(self, site: Site) -> Launch:
        port, rpc = free_ports(2)
        configuration = _configuration_file(site.directory)
        configuration.write_text(
            _CONFIGURATION.format(
                meta=site.directory / "meta",
                data=site.data,
                rpc=rpc,
                port=port,
                region=REGION,
                secret=secrets.token_hex(32),
            )
        )
        return Launch((require_program("garage"), "-c", str(configuration), "server"), port, {})

    def configure(self, running: Running) -> None:
        """A node serves nothing before it has a place in the layout, and keys are known only by import."""
        keys = running.site.credentials
        node = _run(running, "node", "id", "-q").split("@")[0].strip()
        _run(running, "layout", "assign", "-z", "local", "-c", "100G", node)
        _run(running, "layout", "apply", "--version", "1")
        _run(running, "key", "import", "--yes", "-n", "bench", keys.access_key, keys.secret_key)
        _run(running, "key", "allow", "--create-bucket", keys.access_key)


def _configuration_file(directory: Path) -> Path:
    return directory / "garage.toml"


def _run(running: Running, *arguments: str) -> str:
    command = [require_program("garage"), "-c", str(_configuration_file(running.site.directory)), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    if done.returncode != 0:
        raise NotStarted(f"garage {' '.join(arguments[:2])}: {done.stderr[-500:]}")
    return done.stdout
