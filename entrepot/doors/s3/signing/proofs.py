"""Who sends a request, proven: the authorization read, the secret looked up, the signature checked.

A presigned link is asked for again and again, by browsers, players and data frames that read
ranges. Its verdict depends on the request's head, the secret and the time alone, so the first two
thirds of it are remembered: a head that is the same to the last byte, for a secret that is the same
still, only has its time checked. Everything else is judged from the start.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from entrepot.core import Core
from entrepot.core.keys import Identity
from entrepot.doors.s3.refusal import refuse
from entrepot.doors.s3.signing import post_policy, version2
from entrepot.doors.s3.signing.credentials import no_version_2
from entrepot.doors.s3.signing.signature import Authorization, Verified, check, check_time, parse, unknown_key
from entrepot.model import ANONYMOUS, Principal
from entrepot.wire.http import Request

REMEMBERED: Final = 4096
"""Heads of presigned requests kept, about 1 KiB each."""

HEAD_BYTES: Final = 4096
"""Of a head that is remembered. Its address is good, but what else is in it anybody chose who has the address."""

_REPEATED: Final = frozenset({"GET", "HEAD"})
"""Methods of requests that come again."""

Head = tuple[str, bytes, bytes, tuple[tuple[bytes, bytes], ...]]


class Proofs:
    """Judges requests for one region. A refusal is never remembered. ``version_2`` takes presigned links and
    forms of Signature Version 2 as well.
    """

    def __init__(self, core: Core, region: str, *, version_2: bool = True) -> None:
        self._core = core
        self.region = region
        self._version_2 = version_2
        self._seen: OrderedDict[Head, tuple[Authorization, str, Verified]] = OrderedDict()

    async def prove(self, request: Request, host_bucket: str = "") -> tuple[Principal, Verified | None]:
        """The principal of a request, and its proof unless it is anonymous. ``host_bucket`` is the bucket that
        the host of the request names, if any. Raises Refusal.
        """
        if self._version_2 and version2.MARK in request.raw_query:
            said_2 = version2.parse(request, host_bucket)
            if said_2 is not None:
                return await self._prove_version_2(request, said_2)
        head: Head | None = None
        seen = None
        if request.method in _REPEATED and b"X-Amz-Signature=" in request.raw_query:
            head = (request.method, request.raw_path, request.raw_query, tuple(request.headers.raw))
            seen = self._seen.get(head)
        said = parse(request) if seen is None else seen[0]
        if said is None:
            return ANONYMOUS, None
        identity = await self._identify(request, said.access_key, token=said.token is not None)
        now = self._core.clock() / 1_000_000
        if seen is not None and seen[1] == identity.secret:
            check_time(said, now)
            return identity.principal, seen[2]
        verified = check(said, request, identity.secret, now=now, region=self.region)
        if head is not None and _size(head) <= HEAD_BYTES:
            self._remember(head, said, identity.secret, verified)
        return identity.principal, verified

    async def prove_form(self, request: Request, fields: Mapping[str, str]) -> Principal:
        """Who signed the policy of a form; the anonymous principal for a form without one. Raises Refusal."""
        said = post_policy.parse_proof(fields)
        if said is None:
            return ANONYMOUS.asking(request)
        if said.credential is None and not self._version_2:
            raise no_version_2()
        identity = await self._identify(request, said.access_key, token="x-amz-security-token" in fields)
        post_policy.check_proof(said, identity.secret, self._core.clock() / 1_000_000, self.region)
        return identity.principal.asking(request)

    async def _prove_version_2(self, request: Request, said: version2.Said) -> tuple[Principal, Verified]:
        identity = await self._identify(request, said.access_key, token=said.token)
        return identity.principal, version2.check(said, identity.secret, self._core.clock() / 1_000_000)

    async def _identify(self, request: Request, access_key: str, *, token: bool) -> Identity:
        if token:
            raise refuse("InvalidToken", "There are no temporary credentials here: sign without a session token.")
        identity = await self._core.keys.find(access_key)
        if identity is None:
            raise unknown_key(access_key)
        request.note["principal"] = access_key
        return identity

    def _remember(self, head: Head, said: Authorization, secret: str, verified: Verified) -> None:
        self._seen[head] = said, secret, verified
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)


def _size(head: Head) -> int:
    """Bytes of a head, each field counted with what it costs to be kept."""
    _, path, query, fields = head
    return len(path) + len(query) + sum(_FIELD_BYTES + len(name) + len(value) for name, value in fields)


_FIELD_BYTES: Final = 120
"""What a field takes in memory besides its name and value: a pair and the heads of two byte strings."""
