"""One request as an operation sees it: who asks, for which bucket and key, with which body."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Final, TypeVar

from entrepot.core import Core
from entrepot.core.access import Action
from entrepot.core.budget import Booking
from entrepot.core.content import Intake
from entrepot.digests import Digest, new_digest
from entrepot.doors.s3.bodies.checksums import (
    DEFAULT_CHECKSUM,
    Announced,
    decode_checksum,
    parse_announced,
    parse_content_md5,
)
from entrepot.doors.s3.bodies.chunked import Decoder, decoder_for, payload_mismatch
from entrepot.doors.s3.documents.incoming import Document
from entrepot.doors.s3.faults import refusal_of
from entrepot.doors.s3.refusal import Refusal, refuse
from entrepot.doors.s3.signing.proofs import Proofs
from entrepot.doors.s3.signing.signature import Payload, Verified
from entrepot.doors.s3.storage import STANDARD, parse_class
from entrepot.errors import BodyIncomplete, DigestMismatch, TooLarge
from entrepot.model import ALWAYS, NULL_VERSION, STORAGE_CLASS, Bucket, Buffer, Meta, Precondition, Principal
from entrepot.wire.conditions import parse_conditions
from entrepot.wire.documents import SLICE
from entrepot.wire.headers import parse_user_metadata, text_of
from entrepot.wire.http import Headers, Request, Response

T = TypeVar("T")

SINGLE_LIMIT: Final = 5 * 1024**3
"""Bytes of one PutObject or UploadPart."""

METADATA_PREFIX: Final = b"x-amz-meta-"
"""Before the name of free metadata."""

_VERSION_ID: Final = re.compile(r"null|[0-9a-f]{32}")

_CONDITIONAL: Final = frozenset({b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since"})

_KEPT_HEADERS: Final = ("cache-control", "content-disposition", "content-language", "expires")
_DESCRIBING: Final = frozenset(
    {b"content-encoding", b"x-amz-storage-class", *(name.encode() for name in _KEPT_HEADERS)}
)


class Operation:
    """A row of the table of operations: its name, the function that does it, and what it asks for: ``action`` of
    the bucket or key that the request names, ``also`` of a version that it names, or of the source of a copy.
    """

    __slots__ = ("action", "also", "name", "run")

    def __init__(self, name: str, run: Callable[[Call], Awaitable[Response]], action: Action, *also: Action) -> None:
        self.name = name
        self.run = run
        self.action = action
        self.also = also


class Call:
    """A request with its principal, its resource, and the action that it asks for."""

    __slots__ = ("_booking", "action", "bucket", "core", "key", "proofs", "request", "verified", "who")

    def __init__(
        self,
        core: Core,
        request: Request,
        who: Principal,
        verified: Verified | None,
        bucket: str,
        key: str,
        proofs: Proofs,
        action: Action,
    ) -> None:
        self.core = core
        self.request = request
        self.who = who
        self.verified = verified
        self.bucket = bucket
        self.key = key
        self.action = action
        self.proofs = proofs
        self._booking: Booking | None = None

    @property
    def region(self) -> str:
        """The region that the server is in."""
        return self.proofs.region

    async def enter(self) -> Bucket:
        """Have decided from the head of the request what can be: the bucket, in which what is asked for may be
        allowed. Raises BucketMissing, Denied.
        """
        return await self.core.buckets.enter(self.who, self.bucket, self.action, self.key or None)

    def param(self, name: str) -> str | None:
        """The first value of a query parameter. Raises the refusal InvalidURI when it is not UTF-8."""
        if not self.request.raw_query:
            return None
        try:
            return self.request.param(name)
        except UnicodeDecodeError:
            raise refuse("InvalidURI", f"The query is not UTF-8 once percent-decoded, at {name}.") from None

    def number(self, name: str, least: int, most: int) -> int | None:
        """A number in the query, None when it is not there. Raises the refusal InvalidArgument."""
        return parse_number(name, self.param(name), least, most)

    def version_id(self) -> str | None:
        """The version that the query names. Raises the refusal InvalidArgument for what no version is called."""
        found = self.param("versionId")
        if found is not None and not _VERSION_ID.fullmatch(found):
            raise refuse(
                "InvalidArgument", sentence="Invalid version id specified", ArgumentName="versionId",
                ArgumentValue=found,
            )  # fmt: skip
        return found

    async def check_owner(self, header: bytes, bucket: str) -> None:
        """Hold a bucket against the account that a header expects it to be of. Raises Denied."""
        expected = self.request.headers.raw_get(header)
        if expected is not None:
            await self.core.buckets.check_owner(bucket, text_of(expected))

    def incoming(self, limit: int = SINGLE_LIMIT, *, announced: bool = True) -> SignedBody:
        """The body to be stored. Raises Refusal for framing that cannot be right."""
        return SignedBody(self.request, self.verified, limit, announced=announced)

    async def document(self, document: Document[T], *, announced: bool = True) -> T:
        """A document, read while it arrives: framing and digests checked, what is kept of it booked for as long as
        this call lasts. Nothing of it is read for those who may not do what it is about. Raises BucketMissing,
        Denied, Refusal, BodyIncomplete, Busy.

        Without ``announced`` the x-amz-checksum- headers are not about this body.
        """
        if self.action is Action.BUCKET_CREATE:
            self.core.buckets.check_creation(self.who)
        else:
            await self.enter()
        incoming = self.incoming(document.limit, announced=announced)
        incoming.check_size()
        digests = incoming.digests()
        self._booking = self.core.documents.open()
        received = 0
        async for data in incoming.stream():
            received += len(data)
            for digest in digests:
                digest.update(data)
            for start in range(0, len(data), SLICE):
                document.feed(data[start : start + SLICE])
                self._booking.grow(document.kept)
                await asyncio.sleep(0)  # others have a turn
        if incoming.size is not None and incoming.size != received:
            raise BodyIncomplete(received, incoming.size)
        incoming.check_digests({digest.name: digest.digest() for digest in digests})
        return document.finish()

    async def optional_document(self, document: Document[T]) -> T:
        """The document of a request that needs none; without any framing there is none (RFC 9112 §6.3)."""
        headers = self.request.headers
        if headers.raw_get(b"content-length") is None and headers.raw_get(b"transfer-encoding") is None:
            return document.finish()
        return await self.document(document)


class SignedBody:
    """The body of a PutObject or UploadPart: decoded, with what it must come to."""

    __slots__ = ("_announced", "_decoder", "_early", "_md5", "_request", "_trailers", "_verified", "limit", "size")

    def __init__(self, request: Request, verified: Verified | None, limit: int, *, announced: bool = True) -> None:
        headers = request.headers
        self._request = request
        self._verified = verified
        self._decoder: Decoder | None = None
        if verified is None or verified.mode is not Payload.HASHED:
            self._decoder = decoder_for(verified, headers)
        self._announced: Announced | None = parse_announced(headers) if announced else None
        self._md5 = parse_content_md5(headers)
        self._trailers: Mapping[str, str] = {}
        self._early: Mapping[str, bytes] | None = None
        self.limit = limit
        self.size = content_length(request)
        if self._decoder is not None:
            self.size = self._decoder.size if self._decoder.size is not None else self.size
        elif self.size is None and headers.raw_get(b"transfer-encoding") is None:
            raise refuse("MissingContentLength")

    def stream(self) -> AsyncIterator[Buffer]:
        """The content. Its end means that framing and signatures were right."""
        return self._request.body if self._decoder is None else self._decoded(self._decoder)

    async def _decoded(self, decoder: Decoder) -> AsyncIterator[Buffer]:
        async for data in self._request.body:
            for piece in decoder.feed(data):
                yield piece
        self._trailers = decoder.finish()

    @property
    def checksum(self) -> str:
        """The digest that is kept with the object."""
        return DEFAULT_CHECKSUM if self._announced is None else self._announced.name

    @property
    def announced(self) -> str | None:
        """The checksum that the client announced, by name."""
        return None if self._announced is None else self._announced.name

    def intake(self, keep: tuple[str, ...]) -> Intake:
        """The body as core takes it, with the MD5 that is its etag, the digests to ``keep``, and those announced."""
        digests = {"md5", *keep, *self._announced_early()}
        return Intake(self.size, self.limit, tuple(digests), self._expected)

    def refusal(self, error: DigestMismatch) -> Refusal:
        """S3's word for a body that is not what was announced, or not what was signed."""
        signed = None if self._verified is None else self._verified.sha256
        if error.algorithm == "sha256" and signed is not None:
            return payload_mismatch(signed, error.computed)
        return refusal_of(error)

    def _announced_early(self) -> Mapping[str, bytes]:
        """What is known of the body's digests before it comes."""
        if self._early is None:
            self._early = self._read_early()
        return self._early

    def _read_early(self) -> Mapping[str, bytes]:
        expected: dict[str, bytes] = {}  # what was signed is compared first
        if self._verified is not None and self._verified.sha256 is not None:
            expected["sha256"] = bytes.fromhex(self._verified.sha256)
        if self._md5 is not None:
            expected["md5"] = self._md5
        if self._announced is not None and self._announced.value is not None:
            value = self._announced.value
            if expected.setdefault(self._announced.name, value) != value:
                raise refuse("BadDigest", "x-amz-checksum-sha256 is not the SHA-256 that was signed.")
        return expected

    def _expected(self) -> Mapping[str, bytes]:
        expected = self._announced_early()
        if self._announced is None or self._announced.value is not None:
            return expected
        name = self._announced.name
        return {**expected, name: decode_checksum(name, self._trailers.get(f"x-amz-checksum-{name}", ""))}

    def check_size(self) -> None:
        """Raises TooLarge for a document that is announced as longer than it may be."""
        if self.size is not None and self.size > self.limit:
            raise TooLarge("document", self.size, self.limit)

    def digests(self) -> list[Digest]:
        """Those of a small body that it is to be held against, empty."""
        names = set(self._announced_early())
        if self._announced is not None:
            names.add(self._announced.name)
        return [new_digest(name) for name in names]

    def check_digests(self, computed: Mapping[str, bytes]) -> None:
        """Hold the digests of a small body against every one announced. Raises Refusal."""
        sha256 = None if self._verified is None else self._verified.sha256
        if sha256 is not None and computed["sha256"].hex() != sha256:
            raise payload_mismatch(sha256, computed["sha256"].hex())
        for name, value in self._expected().items():
            if computed[name] != value:
                raise refuse("BadDigest", f"The {name} of the body is not the one announced.")


