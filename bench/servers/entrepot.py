"""Entrepôt itself: everything by default, every acknowledged write on disk."""

from __future__ import annotations

import importlib.util
import sys

import entrepot
from bench.processes import free_ports
from bench.servers.running import Launch, Running, Site


class Entrepot:
    name = "entrepot"

    def missing(self) -> str | None:
        whole = importlib.util.find_spec("entrepot.cli")
        return None if whole else "package entrepot has no command to start"

    def version(self) -> str:
        return entrepot.__version__

    def launch(self, site: Site) -> Launch:
        (port,) = free_ports(1)
        command = (
            *(sys.executable, "-m", "entrepot", "serve"),
            *("--data", str(site.data)),
            *("--listen", f"127.0.0.1:{port}"),
            *("--workers", str(site.workers)),
        )
        return Launch(
            command,
            port,
            {
                "ENTREPOT_ACCESS_KEY": site.credentials.access_key,
                "ENTREPOT_SECRET_KEY": site.credentials.secret_key,
            },
        )

    def configure(self, running: Running) -> None:
        """Nothing: the defaults are what is measured."""
