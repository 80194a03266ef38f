"""obstore (the object_store crate): the conditional writes that table formats and lock files are built on."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
import pytest
from obstore.exceptions import AlreadyExistsError, PreconditionError
from obstore.store import S3Store

from tests.clients.trees import MIB, make_bytes
from tests.server import Server

if TYPE_CHECKING:
    from obstore import UpdateVersion
    from obstore.store import ClientConfig


@pytest.fixture
def store(server: Server, bucket: str) -> S3Store:
    client: ClientConfig = {"root_certificate": Path(server.ca).read_bytes()} if server.ca else {"allow_http": True}
    return S3Store(
        bucket,
        endpoint=server.endpoint,
        access_key_id=server.keys.access,
        secret_access_key=server.keys.secret,
        region="us-east-1",
        copy_if_not_exists="multipart",
        client_options=client,
        retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=60)},
    )


def read(store: S3Store, path: str) -> bytes:
    return bytes(store.get(path).bytes())


def test_put_get_head_list_delete(store: S3Store) -> None:
    body = make_bytes(100_000)
    put = store.put("dir/ünï code", body, attributes={"Content-Type": "text/css", "colour": "blue"})
    got = store.get("dir/ünï code")
    assert (bytes(got.bytes()), got.meta["e_tag"]) == (body, put["e_tag"])
    assert (got.attributes["Content-Type"], got.attributes["colour"]) == ("text/css", "blue")
    assert store.head("dir/ünï code")["size"] == len(body)
    store.copy("dir/ünï code", "dir/copy")
    store.rename("dir/copy", "top")
    listed = store.list_with_delimiter()
    assert (list(listed["common_prefixes"]), [entry["path"] for entry in listed["objects"]]) == (["dir"], ["top"])
    store.delete(["dir/ünï code", "top"])
    assert [entry for page in store.list() for entry in page] == []
    with pytest.raises(FileNotFoundError):
        store.get("top")


def test_create_only_if_absent(store: S3Store) -> None:
    store.put("lock", b"mine", mode="create")
    with pytest.raises(AlreadyExistsError):
        store.put("lock", b"yours", mode="create")
    assert read(store, "lock") == b"mine"
    with pytest.raises(AlreadyExistsError):
        store.copy("lock", "lock", overwrite=False)


def test_compare_and_swap(store: S3Store) -> None:
    first: UpdateVersion = {"e_tag": store.put("state", b"1")["e_tag"]}
    second: UpdateVersion = {"e_tag": store.put("state", b"2", mode=first)["e_tag"]}
    with pytest.raises(PreconditionError):
        store.put("state", b"3", mode=first)
    assert read(store, "state") == b"2"
    store.put("state", b"3", mode=second)
    assert read(store, "state") == b"3"


def test_one_of_many_creators_wins(store: S3Store) -> None:
    async def create(number: int) -> int | None:
        try:
            await store.put_async("lock", str(number).encode(), mode="create")
        except AlreadyExistsError:
            return None
        return number

    async def race() -> list[int | None]:
        return await asyncio.gather(*(create(number) for number in range(24)))

    winners = [number for number in asyncio.run(race()) if number is not None]
    assert [str(number).encode() for number in winners] == [read(store, "lock")]


def test_no_increment_is_lost(store: S3Store) -> None:
    clients, turns = 8, 12
    store.put("counter", b"0")

    async def increment() -> None:
        while True:
            got = await store.get_async("counter")
            value = int(bytes(await got.bytes_async()))
            seen: UpdateVersion = {"e_tag": got.meta["e_tag"]}
            try:
                await store.put_async("counter", str(value + 1).encode(), mode=seen)
            except PreconditionError:
                continue
            return

    async def client() -> None:
        for _ in range(turns):
            await increment()

    async def race() -> None:
        await asyncio.gather(*(client() for _ in range(clients)))

    asyncio.run(race())
    assert read(store, "counter") == str(clients * turns).encode()


def test_ranges(store: S3Store) -> None:
    body = make_bytes(9 * MIB)
    store.put("key", body, use_multipart=False)
    assert bytes(store.get_range("key", start=4 * MIB - 5, length=10)) == body[4 * MIB - 5 : 4 * MIB + 5]
    spans = [(0, 1), (5, 5000), (4 * MIB, 8 * MIB), (len(body) - 9, len(body))]
    starts, ends = zip(*spans, strict=True)
    parts = store.get_ranges("key", starts=starts, ends=ends)
    assert [bytes(part) for part in parts] == [body[start:end] for start, end in spans]
    suffix = store.get("key", options={"range": {"suffix": 100}})
    assert bytes(suffix.bytes()) == body[-100:]


def test_multipart_from_a_stream(store: S3Store, tmp_path: Path) -> None:
    body = make_bytes(21 * MIB + 3)
    (tmp_path / "file").write_bytes(body)
    put = store.put("large", tmp_path / "file", use_multipart=True, chunk_size=5 * MIB, max_concurrency=4)
    assert read(store, "large") == body
    assert str(put["e_tag"]).strip('"').endswith("-5")
    reader = obstore.open_reader(store, "large")
    reader.seek(20 * MIB)
    assert bytes(reader.read()) == body[20 * MIB :]
