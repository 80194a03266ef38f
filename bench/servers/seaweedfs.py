"""SeaweedFS as one ``weed server`` process, as it comes or with fsync for every path under ``/buckets/``.

Its defaults keep a write in the page cache. ``fs.configure -fsync`` syncs the volume file, several writes at a
time; the filer's own store stays unsynced.
"""

from __future__ import annotations

import json
import re
import subprocess
import time

from bench.processes import free_ports
from bench.servers.running import Launch, NotStarted, Running, Site, find_program, require_program

_ACTIONS = ["Admin", "Read", "Write", "List", "Tagging"]
_SHELL_ATTEMPTS = 10


class SeaweedFS:
    def __init__(self, *, fsync: bool = False) -> None:
        self._fsync = fsync
        self._shell_arguments: list[str] = []

    @property
    def name(self) -> str:
        return "seaweedfs-fsync" if self._fsync else "seaweedfs"

    def missing(self) -> str | None:
        return None if find_program("weed") else "weed is not on PATH"

    def version(self) -> str:
        command = [require_program("weed"), "version"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        words = done.stdout.split()
        return words[2] if len(words) > 2 else "unknown"

    def launch(self, site: Site) -> Launch:
        keys = {"accessKey": site.credentials.access_key, "secretKey": site.credentials.secret_key}
        identity = {"name": "bench", "credentials": [keys], "actions": _ACTIONS}
        configuration = site.directory / "s3.json"
        configuration.write_text(json.dumps({"identities": [identity]}))
        roles = ("master", "volume", "filer", "s3")
        ports = dict(zip((*roles, *(f"{role}.grpc" for role in roles)), free_ports(8), strict=True))
        self._shell_arguments = [
            f"-master=127.0.0.1:{ports['master']}.{ports['master.grpc']}",
            f"-filer=127.0.0.1:{ports['filer']}.{ports['filer.grpc']}",
        ]
        listen = [f"-{role}.port={ports[role]}" for role in roles]
        listen += [f"-{role}.port.grpc={ports[f'{role}.grpc']}" for role in roles]
        command = (
            *(require_program("weed"), "server", f"-dir={site.data}", "-filer", "-s3"),
            *("-ip=127.0.0.1", "-ip.bind=127.0.0.1", *listen),
            *("-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.config={configuration}"),
            *("-master.telemetry=false", "-volume.preStopSeconds=1"),
        )
        return Launch(command, ports["s3"], {})

    def configure(self, running: Running) -> None:
        if not self._fsync:
            return
        said = ""
        # The shell fails while the filer has not yet joined its master.
        for _ in range(_SHELL_ATTEMPTS):
            said = self._shell("fs.configure -locationPrefix=/buckets/ -fsync -apply\nfs.configure\n")
            if re.search(r'"fsync":\s*true', said):
                return
            time.sleep(1)
        raise NotStarted(f"{running.name}: fs.configure: {said[-500:]}")

    def _shell(self, commands: str) -> str:
        done = subprocess.run(
            [require_program("weed"), "shell", *self._shell_arguments],
            input=commands,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        return done.stdout + done.stderr
