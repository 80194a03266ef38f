"""The S3 door: Amazon's object storage API, path style and virtual-host style.

``routes`` reads which operation a request asks for, ``calls`` who asks and for what, one function
per operation does it, ``faults`` turns what goes wrong into S3's codes.
"""

from __future__ import annotations

from dataclasses import dataclass

from entrepot import doors
from entrepot.core import Core
from entrepot.doors.s3.faults import refusal_of_objection
from entrepot.doors.s3.routes import Router, render
from entrepot.doors.s3.signing.marks import is_signed
from entrepot.wire.http import Handler, Objection, Request, Response


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """``region`` is what signatures must name, ``domain`` the hosts with buckets as subdomains. ``presigned_version_2``
    takes presigned links and forms of Signature Version 2.
    """

    region: str = "us-east-1"
    domain: tuple[str, ...] = ()
    presigned_version_2: bool = True


def build(core: Core, settings: Settings) -> Handler:
    """The door as a handler."""
    return Router(core, settings.region, settings.domain, version_2=settings.presigned_version_2)


def hosts(settings: Settings) -> tuple[str, ...]:
    """A bucket is a subdomain of each of these."""
    return settings.domain


def refuse(request: Request, objection: Objection) -> Response:
    """The error document for what is refused as HTTP."""
    request.note["door"] = "s3"
    response = render(request, refusal_of_objection(objection))
    response.headers.append((b"x-amz-request-id", request.id.encode()))
    return response


DOOR = doors.Door(name="s3", settings=Settings, build=build, paths=("/",), hosts=hosts, claims=is_signed, refuse=refuse)
