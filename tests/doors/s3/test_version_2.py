"""Addresses presigned with Signature Version 2: what botocore signs is accepted, and nothing else."""

from __future__ import annotations

import hashlib
import string
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import HmacV1QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from entrepot.doors.s3.refusal import Refusal
from entrepot.doors.s3.signing import version2
from tests.doors.s3.door import HOST, ROOT, Answer, Door
from tests.doors.s3.signing import Sent

BODY = b"bytes of the object"
FAR = 60


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with Door(tmp_path_factory.mktemp("door") / "data") as opened:
        opened.ask("PUT", "/bucket").ok()
        opened.ask("PUT", "/bucket/key", body=BODY, headers={"content-type": "text/plain"}).ok()
        yield opened


def sign(
    method: str, path: str, query: str = "", headers: Mapping[str, str] | None = None, *,
    expires: int = FAR, secret: str = ROOT.secret, resource: str | None = None,
) -> str:  # fmt: skip
    """The query of a request as botocore presigns it; ``resource`` is the path with the bucket of the host."""
    url = f"http://{HOST}{path}" + (f"?{query}" if query else "")
    request = AWSRequest(method, url, dict(headers or {}), auth_path=resource)
    HmacV1QueryAuth(Credentials(ROOT.access, secret), expires=expires).add_auth(request)
    signed: str = request.url
    return urlsplit(signed).query


