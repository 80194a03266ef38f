"""Attack cases of the S3 door that the signature alone decides: A1, A2, A4, A6, A20, A24."""

from __future__ import annotations

import hmac
from unittest.mock import patch

import pytest

from entrepot.doors.s3.bodies import chunked
from entrepot.doors.s3.refusal import Refusal
from entrepot.doors.s3.signing import signature
from tests.doors.s3.framing import MODES, UNSIGNED_TRAILER, put
from tests.doors.s3.signing import EMPTY, KEY, NOW, STAMP, Sent, presigned, refused, signed, verify

ZEROS = "0" * 64
WEEK = 604800
PARAMETERS = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
)


def with_signature(sent: Sent, value: str) -> Sent:
    """The same request with another value of its signature, wherever that is."""
    if "X-Amz-Signature=" in sent.query:
        return sent.but(query=sent.query.rpartition("X-Amz-Signature=")[0] + "X-Amz-Signature=" + value)
    proof = dict(sent.headers)["authorization"].rpartition("=")[2]
    return sent.changed("authorization", proof, value)


# --- A1


@pytest.mark.parametrize("bogus", [ZEROS, "x", "%00", "f" * 63, "f" * 65, "é", ZEROS + ZEROS])
@pytest.mark.parametrize("mode", MODES)
def test_a1_streaming_put_with_bogus_signature_is_refused(mode: str, bogus: str) -> None:
    refusal = refused(with_signature(put(mode, 5), bogus))
    assert (refusal.code, refusal.status) == ("SignatureDoesNotMatch", 403)


@pytest.mark.parametrize("mode", MODES)
def test_a1_signature_cut_to_its_beginning_or_in_upper_case_is_refused(mode: str) -> None:
    sent = put(mode, 5)
    proof = dict(sent.headers)["authorization"].rpartition("=")[2]
    for bogus in (proof[:-1], proof + "0", proof.upper()):
        assert refused(with_signature(sent, bogus)).code == "SignatureDoesNotMatch"


@pytest.mark.parametrize("mode", MODES)
def test_a1_streaming_put_of_another_secret_is_refused(mode: str) -> None:
    assert refused(put(mode, 5), secret="guess").status == 403


@pytest.mark.parametrize("mode", MODES)
def test_a1_streaming_put_without_authorization_is_anonymous_and_not_verified(mode: str) -> None:
    request = put(mode, 5).without("authorization").request()
    assert signature.parse(request) is None
    if mode != UNSIGNED_TRAILER:
        with pytest.raises(Refusal) as caught:
            chunked.decoder_for(None, request.headers)
        assert caught.value.status == 403


@pytest.mark.parametrize("was", ["UNSIGNED-PAYLOAD", EMPTY, *MODES])
@pytest.mark.parametrize("becomes", ["UNSIGNED-PAYLOAD", EMPTY, *MODES])
def test_a1_the_payload_mode_cannot_be_exchanged(was: str, becomes: str) -> None:
    sent = signed("PUT", "/b/k", payload=was).changed("x-amz-content-sha256", was, becomes)
    if was == becomes:
        verify(sent)
    else:
        assert refused(sent).code == "SignatureDoesNotMatch"


# --- A2


CREDENTIAL = f"X-Amz-Credential={KEY}%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"


@pytest.mark.parametrize(
    "query",
    [
        CREDENTIAL,
        f"{CREDENTIAL}&X-Amz-Signature={ZEROS}",
        f"X-Amz-Algorithm=AWS4-HMAC-SHA256&{CREDENTIAL}&X-Amz-Date={STAMP}&X-Amz-Expires=60&X-Amz-SignedHeaders=host",
        f"x-amz-credential={KEY}",
        "X%2DAmz%2DCredential=root",
        "X-Amz-Signature=",
        "X-Amz-Algorithm=AWS4-HMAC-SHA256",
    ],
)
def test_a2_credential_in_the_query_without_a_signature_is_refused(query: str) -> None:
    headers = [("host", "store.test"), ("x-amz-content-sha256", UNSIGNED_TRAILER)]
    for sent in (Sent("PUT", "/b/k", query, headers), Sent("GET", "/b/k", query, headers[:1])):
        refusal = refused(sent)
        assert (refusal.code, refusal.status) in {
            ("AuthorizationQueryParametersError", 400),
            ("AccessDenied", 403),
        }


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("empty", [False, True])
def test_a2_presigned_request_with_a_parameter_missing_is_refused(*, name: str, empty: bool) -> None:
    sent = presigned("GET", "/b/k")
    kept = [pair for pair in sent.query.split("&") if not pair.startswith(name + "=")]
    refusal = refused(sent.but(query="&".join(kept + [f"{name}="] * empty)))
    assert refusal.code == "AuthorizationQueryParametersError"
    assert name in refusal.message


# --- A4


UNSIGNED_HEADERS = [
    ("x-amz-copy-source", "/other/secret"),
    ("x-amz-acl", "public-read"),
    ("x-amz-grant-read", "id=1"),
    ("x-amz-meta-a", "1"),
    ("x-amz-tagging", "a=b"),
    ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
    ("X-Amz-Security-Token", "t"),
    ("X-AMZ-Storage-Class", "GLACIER"),
    ("x-amz-decoded-content-length", "5"),
    ("x-amz-bypass-governance-retention", "true"),
]


