"""What S3 answers to requests that are signed wrongly, and to unusual ones that are signed well."""

from __future__ import annotations

from urllib.parse import unquote, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.doors.s3.refusal import TABLE, Refusal, refuse
from entrepot.doors.s3.signing import canonical, signature, timestamps
from entrepot.doors.s3.signing.signature import Payload
from tests.doors.s3.signing import EMPTY, KEY, NOW, STAMP, Sent, presigned, refused, signed, verify

GET = ("GET", "/photos/cat.jpg")


def test_a_request_without_any_signature_is_anonymous() -> None:
    assert signature.parse(Sent(*GET, "prefix=a&x-amz-foo=1", [("host", "store.test")]).request()) is None


def test_every_refusal_has_a_client_or_server_status_and_a_text() -> None:
    for code, (status, message) in TABLE.items():
        refusal = refuse(code, Resource="/x")
        assert (refusal.code, refusal.status, refusal.message) == (code, status, message)
        assert refusal.fields == {"Resource": "/x"}
        assert 300 <= status < 600


# --- The Authorization header


@pytest.mark.parametrize(
    "layout",
    [
        "AWS4-HMAC-SHA256 Credential={c},SignedHeaders={h},Signature={s}",
        "AWS4-HMAC-SHA256 Signature={s}, Credential={c}, SignedHeaders={h}",
        "AWS4-HMAC-SHA256   Credential={c} ,  SignedHeaders={h} ,Signature={s}  ",
    ],
)
def test_components_in_any_order_and_spacing(layout: str) -> None:
    sent = signed(*GET)
    value = dict(sent.headers)["authorization"]
    parts = {part.partition("=")[0]: part.partition("=")[2] for part in value.split(" ", 1)[1].split(", ")}
    value = layout.format(c=parts["Credential"], h=parts["SignedHeaders"], s=parts["Signature"])
    verify(sent.without("authorization").plus(("authorization", value)))


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("", "AccessDenied"),
        ("   ", "AccessDenied"),
        ("HAHAHA", "InvalidArgument"),
        ("AWS HAHAHA", "InvalidArgument"),
        ("Bearer abc", "InvalidArgument"),
        ("aws4-hmac-sha256 Credential=x, SignedHeaders=host, Signature=0", "InvalidArgument"),
        (f"AWS {KEY}:frJIUN8DYpKDtOLCwo//yllqDzg=", "InvalidRequest"),
        (
            f"AWS4-ECDSA-P256-SHA256 Credential={KEY}/20130524/s3/aws4_request, SignedHeaders=host, Signature=30",
            "NotImplemented",
        ),
        ("AWS4-HMAC-SHA256", "AuthorizationHeaderMalformed"),
        ("AWS4-HMAC-SHA256 Credential={c}, SignedHeaders=host", "AuthorizationHeaderMalformed"),
        ("AWS4-HMAC-SHA256 Credential={c}, Signature=0", "AuthorizationHeaderMalformed"),
        ("AWS4-HMAC-SHA256 SignedHeaders=host, Signature=0", "AuthorizationHeaderMalformed"),
        ("AWS4-HMAC-SHA256 Credential={c}, SignedHeaders=host, Signature=", "AuthorizationHeaderMalformed"),
        (
            "AWS4-HMAC-SHA256 Credential={c}, SignedHeaders=host, Signature=0, Signature=1",
            "AuthorizationHeaderMalformed",
        ),
        ("AWS4-HMAC-SHA256 Credential={c}, SignedHeaders=host, Signature=0, Extra=1", "AuthorizationHeaderMalformed"),
        ("AWS4-HMAC-SHA256 Credential={c}, SignedHeaders=x-amz-date, Signature=0", "AuthorizationHeaderMalformed"),
        ("AWS4-HMAC-SHA256 Credential={c}, SignedHeaders=x-amz-date;host, Signature=0", "AuthorizationHeaderMalformed"),
        ("AWS4-HMAC-SHA256 Credential={c}, SignedHeaders=host;host, Signature=0", "AuthorizationHeaderMalformed"),
        ("AWS4-HMAC-SHA256 Credential={c}, SignedHeaders=Host, Signature=0", "AuthorizationHeaderMalformed"),
        ("AWS4-HMAC-SHA256 Credential={c}, SignedHeaders=;host, Signature=0", "AuthorizationHeaderMalformed"),
    ],
)
def test_authorization_that_is_malformed(value: str, code: str) -> None:
    value = value.replace("{c}", f"{KEY}/20130524/us-east-1/s3/aws4_request")
    refusal = refused(signed(*GET).without("authorization").plus(("authorization", value)))
    assert refusal.code == code


