"""By what a request of S3 is known that shares its path with another door."""

from __future__ import annotations

import re
from typing import Final

from entrepot.wire.http import Request

_SCHEMES: Final = (b"AWS4-", b"AWS ")
_PARAMETER: Final = re.compile(
    rb"(?:^|&)(?:x-amz-(?:algorithm|credential|date|expires|signature|signedheaders)|awsaccesskeyid)=", re.IGNORECASE
)


def is_signed(request: Request) -> bool:
    """Whether there is a signature, in the Authorization header or as parameters of the query, good or not."""
    authorization = request.headers.raw_get(b"authorization")
    if authorization is not None and authorization.startswith(_SCHEMES):
        return True
    return _PARAMETER.search(request.raw_query) is not None