@pytest.mark.parametrize("header", UNSIGNED_HEADERS, ids=lambda header: header[0])
def test_a4_unsigned_amz_header_on_presigned_url_is_refused(header: tuple[str, str]) -> None:
    sent = presigned("PUT", "/b/k").plus(header)
    refusal = refused(sent)
    assert (refusal.code, refusal.status) == ("AccessDenied", 403)
    assert refusal.fields == {"HeadersNotSigned": header[0].lower()}


@pytest.mark.parametrize("header", UNSIGNED_HEADERS, ids=lambda header: header[0])
def test_a4_unsigned_amz_header_on_signed_request_is_refused(header: tuple[str, str]) -> None:
    refusal = refused(signed("PUT", "/b/k").plus(header))
    # A header of a name that was signed once is joined to it instead.
    expected = "InvalidArgument" if header[0] == "x-amz-content-sha256" else "AccessDenied"
    assert refusal.code == expected


def test_a4_second_value_of_a_signed_header_is_refused() -> None:
    for sent in (
        signed("PUT", "/b/k", headers=[("x-amz-copy-source", "/b/mine")]),
        presigned("PUT", "/b/k", headers=[("x-amz-copy-source", "/b/mine")]),
    ):
        verify(sent)
        assert refused(sent.plus(("x-amz-copy-source", "/b/other"))).code == "SignatureDoesNotMatch"
        first = sent.but(headers=[("x-amz-copy-source", "/b/other"), *sent.headers])
        assert refused(first).code == "SignatureDoesNotMatch"


def test_a4_signed_headers_list_cannot_be_shortened() -> None:
    sent = presigned("PUT", "/b/k", headers=[("x-amz-acl", "private")])
    short = sent.asked("X-Amz-SignedHeaders=host%3Bx-amz-acl", "X-Amz-SignedHeaders=host")
    assert refused(short).fields == {"HeadersNotSigned": "x-amz-acl"}
    assert refused(short.without("x-amz-acl")).code == "SignatureDoesNotMatch"


# --- A6


def test_a6_expired_presigned_url_is_refused() -> None:
    sent = presigned("GET", "/b/k", expires="60")
    verify(sent, now=NOW + 60)
    refusal = refused(sent, now=NOW + 61)
    assert (refusal.code, refusal.status, refusal.message) == ("AccessDenied", 403, "Request has expired")


def test_a6_presigned_url_from_the_future_is_refused() -> None:
    sent = presigned("GET", "/b/k")
    verify(sent, now=NOW - 900)
    refusal = refused(sent, now=NOW - 901)
    assert (refusal.code, refusal.status) == ("AccessDenied", 403)


def test_a6_expiry_of_a_week_is_the_longest() -> None:
    verify(presigned("GET", "/b/k", expires=str(WEEK)), now=NOW + WEEK)
    refusal = refused(presigned("GET", "/b/k", expires=str(WEEK + 1)))
    assert (refusal.code, refusal.status) == ("AuthorizationQueryParametersError", 400)


@pytest.mark.parametrize(
    "expires",
    [
        "0",
        "-1",
        "-1000",
        "99999999999999999999999",
        "9" * 5000,
        "-" + "9" * 5000,
        "NaN",
        "inf",
        "1e3",
        "60.5",
        "%2B60",
        "0x10",
        "+60",
        "%C2%B2",
        "6_0",
        "%2060",
        "60%0A",
    ],
)
def test_a6_expiry_out_of_bounds_or_no_number_is_refused(expires: str) -> None:
    refusal = refused(presigned("GET", "/b/k", expires=expires))
    assert (refusal.code, refusal.status) == ("AuthorizationQueryParametersError", 400)


@pytest.mark.parametrize(
    "altered",
    [
        presigned("GET", "/b/k").but(path="/b/other"),
        presigned("GET", "/b/k").but(path="/b/K"),
        presigned("GET", "/b/k").but(path="/b/k/"),
        presigned("GET", "/b/k").but(path="/b"),
        presigned("GET", "/b/k").but(method="PUT"),
        presigned("GET", "/b/k").but(method="HEAD"),
        presigned("GET", "/b/k").changed("host", "store.test", "other.test"),
        presigned("GET", "/b/k").but(query=presigned("GET", "/b/k").query + "&versionId=1"),
        presigned("GET", "/b/k").but(query="acl&" + presigned("GET", "/b/k").query),
        presigned("GET", "/b/k", "versionId=1").asked("versionId=1", "versionId=2"),
        presigned("GET", "/b/k", "versionId=1").asked("versionId=1&", ""),
        presigned("GET", "/b/k", expires="60").asked("Expires=60", "Expires=61"),
        presigned("GET", "/b/k").asked(KEY, "AKIAOTHER"),
    ],
    ids=lambda sent: f"{sent.method} {sent.path}",
)
def test_a6_presigned_url_changed_in_one_place_is_refused(altered: Sent) -> None:
    verify(presigned("GET", "/b/k"))
    refusal = refused(altered)
    assert (refusal.code, refusal.status) == ("SignatureDoesNotMatch", 403)