def ask(door: Door, method: str, path: str, query: str, body: bytes = b"", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return door.ask(method, path, query, body, headers=named, keys=None)


def test_a_value_never_swallows_the_parameter_behind_it(door: Door) -> None:
    """What is signed for one version would open the current one."""
    query = sign("GET", "/bucket/key", "response-content-type=text/x&versionId=" + "0" * 32)
    ask(door, "GET", "/bucket/key", query).refused(404, "NoSuchVersion")
    ask(door, "GET", "/bucket/key", query.replace("&versionId=", "%26versionId%3D")).refused(400, "InvalidRequest")
    harmless = "response-content-disposition=attachment%3B%20filename%3D%22a%26b.txt%22"
    ask(door, "GET", "/bucket/key", sign("GET", "/bucket/key", harmless)).ok()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_object_is_read(door: Door, method: str) -> None:
    found = ask(door, method, "/bucket/key", sign(method, "/bucket/key")).ok()
    assert found.body == (BODY if method == "GET" else b"")


def test_a_range_and_overrides(door: Door) -> None:
    query = "response-content-type=text%2Fx%20y&response-content-disposition=attachment%3B%20filename%3D%22a%2Bb%22"
    found = ask(door, "GET", "/bucket/key", sign("GET", "/bucket/key", query), range="bytes=0-4").ok(206)
    assert (found.body, found.headers["content-type"]) == (BODY[:5], "text/x y")
    assert found.headers["content-disposition"] == 'attachment; filename="a+b"'


def test_an_object_is_written_with_what_stands_in_the_query(door: Door) -> None:
    said = {"x-amz-meta-colour": "blue", "Content-Type": "text/css"}
    ask(door, "PUT", "/bucket/new", sign("PUT", "/bucket/new", headers=said), b"x").ok()
    found = door.ask("HEAD", "/bucket/new").ok().headers
    assert (found["x-amz-meta-colour"], found["content-type"]) == ("blue", "text/css")


def test_fields_may_stand_in_the_head_instead(door: Door) -> None:
    said = {"content-type": "text/css", "x-amz-meta-colour": "red"}
    query = sign("PUT", "/bucket/new", headers=said).split("&")
    short = "&".join(pair for pair in query if not pair.startswith(("content-type", "x-amz-")))
    door.ask("PUT", "/bucket/new", short, b"x", headers=said, keys=None).ok()
    assert door.ask("HEAD", "/bucket/new").ok().headers["x-amz-meta-colour"] == "red"
    ask(door, "PUT", "/bucket/new", short, b"x").refused(403, "SignatureDoesNotMatch")
    door.ask("PUT", "/bucket/new", short, b"x", headers=said | {"x-amz-acl": "public-read"}, keys=None).refused(
        403, "SignatureDoesNotMatch"
    )


@pytest.mark.parametrize("query", ["", "prefix=k", "list-type=2", "versions", "uploads"])
@pytest.mark.parametrize("path", ["/bucket", "/bucket/"])
def test_a_bucket_is_listed(door: Door, path: str, query: str) -> None:
    ask(door, "GET", path, sign("GET", path, query, resource="/bucket/")).ok()


def test_the_host_names_the_bucket(tmp_path: Path) -> None:
    with Door(tmp_path / "data", domain=(HOST.partition(".")[2],)) as opened:
        opened.ask("PUT", "/").ok()  # store.test is the bucket "store" of the domain "test"
        opened.ask("PUT", "/a%20b", body=BODY).ok()
        for path, resource in (("/a%20b", "/store/a%20b"), ("/", "/store/")):
            ask(opened, "GET", path, sign("GET", path, resource=resource)).ok()
        ask(opened, "GET", "/a%20b", sign("GET", "/a%20b")).refused(403, "SignatureDoesNotMatch")


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("Expires=", "Expires=1", "SignatureDoesNotMatch"),
        ("Expires=", "Expires=x", "AccessDenied"),
        ("Signature=", "Signature=A", "SignatureDoesNotMatch"),
        ("Signature=", "Nothing=", "AccessDenied"),
        ("AWSAccessKeyId=ROOT", "AWSAccessKeyId=TOOR", "InvalidAccessKeyId"),
        ("AWSAccessKeyId=", "versionId=null&AWSAccessKeyId=", "SignatureDoesNotMatch"),
        ("AWSAccessKeyId=", "version%49d=null&AWSAccessKeyId=", "SignatureDoesNotMatch"),
        ("AWSAccessKeyId=", "acl&AWSAccessKeyId=", "SignatureDoesNotMatch"),
        ("AWSAccessKeyId=", "x-amz-meta-a=b&AWSAccessKeyId=", "SignatureDoesNotMatch"),
        ("AWSAccessKeyId=", "x-amz-security-token=b&AWSAccessKeyId=", "InvalidToken"),
    ],
)  # fmt: skip
def test_an_altered_address_opens_nothing(door: Door, old: str, new: str, code: str) -> None:
    query = sign("GET", "/bucket/key")
    assert old in query
    ask(door, "GET", "/bucket/key", query.replace(old, new)).refused(403 if code != "InvalidToken" else 400, code)


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("AWSAccessKeyId=a", 400, "InvalidArgument"),
        ("Expires=1", 400, "InvalidArgument"),
        ("X-Amz-Signature=a", 400, "InvalidArgument"),
        ("attributes", 400, "InvalidRequest"),
        ("retention", 400, "InvalidRequest"),
        ("x-amz-meta-a%3Ab=c", 400, "AuthorizationQueryParametersError"),
        ("x-amz-meta-a=b%0Ac", 400, "AuthorizationQueryParametersError"),
    ],
)
def test_what_it_does_not_reach_is_refused(door: Door, query: str, status: int, code: str) -> None:
    ask(door, "GET", "/bucket/key", f"{sign('GET', '/bucket/key')}&{query}").refused(status, code)


@pytest.mark.parametrize("method", ["DELETE", "POST"])
def test_methods_that_it_is_not_for(door: Door, method: str) -> None:
    ask(door, method, "/bucket/key", sign(method, "/bucket/key")).refused(400, "InvalidRequest")
    door.ask("HEAD", "/bucket/key").ok()


