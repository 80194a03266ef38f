"""Who sends a request, proven: the authorization read, the secret looked up, the signature checked.

A presigned address is asked for again and again, by browsers, players and data frames that read
ranges. Its verdict depends on the request's head, the secret and the time alone, so the first two
thirds of it are remembered: a head that is the same to the last byte, for a secret that is the same
still, only has its time checked. Everything else is judged from the start.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from entrepot.core import Core
from entrepot.doors.s3.refusal import refuse
from entrepot.doors.s3.signing.signature import Authorization, Verified, check, check_time, parse, unknown_key
from entrepot.model import ANONYMOUS, Principal
from entrepot.wire.http import Request

REMEMBERED: Final = 4096
"""Heads of presigned requests kept, about 1 KiB each."""

_REPEATED: Final = frozenset({"GET", "HEAD"})
"""Methods of requests that come again."""

Head = tuple[str, bytes, bytes, tuple[tuple[bytes, bytes], ...]]


class Proofs:
    """Judges requests for one region. A refusal is never remembered."""

    def __init__(self, core: Core, region: str) -> None:
        self._core = core
        self._region = region
        self._seen: OrderedDict[Head, tuple[Authorization, str, Verified]] = OrderedDict()

    async def prove(self, request: Request) -> tuple[Principal, Verified | None]:
        """The principal of a request, and its proof unless it is anonymous. Raises Refusal."""
        head: Head | None = None
        seen = None
        if request.method in _REPEATED and b"X-Amz-Signature=" in request.raw_query:
            head = (request.method, request.raw_path, request.raw_query, tuple(request.headers.raw))
            seen = self._seen.get(head)
        said = parse(request) if seen is None else seen[0]
        if said is None:
            return ANONYMOUS, None
        if said.token is not None:
            raise refuse("InvalidToken", "There are no temporary credentials here: sign without a session token.")
        identity = await self._core.keys.find(said.access_key)
        if identity is None:
            raise unknown_key(said)
        request.note["principal"] = said.access_key
        now = self._core.clock() / 1_000_000
        if seen is not None and seen[1] == identity.secret:
            check_time(said, now)
            return identity.principal, seen[2]
        verified = check(said, request, identity.secret, now=now, region=self._region)
        if head is not None:
            self._remember(head, said, identity.secret, verified)
        return identity.principal, verified

    def _remember(self, head: Head, said: Authorization, secret: str, verified: Verified) -> None:
        self._seen[head] = said, secret, verified
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