@pytest.mark.parametrize(
    "name",
    [
        *PARAMETERS,
        "x-amz-signature",
        "X%2dAmz%2dSignature",
        "X-AMZ-EXPIRES",
    ],
)
@pytest.mark.parametrize("before", [False, True])
def test_a6_auth_parameter_given_twice_is_refused(*, name: str, before: bool) -> None:
    sent = presigned("GET", "/b/k")
    value = next(
        pair.partition("=")[2]
        for pair in sent.query.split("&")
        if pair.lower().startswith(name.lower().replace("%2d", "-"))
    )
    for extra in (f"{name}={value}", f"{name}={ZEROS}"):
        query = f"{extra}&{sent.query}" if before else f"{sent.query}&{extra}"
        assert refused(sent.but(query=query)).code == "AuthorizationQueryParametersError"


@pytest.mark.parametrize("name", ["X-Amz-Signature", "X-Amz-Expires", "X-Amz-Credential", "X-Amz-Date"])
def test_a6_auth_parameter_in_another_case_is_refused(name: str) -> None:
    sent = presigned("GET", "/b/k")
    for other in (name.lower(), name.upper()):
        refusal = refused(sent.asked(f"{name}=", f"{other}="))
        assert refusal.code == "AuthorizationQueryParametersError"


def test_a6_both_header_and_query_auth_is_refused() -> None:
    in_query, in_header = presigned("GET", "/b/k"), signed("GET", "/b/k")
    for query in (in_query.query, f"X-Amz-Signature={ZEROS}", "X-Amz-Algorithm=x", "X%2DAmz-Credential=a"):
        refusal = refused(in_header.but(query=query))
        assert (refusal.code, refusal.status) == ("InvalidArgument", 400)
        assert refusal.fields["ArgumentName"] == "Authorization"
    for query in ("x-amz-signature=0", "X-AMZ-ALGORITHM=x", "awsaccesskeyid=x"):
        assert refused(in_header.but(query=query)).status == 400


def test_a6_two_authorization_headers_are_refused() -> None:
    sent = signed("GET", "/b/k")
    refusal = refused(sent.plus(("Authorization", dict(sent.headers)["authorization"])))
    assert (refusal.code, refusal.status) == ("InvalidArgument", 400)


def test_a6_signature_made_for_the_header_is_none_for_the_query() -> None:
    sent = signed("GET", "/b/k", payload="UNSIGNED-PAYLOAD")
    proof = dict(sent.headers)["authorization"].rpartition("=")[2]
    assert refused(with_signature(presigned("GET", "/b/k"), proof)).code == "SignatureDoesNotMatch"


# --- A20 and A24


def test_a20_signatures_are_compared_in_constant_time() -> None:
    compared = []
    real = hmac.compare_digest

    def watch(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return real(one, other)

    with patch.object(hmac, "compare_digest", watch):
        for sent in (signed("GET", "/b/k"), presigned("GET", "/b/k")):
            verify(sent)
            refused(with_signature(sent, ZEROS))
    assert len(compared) == 4
    assert all(len(one) == 64 for one, _ in compared)


def test_a20_neither_secret_nor_right_signature_is_in_a_refusal() -> None:
    for sent in (signed("GET", "/b/k"), presigned("GET", "/b/k")):
        verified = verify(sent)
        refusal = refused(with_signature(sent, ZEROS))
        text = f"{refusal} {refusal.fields}"
        for secret in ("wJalrXUtnFEMI", verified.signature.decode(), verified.key.hex(), verified.key.hex(" ")):
            assert secret not in text
        assert repr(verified.key) not in repr(verified)


@pytest.mark.parametrize(
    "query",
    [
        f"AWSAccessKeyId={KEY}&Expires=1369357200&Signature=vjbyPxybdZaNmGa%2ByT272YEAiv4%3D",
        f"awsaccesskeyid={KEY}",
        f"AWS%41ccessKeyId={KEY}&Signature=x",
    ],
)
def test_a24_signature_version_2_in_the_query_is_not_taken_for_version_4(query: str) -> None:
    refusal = refused(Sent("GET", "/b/k", query, [("host", "store.test")]))
    assert (refusal.code, refusal.status) == ("InvalidRequest", 400)
    assert "AWS4-HMAC-SHA256" in refusal.message


def test_a24_signature_version_2_in_the_header_is_off() -> None:
    headers = [("host", "store.test"), ("authorization", f"AWS {KEY}:frJIUN8DYpKDtOLCwo//yllqDzg=")]
    refusal = refused(Sent("GET", "/b/k", "", headers))
    assert (refusal.code, refusal.status) == ("InvalidRequest", 400)


def test_a24_a_request_sent_again_is_accepted_while_it_is_valid() -> None:
    sent = signed("GET", "/b/k")
    assert verify(sent) == verify(sent, now=NOW + 900)
    assert refused(sent, now=NOW + 901).code == "RequestTimeTooSkewed"