@pytest.mark.parametrize(
    "credential",
    [
        KEY,
        f"{KEY}/20130524/us-east-1/s3",
        "/20130524/us-east-1/s3/aws4_request",
        f"{KEY}/20130524//s3/aws4_request",
        f"{KEY}/20130524/us-east-1/s3/aws5_request",
        f"{KEY}/2013052/us-east-1/s3/aws4_request",
        f"{KEY}/2013-5-4/us-east-1/s3/aws4_request",
        f"{KEY}\xe9/20130524/us-east-1/s3/aws4_request",
        f"{KEY}/20130524/us-east-1/s3/aws4_request/",
    ],
)
def test_credential_that_is_malformed(credential: str) -> None:
    scope = f"{KEY}/20130524/us-east-1/s3/aws4_request"
    in_header = refused(signed(*GET).changed("authorization", scope, credential))
    assert (in_header.code, in_header.status) == ("AuthorizationHeaderMalformed", 400)
    in_query = refused(presigned(*GET).asked(scope.replace("/", "%2F"), credential.replace("/", "%2F")))
    assert (in_query.code, in_query.status) == ("AuthorizationQueryParametersError", 400)


def test_access_key_may_hold_a_slash() -> None:
    sent = signed(*GET).changed("authorization", f"Credential={KEY}", "Credential=team/a")
    assert verify(sent).access_key == "team/a"


def test_wrong_region_tells_the_right_one() -> None:
    refusal = refused(signed(*GET, region="eu-west-1"))
    assert (refusal.code, refusal.status) == ("AuthorizationHeaderMalformed", 400)
    assert refusal.fields["Region"] == "us-east-1"
    refusal = refused(presigned(*GET, region="eu-west-1"))
    assert (refusal.code, refusal.fields["Region"]) == ("AuthorizationQueryParametersError", "us-east-1")
    verify(signed(*GET, region="eu-west-1"), region="eu-west-1")


def test_another_service_is_for_another_door() -> None:
    sent = signed(*GET, service="sts")
    assert refused(sent).code == "AuthorizationHeaderMalformed"
    request = sent.request()
    authorization = signature.parse(request)
    assert authorization is not None
    signature.check(
        authorization, request, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", now=NOW, region="us-east-1", service="sts"
    )


def test_unknown_access_key() -> None:
    authorization = signature.parse(signed(*GET).request())
    assert authorization is not None
    refusal = signature.unknown_key(authorization.access_key)
    assert (refusal.code, refusal.status) == ("InvalidAccessKeyId", 403)
    assert refusal.fields == {"AWSAccessKeyId": KEY}


# --- Dates


@pytest.mark.parametrize("off", [-901, 901, -86400])
def test_clock_too_far_off(off: int) -> None:
    refusal = refused(signed(*GET), now=NOW + off)
    assert (refusal.code, refusal.status) == ("RequestTimeTooSkewed", 403)
    assert refusal.fields == {
        "RequestTime": STAMP,
        "ServerTime": timestamps.extended(NOW + off),
        "MaxAllowedSkewMilliseconds": "900000",
    }


@pytest.mark.parametrize("off", [-900, 0, 900])
def test_clock_within_a_quarter_of_an_hour(off: int) -> None:
    verify(signed(*GET), now=NOW + off)


@pytest.mark.parametrize(
    "stamp",
    [
        "",
        "20130524",
        "20130524T000000",
        "2013-05-24T00:00:00Z",
        "20130524T240000Z",
        "20130524T006000Z",
        "20130230T000000Z",
        "20130524t000000z",
        "20130524T0000000Z",
        "\xb2\xb2130524T000000Z",
        "Fri, 24 May 2013 00:00:00 GMT",
        "-0130524T000000Z",
    ],
)
def test_date_that_is_none(stamp: str) -> None:
    in_header = refused(signed(*GET).changed("x-amz-date", STAMP, stamp))
    assert (in_header.code, in_header.status) == ("AccessDenied", 403)
    in_query = refused(presigned(*GET).asked(f"X-Amz-Date={STAMP}", f"X-Amz-Date={stamp}"))
    assert in_query.code == "AuthorizationQueryParametersError"


@pytest.mark.parametrize("date", ["Fri, 24 May 2013 00:00:00 GMT", "Fri, 24 May 2013 02:00:00 +0200"])
def test_date_header_instead_of_x_amz_date(date: str) -> None:
    assert verify(signed(*GET, headers=[("date", date)], date_header=False)).timestamp == STAMP.encode()


