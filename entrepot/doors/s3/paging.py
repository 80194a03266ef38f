"""What lists have in common: how long a page may be, and where the next one begins."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from entrepot.doors.s3.refusal import refuse

_LARGEST: Final = 2**31 - 1


def parse_limit(
    text: str | None, name: str, *, most: int, default: int, least: int = 0, largest: int = _LARGEST
) -> int:
    """The length of a page; more than ``most`` is that. Raises the refusal InvalidArgument for what is no number from
    ``least`` to ``largest``.
    """
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 11 and least <= int(text) <= largest):
        raise refuse(
            "InvalidArgument", sentence=f"Argument {name} must be an integer between {least} and {largest}",
            ArgumentName=name, ArgumentValue=text,
        )  # fmt: skip
    return min(int(text), most)


def encode_token(last: str) -> str:
    """Where a page ends, in a form that clients do not take apart and any URL can hold."""
    return base64.urlsafe_b64encode(last.encode()).decode()


def decode_token(token: str) -> str:
    """What :func:`encode_token` was given. Raises the refusal InvalidArgument."""
    try:
        last = base64.b64decode(token, b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        last = ""
    if not last:
        raise refuse(
            "InvalidArgument", sentence="The continuation token provided is incorrect",
            ArgumentName="continuation-token", ArgumentValue=token,
        )  # fmt: skip
    return last


def parse_encoding(text: str | None) -> bool:
    """Whether keys are percent-encoded in the answer. Raises the refusal InvalidArgument."""
    if not text:
        return False
    if text != "url":
        raise refuse(
            "InvalidArgument", sentence="Invalid Encoding Method specified in Request",
            ArgumentName="encoding-type", ArgumentValue=text,
        )  # fmt: skip
    return True
