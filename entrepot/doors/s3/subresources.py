"""The query parameters that name something else than the bucket's or object's own content."""

from __future__ import annotations

from typing import Final

SUBRESOURCES: Final = frozenset({
    "abac", "accelerate", "acl", "analytics", "annotation", "append", "attributes", "cors", "delete", "encryption",
    "intelligent-tiering", "inventory", "legal-hold", "lifecycle", "list-type", "location", "logging",
    "metadataAnnotationTable", "metadataConfiguration", "metadataInventoryTable", "metadataJournalTable",
    "metadataTable", "metrics", "notification", "object-lock", "ownershipControls", "policy", "policyStatus",
    "publicAccessBlock", "renameObject", "replication", "requestPayment", "restore", "retention", "select",
    "select-type", "session", "tagging", "torrent", "uploadId", "uploads", "versioning", "versions", "website",
})  # fmt: skip
