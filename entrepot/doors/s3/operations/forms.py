"""S3 PostObject: an object that a browser sends in a form, allowed by a policy that somebody else signed.

The fields of the form are what the header is to PutObject, and are judged by the same rules. Who signed the policy
is known, and may write, before a byte of the file is taken; it goes on as it arrives.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from entrepot.core.access import Action
from entrepot.core.content import Intake
from entrepot.core.names import check_key
from entrepot.core.objects import Put
from entrepot.doors.s3.acl import check_written_acl
from entrepot.doors.s3.bodies.checksums import (
    DEFAULT_CHECKSUM,
    checksum_fields,
    parse_announced,
    parse_content_md5,
)
from entrepot.doors.s3.bodies.forms import MOST_BEFORE, Form, boundary_of
from entrepot.doors.s3.calls import Call, parse_meta, version_field
from entrepot.doors.s3.demands import check_demands
from entrepot.doors.s3.documents.outgoing import posted
from entrepot.doors.s3.documents.tags import TagsDocument, parse_tags
from entrepot.doors.s3.refusal import refuse
from entrepot.doors.s3.signing.post_policy import LARGEST, PROOF, Policy, parse_policy
from entrepot.errors import TooSmall
from entrepot.model import Buffer, Version
from entrepot.wire.conditions import quote_etag
from entrepot.wire.http import Headers, Request, Response

_UNSIGNED: Final = Policy(0, (), 0, LARGEST)
"""What a form without a policy may hold. Whether it may come at all is for the bucket to say."""

_DESCRIBING: Final = frozenset({
    "cache-control", "content-disposition", "content-encoding", "content-language", "content-md5", "content-type",
    "expires",
})  # fmt: skip
"""Fields that are header fields of PutObject, beside those that begin with ``x-amz-``."""

_NOT_OF_FORMS: Final = frozenset({"x-amz-content-sha256", "x-amz-copy-source", "x-amz-trailer"})

_NO_FIELD: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_ADDRESS: Final = re.compile(r"https?://[!-~]+")


async def post_object(call: Call) -> Response:
    """S3 PostObject."""
    if call.verified is not None:
        raise refuse("InvalidRequest", "A form is signed by its policy, and not in its head or address.")
    form = Form(boundary_of(call.request.headers))
    begun = await _read_fields(call.request, form)
    fields = form.fields
    if not fields.get("key"):
        raise refuse(
            "InvalidArgument", sentence="Bucket POST must contain a field named 'key'.  If it is specified, please "
            "check the order of the fields.", ArgumentName="key", ArgumentValue="",
        )  # fmt: skip
    check_key(fields["key"])  # or a short field could become a very long key
    key = fields["key"] = fields["key"].replace("${filename}", form.filename)
    call.request.note["key"] = key
    who = await call.proofs.prove_form(call.request, fields)
    policy = _UNSIGNED
    if "policy" in fields:
        policy = parse_policy(fields["policy"].encode())
        policy.check(fields, call.bucket, call.core.clock() / 1_000_000)
    request = call.request
    meant = Request("PUT", request.raw_path, b"", _headers(fields), request.body, scheme=request.scheme)
    put = Call(call.core, meant, who, None, call.bucket, key, call.proofs, Action.OBJECT_WRITE)
    version = await _put(put, fields, policy, _content(request, form, begun, policy.least))
    return _answer(call, fields, version)


async def _read_fields(request: Request, form: Form) -> list[bytes]:
    """Read up to the file; returns what came of its content already. Raises Refusal."""
    async for data in request.body:
        begun = form.feed(data)
        if form.opened:
            return begun
    form.finish()
    return []


async def _content(request: Request, form: Form, begun: list[bytes], least: int) -> AsyncIterator[Buffer]:
    """The content of the file. Its end means that the form was sound and the file long enough. Raises TooSmall."""
    size = 0
    for piece in begun:
        size += len(piece)
        yield piece
    behind = 0
    async for data in request.body:
        for piece in form.feed(data):
            size += len(piece)
            yield piece
        behind += len(data) if form.ended else 0
        if behind > MOST_BEFORE:
            break  # whatever else there is, it is not wanted
    form.finish()
    if size < least:
        raise TooSmall("body", size, least)


def _headers(fields: dict[str, str]) -> Headers:
    """The header fields of the PutObject that a form stands for. Raises the refusal InvalidArgument."""
    found: list[tuple[bytes, bytes]] = []
    for name, value in fields.items():
        if name == "acl":
            found.append((b"x-amz-acl", value.strip().encode()))
        elif name in _DESCRIBING or (name.startswith("x-amz-") and name not in PROOF):
            if name in _NOT_OF_FORMS or _NO_FIELD.search(value) or not _NAME.fullmatch(name):
                raise refuse(
                    "InvalidArgument", "This field is none of a form, or it holds control characters.",
                    ArgumentName=name[:256], ArgumentValue=ascii(value)[:256],
                )  # fmt: skip
            found.append((name.encode(), value.strip().encode()))
    return Headers(found)


async def _put(call: Call, fields: dict[str, str], policy: Policy, content: AsyncIterator[Buffer]) -> Version:
    headers = call.request.headers
    check_demands(call)
    await check_written_acl(call)
    announced = parse_announced(headers)
    checksum = DEFAULT_CHECKSUM if announced is None else announced.name
    expected: dict[str, bytes] = {}
    if announced is not None and announced.value is not None:
        expected[announced.name] = announced.value
    md5 = parse_content_md5(headers)
    if md5 is not None:
        expected["md5"] = md5
    tags = parse_tags(headers)
    if "tagging" in fields:
        document = TagsDocument()
        document.feed(fields["tagging"].encode())
        tags = document.finish()
    intake = Intake(None, min(policy.most, LARGEST), ("md5", checksum), lambda: expected)
    put = Put(parse_meta(headers), intake, (checksum,), tags=tags)
    return await call.core.objects.put(call.who, call.bucket, call.key, content, put)


def _answer(call: Call, fields: dict[str, str], version: Version) -> Response:
    """What the form asks to be answered: a redirection, a document, or nothing."""
    headers = [(b"etag", quote_etag(version.etag)), *version_field(version.version_id)]
    headers.extend(checksum_fields(version.checksums))
    wanted = _redirection(call, fields, version)
    if wanted is not None:
        return Response(303, [*headers, (b"location", wanted), (b"content-length", b"0")])
    request = call.request
    path = request.raw_path.decode("ascii", "replace").rstrip("/")
    location = f"{request.scheme}://{request.headers.get('host') or ''}{path}/{quote(version.key, safe='/~')}"
    headers.append((b"location", location.encode("ascii", "replace")))
    status = fields.get("success_action_status")
    if status == "201":
        body = posted(location, call.bucket, version.key, version.etag)
        headers += [(b"content-type", b"application/xml"), (b"content-length", b"%d" % len(body))]
        return Response(201, headers, body)
    if status == "200":
        return Response(200, [*headers, (b"content-length", b"0")])
    return Response(204, headers)


def _redirection(call: Call, fields: dict[str, str], version: Version) -> bytes | None:
    """Where the form sends the browser, with what became of it; None without an address that can be one."""
    address = fields.get("success_action_redirect", fields.get("redirect", ""))
    if not _ADDRESS.fullmatch(address):
        return None
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    told = urlencode({"bucket": call.bucket, "key": version.key, "etag": f'"{version.etag}"'}, quote_via=quote)
    return parts._replace(query=f"{parts.query}&{told}" if parts.query else told).geturl().encode("ascii")