def content_length(request: Request) -> int | None:
    """The announced length of the body as framed. Raises Refusal for what is not a number."""
    raw = request.headers.raw_get(b"content-length")
    if raw is None:
        return None
    if not raw.isdigit() or len(raw) > 19:
        raise refuse("InvalidArgument", "Content-Length is not a number.")
    return int(raw)


def parse_meta(headers: Headers) -> Meta:
    """What the head of a request says about the object it writes. Raises Refusal, ArgumentInvalid."""
    kept = {} if headers.lacks(_DESCRIBING) else _parse_kept(headers)
    media_type = headers.raw_get(b"content-type")
    return Meta("" if media_type is None else text_of(media_type), kept, parse_user_metadata(headers, METADATA_PREFIX))


def _parse_kept(headers: Headers) -> dict[str, str]:
    kept: dict[str, str] = {}
    for name in _KEPT_HEADERS:
        raw = headers.raw_get(name.encode())
        if raw is not None:
            kept[name] = text_of(raw)
    storage = headers.raw_get(b"x-amz-storage-class")
    if storage is not None and parse_class(storage) != STANDARD:
        kept[STORAGE_CLASS] = parse_class(storage)
    encoding = headers.get("content-encoding")
    if encoding is not None:
        words = [word.strip() for word in encoding.split(",")]
        rest = ", ".join(word for word in words if word and word.lower() != "aws-chunked")
        if rest:
            kept["content-encoding"] = rest
    return kept


def parse_number(name: str, text: str | None, least: int, most: int) -> int | None:
    """A number within bounds; None for no text. Raises the refusal InvalidArgument."""
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most:
        return int(text)
    raise refuse(
        "InvalidArgument",
        f"{name} must be a number from {least} to {most}.",
        ArgumentName=name,
        ArgumentValue=text,
    )


def conditions(call: Call, prefix: str = "") -> Precondition:
    """The preconditions of a request; the common case has none and costs next to nothing."""
    headers = call.request.headers
    if not prefix and headers.lacks(_CONDITIONAL):
        return ALWAYS
    return parse_conditions(headers, call.core.clock() // 1_000_000, prefix)


def version_field(version_id: str) -> list[tuple[bytes, bytes]]:
    """The version id, unless the version was written while the bucket kept none."""
    return [] if version_id == NULL_VERSION else [(b"x-amz-version-id", version_id.encode())]
