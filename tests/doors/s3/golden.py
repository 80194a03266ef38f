"""Documents as they must be, byte by byte, and as botocore's own parser understands them."""

from __future__ import annotations

import datetime
from typing import Any

import botocore.parsers
import botocore.session

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
MODEL = botocore.session.get_session().get_service_model("s3")

AT = 784_111_777_654_321
"""A point in time in microseconds; documents and headers cut it to the second."""

AT_TEXT = "1994-11-06T08:49:37.000Z"
AT_PARSED = datetime.datetime.fromtimestamp(784_111_777, datetime.UTC)


def golden(root: str, *lines: str) -> bytes:
    """A document from its content, one element or run of elements a line."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{NAMESPACE}">{"".join(lines)}</{root}>'.encode()


def parsed(operation: str, body: bytes, status: int = 200) -> dict[str, Any]:
    """What botocore makes of the body of an answer, without the metadata of the response."""
    parser = botocore.parsers.create_parser("rest-xml")
    response = {"headers": {}, "status_code": status, "body": body}
    result: dict[str, Any] = parser.parse(response, MODEL.operation_model(operation).output_shape)
    result.pop("ResponseMetadata", None)
    return result
