"""The measures of a run. To add one: a module with a class like ``Measure`` and a line in ``MEASURES``."""

from __future__ import annotations

from bench.measures.large import LargeObjects
from bench.measures.listing import Listings
from bench.measures.measure import Measure
from bench.measures.memory import HugeObject, SlowUploads
from bench.measures.small import SmallGets, SmallPuts

MEASURES: tuple[Measure, ...] = (
    SmallPuts(),
    SmallPuts(in_header=True),
    SmallGets(),
    SmallGets(in_header=True),
    LargeObjects(),
    Listings(),
    HugeObject(),
    SlowUploads(),
)
