"""Which doors a started server has open, and a door that is only put beside the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server import Server, ServerFailed
from tests.serving.raw import Reply, Wire, ask, head

TINY = """
from dataclasses import dataclass
from entrepot.doors import Door
from entrepot.wire.http import Response

@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    word: str = "usual"

def build(core, settings):
    async def answer(request):
        return Response(200, [], f"{settings.word} {request.path.decode()}".encode())

    return answer

DOOR = Door(name="tiny", settings=Settings, build=build, paths=("/tiny/v1/",))
"""


def get(server: Server, target: str, *fields: tuple[str, str], method: str = "GET") -> Reply:
    with Wire(server) as wire:
        wire.send(head(method, target, [("host", "a"), *fields]))
        return wire.answer(head=method == "HEAD")


def planted(folder: Path, text: str = TINY) -> dict[str, str]:
    """Variables with which a server finds a door more, where Python looks for packages."""
    package = folder / "more" / "doors" / "tiny"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(text)
    extend = f"import entrepot.doors\nentrepot.doors.__path__.append({str(package.parent)!r})\n"
    (folder / "more" / "sitecustomize.py").write_text(extend)
    return {"PYTHONPATH": f"{folder / 'more'}:{Server(folder / 'data').environment['PYTHONPATH']}"}


def test_a_door_is_one_folder_and_nothing_else(tmp_path: Path) -> None:
    with Server(tmp_path / "data", environment=planted(tmp_path)) as server:
        assert get(server, "/tiny/v1/x").body == b"usual /tiny/v1/x"
        assert get(server, "/tiny/v2/x").code == "NoSuchBucket"
        assert ask(server, "PUT", "/tiny").status == 200
        assert ask(server, "GET", "/tiny/v1/x").code == "NoSuchKey"  # what is signed as S3 signs is S3's
    tables = {"ENTREPOT_DOORS__TINY__WORD": "other"}
    with Server(tmp_path / "data", environment=server.environment | tables) as server:
        assert get(server, "/tiny/v1/x").body == b"other /tiny/v1/x"
    with Server(tmp_path / "data", environment=server.environment, arguments=["--doors", "s3,monitor"]) as server:
        assert get(server, "/tiny/v1/x").code == "AccessDenied"


def test_doors_in_each_others_way_do_not_start(tmp_path: Path) -> None:
    with pytest.raises(ServerFailed, match=r"doors.tiny: claims /metrics, as monitor does"):
        Server(tmp_path / "data", environment=planted(tmp_path, TINY.replace("/tiny/v1/", "/metrics"))).start()


def test_a_door_that_needs_settings_is_closed_until_it_has_them(tmp_path: Path) -> None:
    environment = planted(tmp_path, TINY.replace('word: str = "usual"', "word: str"))
    with Server(tmp_path / "data", environment=environment) as server:
        assert get(server, "/tiny/v1/x").code == "NoSuchBucket"
    with Server(tmp_path / "data", environment=environment | {"ENTREPOT_DOORS__TINY__WORD": "own"}) as server:
        assert get(server, "/tiny/v1/x").body == b"own /tiny/v1/x"


@pytest.mark.parametrize("closing", [{"ENTREPOT_DOORS__S3__ENABLED": "false"}, "--doors=monitor"])
def test_a_closed_door_answers_nobody(tmp_path: Path, closing: dict[str, str] | str) -> None:
    environment, arguments = ({}, [closing]) if isinstance(closing, str) else (closing, [])
    with Server(tmp_path / "data", environment=environment, arguments=arguments) as server:
        assert get(server, "/health").status == 200
        assert ask(server, "PUT", "/bucket").status == 404


def test_a_query_that_speaks_of_signatures_makes_no_request_s3s(server: Server) -> None:
    for query in ("note=x-amz-y", "x-amz-acl=public-read", "q=awsaccesskeyid"):
        assert get(server, f"/health?{query}").get("content-type") == "application/json"
    assert get(server, "/health?X-Amz-Signature=0").code == "AuthorizationQueryParametersError"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["live", "ready", "cluster", "cluster/read", "cluster?maintenance=true"])
def test_minios_clients_are_told_of_health_where_they_ask(server: Server, method: str, path: str) -> None:
    reply = get(server, f"/minio/health/{path}", method=method)
    assert (reply.status, reply.body) == (200, b"")


def test_minios_clients_are_told_of_a_store_that_went_away(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server:
        (server.data / "blobs").rename(server.data / "elsewhere")
        found = {path: get(server, f"/minio/health/{path}").status for path in ("live", "ready", "cluster", "none")}
        assert found == {"live": 200, "ready": 503, "cluster": 503, "none": 404}


def test_a_bucket_of_minios_name_is_a_bucket(server: Server) -> None:
    assert ask(server, "PUT", "/minio").status == 200
    assert ask(server, "PUT", "/minio/health/live", b"an object").status == 200
    assert ask(server, "GET", "/minio/health/live").body == b"an object"
    assert get(server, "/minio/other").code == "AccessDenied"
    assert ask(server, "DELETE", "/minio/health/live").status == 204
    assert ask(server, "DELETE", "/minio").status == 204
