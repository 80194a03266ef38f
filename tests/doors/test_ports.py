"""Whose a request is on a port of several doors, and doors that are in each other's way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import pytest

from entrepot.core import Core
from entrepot.doors import Door
from entrepot.doors.s3 import DOOR as S3
from entrepot.errors import ConfigInvalid
from entrepot.ports import OpenedDoor, check_claims, share
from entrepot.wire.http import Handler, Headers, Request, Response


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    domain: tuple[str, ...] = ()


def door(name: str, *paths: str, domain: Sequence[str] = ()) -> OpenedDoor:
    """A door that answers with its name."""
    made = Door(name=name, settings=Settings, build=answering, paths=paths, hosts=lambda settings: settings.domain)
    return OpenedDoor(made, Settings(domain=tuple(domain)))


def answering(core: Core, settings: Settings) -> Handler:
    raise AssertionError("the tests bring handlers")


def saying(name: str) -> Handler:
    async def answer(request: Request) -> Response:
        return Response(200, [], name.encode())

    return answer


async def nothing() -> AsyncIterator[bytes]:
    for _ in ():
        yield b""


def ask(port: Handler, target: str, *fields: tuple[bytes, bytes], mount: str = "") -> str:
    path, _, query = target.encode().partition(b"?")
    request = Request("GET", path, query, Headers(list(fields)), nothing(), mount=mount.encode())

    async def answer() -> Response:
        return await port(request)

    response = asyncio.run(answer())
    assert isinstance(response.body, bytes)
    return response.body.decode() or str(response.status)


def port(*doors: OpenedDoor) -> Handler:
    by_name = {opened.door.name: opened for opened in doors}
    return share(by_name, {name: saying(name) for name in by_name})


S3_OPEN = OpenedDoor(S3, S3.settings(domain=("s3.test",)))
ALL = (
    S3_OPEN, door("monitor", "/health", "/minio/health"), door("storage", "/storage/v1/"),
    door("render", "/storage/v1/render"), door("sites", "/preview", domain=["sites.test"]),
)  # fmt: skip


@pytest.mark.parametrize(("target", "expected"), [
    ("/", "s3"), ("/bucket/key", "s3"), ("/health", "monitor"), ("/health/", "monitor"), ("/health/x", "monitor"),
    ("/healthy", "s3"), ("/minio/health/live", "monitor"), ("/minio/healthy", "s3"), ("/minio", "s3"),
    ("/storage/v1", "storage"), ("/storage/v1/object", "storage"), ("/storage/v10", "s3"), ("/storage", "s3"),
    ("/storage/v1/render/x", "render"), ("/storage/v1/rendered", "storage"), ("/preview/a", "sites"),
    # Only what is a parameter's name makes a request S3's, and not what holds one.
    ("/health?note=x-amz-y", "monitor"), ("/health?x-amz-acl=public", "monitor"),
    ("/health?a=X-Amz-Signature=", "monitor"), ("/health?note=AWSAccessKeyId", "monitor"),
    ("/health?X-Amz-Signature=0", "s3"), ("/health/x?a=1&x-amz-credential=y", "s3"), ("/health?AWSAccessKeyId=x", "s3"),
])  # fmt: skip
def test_the_path_and_the_query_decide(target: str, expected: str) -> None:
    assert ask(port(*ALL), target) == expected


@pytest.mark.parametrize(("value", "expected"), [
    (b"AWS4-HMAC-SHA256 Credential=x", "s3"), (b"AWS key:signature", "s3"),
    (b"AWSOME", "monitor"), (b"Bearer x", "monitor"),
])  # fmt: skip
def test_a_signature_goes_before_the_path(value: bytes, expected: str) -> None:
    assert ask(port(*ALL), "/health", (b"authorization", value)) == expected


@pytest.mark.parametrize(("host", "expected"), [
    (b"photos.s3.test", "s3"), (b"Photos.S3.test:9000", "s3"), (b"s3.test", "monitor"), (b"blog.sites.test", "sites"),
])  # fmt: skip
def test_a_host_goes_before_everything(host: bytes, expected: str) -> None:
    assert ask(port(*ALL), "/health", (b"host", host)) == expected
    signed = (b"authorization", b"AWS4-HMAC-SHA256 Credential=x")
    assert ask(port(*ALL), "/x", (b"host", host), signed) == ("sites" if expected == "sites" else "s3")


def test_below_a_mount_point_the_path_begins_there() -> None:
    assert ask(port(*ALL), "/s3/health", mount="/s3") == "monitor"
    assert ask(port(*ALL), "/s3", mount="/s3") == "s3"


def test_what_no_door_claims_is_not_found() -> None:
    assert ask(port(door("monitor", "/health")), "/bucket") == "no door here has this path\n"
    assert ask(port(), "/") == "no door here has this path\n"


@pytest.mark.parametrize("other", [
    door("other", "/x", "/storage/v1"), door("other", "/"), door("other", domain=["S3.test"]),
])  # fmt: skip
def test_two_doors_that_claim_the_same_are_refused(other: OpenedDoor) -> None:
    with pytest.raises(ConfigInvalid, match="claims") as refused:
        check_claims([*ALL, other])
    assert refused.value.name == "doors.other"
    assert refused.value.__str__().count("enabled = false") == 1