def test_it_ends_and_belongs_to_one_object_and_method(door: Door) -> None:
    late = ask(door, "GET", "/bucket/key", sign("GET", "/bucket/key", expires=-1)).refused(403, "AccessDenied")
    assert late.word("Message") == "Request has expired"
    link = sign("GET", "/bucket/key")
    ask(door, "GET", "/bucket/other", link).refused(403, "SignatureDoesNotMatch")
    ask(door, "PUT", "/bucket/key", link).refused(403, "SignatureDoesNotMatch")
    ask(door, "GET", "/bucket/key", sign("GET", "/bucket/key", secret="no")).refused(403, "SignatureDoesNotMatch")
    door.ask("GET", "/bucket/key", link).refused(400, "InvalidArgument")  # and in the header too


def test_a_digest_in_the_query_holds_for_the_body(door: Door) -> None:
    query = sign("PUT", "/bucket/held", headers={"Content-MD5": "XrY7u+Ae7tCTyyK7j1rNww=="})  # of "hello world"
    ask(door, "PUT", "/bucket/held", query, b"another").refused(400, "BadDigest")
    ask(door, "PUT", "/bucket/held", query, b"hello world").ok()


@pytest.mark.parametrize(("payload", "status"), [("UNSIGNED-PAYLOAD", 200), ("digest", 400), ("STREAMING", 400)])
def test_what_is_said_of_the_body_in_words_of_version_4(door: Door, payload: str, status: int) -> None:
    """It holds, or is refused: a framed body is never stored with its frames."""
    values = {"digest": hashlib.sha256(b"other").hexdigest(), "STREAMING": "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}
    headers = {"x-amz-content-sha256": values.get(payload, payload)}
    query = sign("PUT", "/bucket/said", headers=headers)
    door.ask("PUT", "/bucket/said", query, b"x", headers=headers, keys=None).ok(status)
    door.ask("PUT", "/bucket/said", query, b"x", keys=None).ok(status)


def test_a_setting_turns_it_off_and_headers_never_do(tmp_path: Path) -> None:
    with Door(tmp_path / "data", doors={"s3": {"presigned_version_2": False}}) as opened:
        ask(opened, "GET", "/bucket/key", sign("GET", "/bucket/key")).refused(400, "InvalidRequest")


def test_signed_in_the_header_it_is_refused(door: Door) -> None:
    ask(door, "GET", "/bucket/key", "", authorization=f"AWS {ROOT.access}:c2ln").refused(400, "InvalidRequest")


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
keys = st.lists(st.sampled_from(["a", "..", "", "é", "🚀", "+", "%2F", " ", "~", "*", "=", "&", "?"]), min_size=1).map(
    "/".join
)
queries = st.dictionaries(
    st.sampled_from(["versionId", "response-content-type", "uploadId", "partNumber", "prefix", "acl", "x-id"]), texts
)
headers = st.dictionaries(
    st.sampled_from(["x-amz-meta-a", "X-Amz-Tagging", "Content-Type", "x-amz-acl"]),
    st.text(string.ascii_letters + ";=,/+", min_size=1, max_size=9),
)


def verify(sent: Sent, now: float) -> None:
    said = version2.parse(sent.request(), "")
    assert said is not None
    version2.check(said, ROOT.secret, now)


@given(method=st.sampled_from(["GET", "HEAD", "PUT"]), key=keys, query=queries, head=headers, data=st.data())
def test_what_botocore_signs_is_accepted_and_refused_once_altered(
    method: str, key: str, query: dict[str, str], head: dict[str, str], data: st.DataObject
) -> None:
    path = "/bucket/" + quote(key, safe="/~")
    asked = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
    sent = Sent(method, path, sign(method, path, asked, head), [("host", HOST)])
    verify(sent, 0)
    other = data.draw(keys.filter(lambda drawn: drawn != key))
    altered = [sent.but(path="/bucket/" + quote(other, safe="/~")), sent.plus(("x-amz-meta-z", "1"))]
    altered += [sent.but(method=name) for name in ("GET", "HEAD", "PUT") if name != method]
    altered += [sent.but(query=f"{sent.query}&torrent"), sent.but(query=f"website=a&{sent.query}")]
    for each in altered:
        with pytest.raises(Refusal):
            verify(each, 0)
