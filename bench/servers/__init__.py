"""The servers that are compared. To add one: a module with a ``Recipe`` and a line in ``RECIPES``."""

from __future__ import annotations

from bench.servers.entrepot import Entrepot
from bench.servers.garage import Garage
from bench.servers.minio import Minio
from bench.servers.rclone import Rclone
from bench.servers.running import Recipe
from bench.servers.seaweedfs import SeaweedFS

OURS = "entrepot"
BASELINE = "seaweedfs"

RECIPES: tuple[Recipe, ...] = (
    Entrepot(),
    SeaweedFS(),
    SeaweedFS(fsync=True),
    Rclone(),
    Minio(),
    Garage(),
)

PEERS = [recipe.name for recipe in RECIPES if recipe.name != OURS]
QUICK_PEERS = [BASELINE, "seaweedfs-fsync"]
"""Those that the goals speak of."""
