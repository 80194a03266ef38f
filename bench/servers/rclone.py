"""``rclone serve s3`` over a local directory."""

from __future__ import annotations

import os
import subprocess

from bench.processes import free_ports
from bench.servers.running import Launch, Running, Site, find_program, require_program


class Rclone:
    name = "rclone"

    def missing(self) -> str | None:
        return None if find_program("rclone") else "rclone is not on PATH"

    def version(self) -> str:
        command = [require_program("rclone"), "version", "--config", os.devnull]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout.split("\n")[0].removeprefix("rclone ").strip() or "unknown"

    def launch(self, site: Site) -> Launch:
        (port,) = free_ports(1)
        command = (
            *(require_program("rclone"), "serve", "s3", str(site.data)),
            *("--addr", f"127.0.0.1:{port}"),
            *("--auth-key", f"{site.credentials.access_key},{site.credentials.secret_key}"),
            *("--config", os.devnull, "--cache-dir", str(site.directory / "cache")),
        )
        return Launch(command, port, {})

    def configure(self, running: Running) -> None:
        """Nothing to set."""
