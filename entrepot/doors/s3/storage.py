"""Classes of storage: S3 has many, this server one. What a writer asks for is kept and told, as MinIO does, so that
clients which ask for a class, or compare the one they asked for, work.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from entrepot.doors.s3.refusal import refuse
from entrepot.model import STORAGE_CLASS

STANDARD: Final = "STANDARD"

CLASSES: Final = frozenset({
    STANDARD, "AWS_BACKUP_LOW_COST_WARM", "AWS_BACKUP_WARM", "DEEP_ARCHIVE", "EXPRESS_ONEZONE",
    "FSX_ONTAP", "FSX_OPENZFS", "GLACIER", "GLACIER_IR",
    "INTELLIGENT_TIERING", "ONEZONE_IA", "OUTPOSTS", "REDUCED_REDUNDANCY", "SNOW", "STANDARD_IA",
})  # fmt: skip


def parse_class(raw: bytes) -> str:
    """The class that a header names. Raises the refusal InvalidStorageClass."""
    word = raw.decode("latin-1")
    if word not in CLASSES:
        raise refuse("InvalidStorageClass", StorageClassRequested=word)
    return word


def class_of(headers: Mapping[str, str]) -> str:
    """The class that what was kept with an object says."""
    return headers.get(STORAGE_CLASS, STANDARD)
