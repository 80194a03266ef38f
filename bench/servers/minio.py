"""MinIO on one directory, when a binary is on PATH."""

from __future__ import annotations

import subprocess

from bench.processes import free_ports
from bench.servers.running import Launch, Running, Site, find_program, require_program


class Minio:
    name = "minio"

    def missing(self) -> str | None:
        return None if find_program("minio") else "minio is not on PATH"

    def version(self) -> str:
        command = [require_program("minio"), "--version"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout.split("\n")[0].removeprefix("minio version ").split(" (")[0].strip() or "unknown"

    def launch(self, site: Site) -> Launch:
        port, console = free_ports(2)
        command = (
            *(require_program("minio"), "server", str(site.data)),
            *("--address", f"127.0.0.1:{port}"),
            *("--console-address", f"127.0.0.1:{console}"),
            *("--config-dir", str(site.directory / "config"), "--quiet"),
        )
        return Launch(
            command,
            port,
            {
                "MINIO_ROOT_USER": site.credentials.access_key,
                "MINIO_ROOT_PASSWORD": site.credentials.secret_key,
                "MINIO_BROWSER": "off",
                "MINIO_UPDATE": "off",
            },
        )

    def configure(self, running: Running) -> None:
        """Nothing to set."""
