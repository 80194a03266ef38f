"""What the server does, whatever the door: the services, gathered as one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from entrepot.catalog.operations.buckets import BucketChange
from entrepot.catalog.operations.listing import Listing, Query
from entrepot.core.buckets import Buckets
from entrepot.core.budget import Portion
from entrepot.core.health import Health
from entrepot.core.jobs import Jobs
from entrepot.core.keys import Keys
from entrepot.core.objects import Objects
from entrepot.core.outbox import Outbox
from entrepot.core.upkeep import Upkeep
from entrepot.core.uploads import Uploads

__all__ = [
    "BucketChange",
    "Buckets",
    "Core",
    "Health",
    "Jobs",
    "Keys",
    "Listing",
    "Objects",
    "Outbox",
    "Query",
    "Upkeep",
    "Uploads",
]


@dataclass(frozen=True, slots=True)
class Core:
    """Everything a door may use."""

    buckets: Buckets
    objects: Objects
    uploads: Uploads
    keys: Keys
    health: Health
    upkeep: Upkeep
    jobs: Jobs
    outbox: Outbox
    documents: Portion
    """What the documents of requests may take of the memory."""
    clock: Callable[[], int]
    """Microseconds since the epoch."""
    metrics: Callable[[], bytes]
    """The metrics of all processes of this server, in Prometheus' text format."""
