"""The access control list that PutBucketAcl and PutObjectAcl carry as a document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from entrepot.doors.s3.documents.incoming import Document
from entrepot.doors.s3.refusal import Refusal, refuse
from entrepot.wire.documents import Fields, Group, Text, Value

PERMISSIONS: Final = frozenset({"FULL_CONTROL", "READ", "READ_ACP", "WRITE", "WRITE_ACP"})
MOST_GRANTS: Final = 100


def _texts(*names: str) -> Fields:
    return Fields(dict.fromkeys(names, Text()))


@dataclass(frozen=True, slots=True)
class AclGrant:
    """A permission, and who has it: the texts of the grantee by name (ID, URI, EmailAddress)."""

    grantee: Mapping[str, str]
    permission: str


@dataclass(frozen=True, slots=True)
class Acl:
    """Whom the thing belongs to by the document, and what it grants."""

    owner: str
    grants: tuple[AclGrant, ...]


class AclDocument(Document[Acl]):
    """The body of PutBucketAcl and PutObjectAcl."""

    name = "AccessControlPolicy"
    shape = Group({
        "Owner": _texts("ID", "DisplayName"),
        "AccessControlList": Group({
            "Grant": Group({"Grantee": _texts("ID", "DisplayName", "EmailAddress", "URI"), "Permission": Text()})
        }),
    })  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._owner = ""
        self._grantee: Mapping[str, str] = {}
        self._permission = ""
        self._grants: list[AclGrant] = []

    def unknown(self, name: str, parent: str) -> Refusal:
        return refuse("MalformedACLError", f"{parent} has no element {name}.")

    def take(self, name: str, value: Value) -> None:
        if name == "Owner" and isinstance(value, dict):
            self._owner = value.get("ID", "")
        elif name == "Grantee" and isinstance(value, dict):
            self._grantee = value
        elif name == "Permission" and isinstance(value, str):
            self._permission = value
        elif name == "Grant":
            self._end_grant()

    def _end_grant(self) -> None:
        if not self._grantee or self._permission not in PERMISSIONS:
            raise refuse("MalformedACLError", f"A Grant has a Grantee and one of {', '.join(sorted(PERMISSIONS))}.")
        if len(self._grants) == MOST_GRANTS:
            raise refuse("MalformedACLError", f"There are more than {MOST_GRANTS} grants.")
        self._grants.append(AclGrant(self._grantee, self._permission))
        self._grantee, self._permission = {}, ""

    def finish(self) -> Acl:
        if self.empty:
            raise refuse("MissingSecurityHeader", "The ACL stands in x-amz-acl or in the body.")
        return super().finish()

    def result(self) -> Acl:
        if not self._owner:
            raise refuse("MalformedACLError", "There is no Owner with an ID.")
        return Acl(self._owner, tuple(self._grants))