@pytest.mark.parametrize(
    "date",
    [
        None,
        "",
        "yesterday",
        "Fri, 24 May 99999 00:00:00 GMT",
        "Fri, 24 May 2013",
        "Fri, 24 May 2013 00:00:00 +99999999",
    ],
)
def test_neither_date(date: str | None) -> None:
    headers = [] if date is None else [("date", date)]
    refusal = refused(signed(*GET, headers=headers, date_header=False))
    assert (refusal.code, refusal.status) == ("AccessDenied", 403)


def test_credential_of_another_day_than_the_date() -> None:
    assert refused(signed(*GET, day="20130523")).code == "AuthorizationHeaderMalformed"
    sent = presigned(*GET).asked("%2F20130524%2F", "%2F20130523%2F")
    assert refused(sent).code == "AuthorizationQueryParametersError"


# --- Headers


def test_values_are_trimmed_squeezed_and_joined() -> None:
    headers = [("x-amz-meta-a", "  one \t  two  "), ("X-Amz-Meta-B", "1"), ("x-amz-meta-b", " 2 ")]
    verify(signed("PUT", "/b/k", headers=headers))
    reordered = signed("PUT", "/b/k", headers=headers)
    reordered.headers[2], reordered.headers[3] = reordered.headers[3], reordered.headers[2]
    assert refused(reordered).code == "SignatureDoesNotMatch"


def test_bytes_of_a_header_are_signed_as_they_are() -> None:
    verify(signed("PUT", "/b/k", headers=[("x-amz-meta-name", "Entrepôt".encode().decode("latin-1"))]))


def test_headers_that_a_proxy_may_touch_need_no_signature() -> None:
    sent = signed(*GET).plus(
        ("user-agent", "x"),
        ("accept-encoding", "gzip"),
        ("connection", "close"),
        ("te", "trailers"),
        ("expect", "100-continue"),
        ("content-type", "text/plain"),
        ("x-forwarded-for", "10.0.0.1"),
    )
    verify(sent)


def test_signed_header_that_is_gone_is_a_mismatch_that_shows_it() -> None:
    sent = signed(*GET, headers=[("range", "bytes=0-9")]).without("range")
    refusal = refused(sent)
    assert refusal.code == "SignatureDoesNotMatch"
    assert "range:" not in refusal.fields["CanonicalRequest"]
    assert "host;range;" in refusal.fields["CanonicalRequest"]


def test_empty_signed_header_cannot_be_taken_away() -> None:
    sent = signed(*GET, headers=[("x-amz-meta-empty", "")])
    verify(sent)
    assert refused(sent.without("x-amz-meta-empty")).code == "SignatureDoesNotMatch"


@pytest.mark.parametrize("sent", [signed(*GET), presigned(*GET)], ids=["header", "query"])
def test_host_must_be_there_once(sent: Sent) -> None:
    for broken in (sent.without("host"), sent.plus(("host", "store.test")), sent.changed("host", "store.test", "")):
        refusal = refused(broken)
        assert (refusal.code, refusal.status) == ("InvalidRequest", 400)
        assert "Host" in refusal.message


def test_host_counts_with_its_port() -> None:
    verify(signed(*GET, host="store.test:9000"))
    assert refused(signed(*GET, host="store.test:9000").changed("host", ":9000", "")).code == ("SignatureDoesNotMatch")


@pytest.mark.parametrize(
    ("value", "mode"),
    [
        ("UNSIGNED-PAYLOAD", Payload.UNSIGNED),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", Payload.CHUNKS),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", Payload.CHUNKS_TRAILER),
        ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", Payload.UNSIGNED_TRAILER),
        (EMPTY, Payload.HASHED),
        (EMPTY.upper(), Payload.HASHED),
    ],
)
def test_payload_modes(value: str, mode: Payload) -> None:
    verified = verify(signed("PUT", "/b/k", payload=value))
    assert verified.mode is mode
    assert verified.sha256 == (EMPTY if mode is Payload.HASHED else None)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("", "InvalidArgument"),
        ("invalid", "InvalidArgument"),
        ("unsigned-payload", "InvalidArgument"),
        (EMPTY[:-1], "InvalidArgument"),
        (EMPTY + "0", "InvalidArgument"),
        ("g" * 64, "InvalidArgument"),
        ("STREAMING-NOTHING", "InvalidArgument"),
        ("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "NotImplemented"),
        ("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER", "NotImplemented"),
    ],
)
def test_payload_modes_that_are_none(value: str, code: str) -> None:
    refusal = refused(signed("PUT", "/b/k", payload=value))
    assert (refusal.code, refusal.status) == (code, TABLE[code][0])
    if code == "InvalidArgument":
        assert refusal.fields == {"ArgumentName": "x-amz-content-sha256", "ArgumentValue": value}


