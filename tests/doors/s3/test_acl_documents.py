"""ACLs as documents, as s3cmd and AWS's own tools write them, mean what their names mean."""

from __future__ import annotations

import pytest

from tests.doors.s3.door import Door

EVERYBODY = '<Grantee xsi:type="Group"><URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee>'
ANYBODY = EVERYBODY.replace("AllUsers", "AuthenticatedUsers")
OWNER = '<Grantee xsi:type="CanonicalUser"><ID>root</ID><DisplayName>root</DisplayName></Grantee>'
PRIVATE = ((OWNER, "FULL_CONTROL"),)
PUBLIC = ((EVERYBODY, "READ"), *PRIVATE)


def document(grants: tuple[tuple[str, str], ...], owner: str = "root") -> bytes:
    rows = "".join(f"<Grant>{grantee}<Permission>{word}</Permission></Grant>" for grantee, word in grants)
    return (
        '<?xml version="1.0" encoding="UTF-8"?><AccessControlPolicy xmlns="http://s3.amazonaws.com/doc/2006-03-01/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<Owner><ID>{owner}</ID><DisplayName>root</DisplayName></Owner>"
        f"<AccessControlList>{rows}</AccessControlList></AccessControlPolicy>"
    ).encode()


@pytest.fixture
def filled(door: Door) -> Door:
    door.ask("PUT", "/mine").ok()
    door.ask("PUT", "/mine/k", body=b"1").ok()
    return door


def test_a_bucket_becomes_public_and_private_again(filled: Door) -> None:
    filled.ask("PUT", "/mine", "acl", document(PUBLIC)).ok()
    filled.ask("GET", "/mine/k", keys=None).ok()
    told = filled.ask("GET", "/mine", "acl").ok().body
    filled.ask("PUT", "/mine", "acl", document(PRIVATE)).ok()
    filled.ask("GET", "/mine/k", keys=None).refused(403, "AccessDenied")
    filled.ask("PUT", "/mine", "acl", told).ok()  # what is told is understood
    filled.ask("GET", "/mine/k", keys=None).ok()


def test_an_object_has_the_acl_of_its_bucket(filled: Door) -> None:
    filled.ask("PUT", "/mine/k", "acl", document(PRIVATE)).ok()
    filled.ask("PUT", "/mine/k", "acl", document(PUBLIC)).refused(501, "NotImplemented")
    filled.ask("GET", "/mine/k", keys=None).refused(403, "AccessDenied")
    filled.ask("PUT", "/mine", "acl", document(PUBLIC)).ok()
    filled.ask("PUT", "/mine/k", "acl", filled.ask("GET", "/mine/k", "acl").body).ok()
    filled.ask("PUT", "/mine/k", "acl", document(PRIVATE)).refused(501, "NotImplemented")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (document(((EVERYBODY, "WRITE"), *PRIVATE)), 501, "NotImplemented"),
        (document(((ANYBODY, "READ"), *PRIVATE)), 501, "NotImplemented"),
        (document(((OWNER, "READ"),)), 501, "NotImplemented"),
        (document(((OWNER.replace("root", "other"), "FULL_CONTROL"), *PRIVATE)), 501, "NotImplemented"),
        (document(()), 501, "NotImplemented"),
        (document(PRIVATE, "other"), 403, "AccessDenied"),
        (document(((OWNER, "EVERYTHING"),)), 400, "MalformedACLError"),
        (document(((EVERYBODY.replace("AllUsers", "Nobody"), "READ"), *PRIVATE)), 400, "InvalidArgument"),
        (
            document((("<Grantee><EmailAddress>a@b</EmailAddress></Grantee>", "READ"), *PRIVATE)),
            400, "UnresolvableGrantByEmailAddress",
        ),
        (document(PRIVATE).replace(b"Owner", b"Other"), 400, "MalformedACLError"),
        (document(PRIVATE)[:-9], 400, "MalformedXML"),
        (document(PUBLIC * 60), 400, "MalformedACLError"),
        (b"", 400, "MissingSecurityHeader"),
    ],
)  # fmt: skip
def test_what_is_not_meant_is_not_done(filled: Door, body: bytes, status: int, code: str) -> None:
    filled.ask("PUT", "/mine", "acl", body).refused(status, code)
    filled.ask("PUT", "/mine/k", "acl", body).refused(status, code)
    filled.ask("GET", "/mine/k", keys=None).refused(403, "AccessDenied")


def test_in_one_place(filled: Door) -> None:
    headers = {"x-amz-acl": "private"}
    filled.ask("PUT", "/mine", "acl", document(PUBLIC), headers=headers).refused(400, "UnexpectedContent")
    filled.ask("GET", "/mine/k", keys=None).refused(403, "AccessDenied")
