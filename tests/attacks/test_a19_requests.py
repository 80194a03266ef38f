"""A19: a malformed request is refused with a 4xx, whatever of it is malformed, and the server lives on."""

from __future__ import annotations

import base64
import hashlib

import pytest

from tests.doors.s3.door import Door

BOMB = (
    '<!DOCTYPE Delete [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(10))
    + "]><Delete><Object><Key>&k;</Key></Object></Delete>"
).encode()
DEEP = b"<Delete>" + b"<Object>" * 100_000 + b"</Object>" * 100_000 + b"</Delete>"
MANY = b"<Delete>" + b"<Object><Key>a</Key></Object>" * 1001 + b"</Delete>"
BODIES = {
    "empty": b"", "nothing but white": b"   \n", "bomb": BOMB, "deep": DEEP, "1001 deletes": MANY, "nul": b"\x00" * 64,
    "not UTF-8": b"<Delete><Object><Key>\xff</Key></Object></Delete>", "cut off": b"<Delete><Object><Key>a</Ke",
    "UTF-16": "<Delete><Object><Key>a</Key></Object></Delete>".encode("utf-16"),
    "another encoding": b'<?xml version="1.0" encoding="utf-7"?><Delete/>', "JSON": b'{"Objects": []}',
    "file": b'<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&x;</Key></Object></Delete>',
    "reference to nothing": b"<Delete><Object><Key>&#0;</Key></Object></Delete>",
}  # fmt: skip


@pytest.mark.parametrize("body", sorted(BODIES))
@pytest.mark.parametrize(("method", "query"), [("POST", "delete"), ("PUT", "versioning"), ("PUT", "")])
def test_a19_bodies(door: Door, method: str, query: str, body: str) -> None:
    door.ask("PUT", "/mine").ok()
    door.ask("PUT", "/mine/a", body=b"1").ok()
    data = BODIES[body]
    digest = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
    answer = door.ask(method, "/mine" if query else "/new", query, data, headers={"content-md5": digest})
    if body == "empty" and not query:
        answer.ok()
    else:
        answer.refused(400, "MalformedXML" if len(data) < 65_536 or query == "delete" else "MaxMessageLengthExceeded")
        assert b"root:" not in answer.body
    assert door.ask("GET", "/mine").words("Contents/Key") == ["a"]


def test_a19_a_document_beyond_its_bound(door: Door) -> None:
    door.ask("PUT", "/mine").ok()
    body = [b"<Delete>", *[b"<Object><Key>a</Key></Object>" * 10_000] * 40, b"</Delete>"]
    headers = {"content-md5": base64.b64encode(bytes(16)).decode()}
    door.ask("POST", "/mine", "delete", body, headers=headers).refused(400, "MaxMessageLengthExceeded")


@pytest.mark.parametrize(("path", "query"), [
    ("/", "%"), ("/", "%%%"), ("/", "=&=&&"), ("/mine", "max-keys"), ("/mine", "prefix=%"), ("/mine", "versionId="),
    ("/mine", "&".join(f"p{i}" for i in range(3000))), ("/mine", "acl=1&acl=2&policy&cors"), ("/mine", "%61cl"),
    ("/mine/a", "versionId=" + "x" * 5000), ("/mine/a", "versionId=%00"), ("/mine/a", "partNumber=0"),
    ("/mine/a", "uploadId="), ("//", ""), ("///", ""), ("/mine//", ""), ("/%2F", ""), ("/%", ""), ("/mine/%", ""),
    ("/mine", "list-type=2&continuation-token=" + "A" * 20_000), ("/mine", "delimiter=" + "x" * 5000),
    ("/mine", "prefix=" + "%F4%8F%BF%BF" * 500), ("/mine", "marker=%00&prefix=%00&delimiter=%00&encoding-type=url"),
])  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH", "TRACE", "get", "X"])
def test_a19_targets(door: Door, method: str, path: str, query: str) -> None:
    door.ask("PUT", "/mine").ok()
    for keys in (door.root, None):
        answer = door.ask(method, path, query, keys=keys)
        assert answer.status < 500 or answer.status == 501, answer


def test_a19_a_preflight_is_told_no(door: Door) -> None:
    door.ask("OPTIONS", "/mine/a", keys=None).refused(400, "BadRequest")
    headers = {"origin": "https://example.com", "access-control-request-method": "PUT"}
    answer = door.ask("OPTIONS", "/mine/a", headers=headers, keys=None)
    answer.refused(403, "AccessForbidden")
    assert not [name for name in answer.headers if name.startswith("access-control-")]