def test_payload_mode_is_required_in_a_signed_request() -> None:
    names = ["host", "x-amz-date"]
    refusal = refused(signed("PUT", "/b/k", names=names).without("x-amz-content-sha256"))
    assert (refusal.code, refusal.status) == ("InvalidRequest", 400)
    assert "x-amz-content-sha256" in refusal.message


def test_payload_mode_of_a_presigned_request() -> None:
    query = f"X-Amz-Content-Sha256={EMPTY}"
    assert verify(presigned("PUT", "/b/k", query, payload=EMPTY)).sha256 == EMPTY
    header = [("x-amz-content-sha256", EMPTY)]
    assert verify(presigned("PUT", "/b/k", headers=header, payload=EMPTY)).sha256 == EMPTY
    both = presigned("PUT", "/b/k", "X-Amz-Content-Sha256=UNSIGNED-PAYLOAD", header, payload=EMPTY)
    assert refused(both).code == "AuthorizationQueryParametersError"
    for mode in Payload:
        if mode.value.startswith("STREAMING"):
            sent = presigned("PUT", "/b/k", headers=[("x-amz-content-sha256", mode.value)], payload=mode.value)
            assert refused(sent).code == "InvalidRequest"


def test_session_token_is_told_to_the_caller() -> None:
    authorization = signature.parse(signed(*GET, headers=[("x-amz-security-token", "t/1+=")]).request())
    assert authorization is not None
    assert authorization.token == "t/1+="
    sent = presigned(*GET, "X-Amz-Security-Token=t%2F1%2B%3D")
    verify(sent)
    authorization = signature.parse(sent.request())
    assert authorization is not None
    assert authorization.token == "t/1+="


# --- Texts for people and for XML


def test_mismatch_texts_can_stand_in_xml() -> None:
    sent = signed("PUT", "/b/k", headers=[("x-amz-meta-a", "\x01\x0c\xff\xef\xbf\xbf")])
    fields = refused(sent, secret="other").fields
    for name in ("CanonicalRequest", "StringToSign", "SignatureProvided", "AWSAccessKeyId"):
        assert all(char == "\n" or (char.isprintable() and char != "\uffff") for char in fields[name]), name
    assert bytes.fromhex(fields["CanonicalRequestBytes"]).count(b"\x01\x0c\xff") == 1


# --- Canonical forms


@given(st.binary(max_size=60))
def test_path_forms_stand_for_the_bytes_of_the_path(raw: bytes) -> None:
    forms = canonical.path_forms(b"/" + raw)
    assert 1 <= len(forms) <= 2
    for form in forms:
        assert unquote_to_bytes(form) == unquote_to_bytes(b"/" + raw)
        assert canonical.path_forms(form)[0] == form


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"prefix", b"%70refix", b"a", b"", b"x=y", b"%zz"]),
            st.one_of(st.none(), st.binary(max_size=12), st.text("+%2F =a&~/é", max_size=8).map(str.encode)),
        )
    )
)
def test_signed_query_is_the_query_that_operations_read(pairs: list[tuple[bytes, bytes | None]]) -> None:
    raw = b"&".join(name if value is None else name + b"=" + value for name, value in pairs)
    request = Sent("GET", "/", raw.decode("latin-1")).request()
    signed_pairs = canonical.query_pairs(raw)
    assert signed_pairs == sorted(signed_pairs)
    try:
        read = {(name, request.param(name)) for name in request.names}
    except UnicodeDecodeError:
        return
    signed_values = {(unquote(name.decode()), unquote(value.decode())) for name, value in signed_pairs}
    assert read - {("", "")} <= signed_values
    assert {name for name, _ in signed_values} <= {name for name, _ in read}


def test_parameters_are_sorted_by_encoded_name_then_value() -> None:
    assert canonical.query_pairs(b"b=2&a-=1&a=z&a=%41&B=1&&") == [
        (b"B", b"1"),
        (b"a", b"A"),
        (b"a", b"z"),
        (b"a-", b"1"),
        (b"b", b"2"),
    ]


@given(st.integers(min_value=0, max_value=4102444800))
def test_timestamps_round_trip(seconds: int) -> None:
    assert timestamps.parse_basic(timestamps.basic(seconds).encode()) == seconds


def test_refusals_are_exceptions_with_readable_texts() -> None:
    with pytest.raises(Refusal, match="NoSuchBucket: The specified bucket does not exist"):
        raise refuse("NoSuchBucket")
