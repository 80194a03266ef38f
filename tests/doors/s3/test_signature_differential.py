"""Requests signed by botocore and by the AWS CRT, with arbitrary names in them, are accepted here;
the same requests altered in any one place are not.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from unittest.mock import patch
from urllib.parse import quote, urlsplit

import pytest
from awscrt import auth as crt
from awscrt.http import HttpHeaders, HttpRequest
from botocore import auth as boto
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import assume, given
from hypothesis import strategies as st

from entrepot.doors.s3.signing.signature import Payload
from tests.doors.s3.signing import KEY, NOW, REGION, SECRET, Sent, refused, verify

MOMENT = datetime.fromtimestamp(NOW, UTC)
HOST = "store.test:9000"
Pairs = list[tuple[str, str]]
Signer = Callable[[str, str, Pairs, Pairs], Sent]
"""Method, encoded path, query pairs, headers → the request as it goes out."""


def query_string(pairs: Pairs) -> str:
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)


def sign_with_botocore(signer: type[boto.SigV4Auth], **options: int) -> Signer:
    def sign(method: str, path: str, query: Pairs, headers: Pairs) -> Sent:
        url = f"http://{HOST}{path}"
        if query:
            url += "?" + query_string(query)
        request = AWSRequest(method=method, url=url, headers=dict(headers))
        request.context["payload_signing_enabled"] = True
        with patch.object(boto, "get_current_datetime", lambda: MOMENT):
            signer(Credentials(KEY, SECRET), "s3", REGION, **options).add_auth(request)
        prepared = request.prepare()
        target = urlsplit(prepared.url)
        sent = [("Host", HOST)]
        sent += [(name, v.decode() if isinstance(v, bytes) else v) for name, v in prepared.headers.items()]
        return Sent(method, target.path, target.query, sent)

    return sign


def sign_with_crt(kind: crt.AwsSignatureType, expires: int | None) -> Signer:
    def sign(method: str, path: str, query: Pairs, headers: Pairs) -> Sent:
        target = path + ("?" + query_string(query) if query else "")
        request = HttpRequest(method, target, HttpHeaders([("Host", HOST), *headers]))
        presigning = expires is not None
        config = crt.AwsSigningConfig(
            algorithm=crt.AwsSigningAlgorithm.V4,
            signature_type=kind,
            region=REGION,
            service="s3",
            credentials_provider=crt.AwsCredentialsProvider.new_static(KEY, SECRET),
            date=MOMENT,
            use_double_uri_encode=False,
            should_normalize_uri_path=False,
            signed_body_value="UNSIGNED-PAYLOAD",
            signed_body_header_type=(
                crt.AwsSignedBodyHeaderType.NONE if presigning else crt.AwsSignedBodyHeaderType.X_AMZ_CONTENT_SHA_256
            ),
            expiration_in_seconds=expires,
        )
        done = crt.aws_sign_request(request, config).result(10)
        path, _, query_out = done.path.partition("?")
        return Sent(method, path, query_out, list(done.headers))

    return sign


SIGNERS = {
    "botocore header": sign_with_botocore(boto.S3SigV4Auth),
    "botocore presigned": sign_with_botocore(boto.S3SigV4QueryAuth, expires=600),
    "crt header": sign_with_crt(crt.AwsSignatureType.HTTP_REQUEST_HEADERS, None),
    "crt presigned": sign_with_crt(crt.AwsSignatureType.HTTP_REQUEST_QUERY_PARAMS, 600),
}

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=24)
keys = st.one_of(
    texts.filter(bool),
    st.lists(
        st.sampled_from(
            ["a", "..", ".", "", "é", "🚀", "+", "%2F", "%", " ", "\\", "\0", "a b", "~", "*", "(", "=", "&", "\x7f"],
        ),
        min_size=1,
        max_size=6,
    ).map("/".join),
)
paths = st.builds(lambda key: "/bucket/" + quote(key, safe="/~"), keys)
queries = st.lists(
    st.tuples(
        st.sampled_from(["prefix", "marker", "acl", "versionId", "response-content-type", "X-Id", "é"]),
        texts,
    ),
    max_size=4,
    unique_by=lambda pair: pair[0],
)
values = st.text(st.sampled_from("abc,;=:/ \t\"'%+~"), min_size=1, max_size=20).map(str.strip).filter(bool)
fields = st.lists(
    st.tuples(
        st.sampled_from(["x-amz-meta-a", "x-amz-meta-b", "x-amz-acl", "Content-Type", "X-Amz-Tagging", "Range"]),
        values,
    ),
    max_size=4,
    unique_by=lambda pair: pair[0].lower(),
)


@pytest.mark.parametrize("name", sorted(SIGNERS))
@given(method=st.sampled_from(["GET", "PUT", "HEAD", "DELETE", "POST"]), path=paths, query=queries, headers=fields)
def test_what_others_sign_is_accepted(
    name: str,
    method: str,
    path: str,
    query: Pairs,
    headers: Pairs,
) -> None:
    verified = verify(SIGNERS[name](method, path, query, headers))
    assert verified.access_key == KEY
    assert verified.mode is (Payload.HASHED if name == "botocore header" else Payload.UNSIGNED)


@pytest.mark.parametrize("name", sorted(SIGNERS))
@given(data=st.data(), path=paths, query=queries, headers=fields)
def test_what_others_sign_is_refused_once_altered(
    name: str,
    data: st.DataObject,
    path: str,
    query: Pairs,
    headers: Pairs,
) -> None:
    sent = SIGNERS[name]("PUT", path, query, headers)
    other_path = data.draw(paths)
    assume(other_path != path)
    altered = [
        sent.but(method=data.draw(st.sampled_from(["GET", "DELETE", "POST", "put"]))),
        sent.but(path=other_path),
        sent.but(path=sent.path + "/"),
        sent.but(path="/" + sent.path),
        sent.but(query=sent.query + "&versionId=null" if sent.query else "versionId=null"),
        sent.changed("host", "store", "stare"),
    ]
    altered += [sent.without(header.lower()) for header, _ in headers if header.lower() != "content-type"]
    for each in altered:
        assert refused(each).code in {"SignatureDoesNotMatch", "AuthorizationQueryParametersError"}


@pytest.mark.parametrize("raw", ["a%2Fb", "a%2fb", "%2e%2e/x", "a%5Cb", "a%00b", "%C3%A9", "%E9", "%FF%FE"])
def test_escapes_in_a_path_as_the_crt_and_botocore_send_them(raw: str) -> None:
    canonical = raw.replace("%2f", "%2F").replace("%2e", ".")
    for signer in SIGNERS.values():
        sent = signer("GET", "/bucket/" + canonical, [], [])
        verify(sent.but(path="/bucket/" + raw))
