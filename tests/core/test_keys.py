"""Access keys: what is made up, the key of the secrets, and the file that holds it."""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from entrepot.app import application, open_core
from entrepot.config import Config
from entrepot.core.keys import Sealer, load_sealing_key, make_sealing_key, new_pair
from entrepot.errors import Corrupt


def begin(path: Path) -> bytes:
    make_sealing_key(path)
    return load_sealing_key(path)


def test_everybody_who_starts_at_once_gets_the_same_whole_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        for round_ in range(50):
            path = tmp_path / str(round_)
            (key,) = set(threads.map(begin, [path] * 8))
            assert len(key) == 32
            assert path.stat().st_mode & 0o777 == 0o600
    assert len(list(tmp_path.iterdir())) == 50


def test_a_file_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    path.write_bytes(b"short")
    with pytest.raises(Corrupt):
        load_sealing_key(path)
    assert path.read_bytes() == b"short"


def test_another_key_is_told_by_the_place_it_came_from(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    make_sealing_key(path)
    for sealer, place in ((Sealer(path), str(path)), (Sealer(path, bytes(32)), "sealing_key")):
        sealed = Sealer(path, b"x" * 32).seal("SOMEKEY", "some secret")
        with pytest.raises(Corrupt, match=f"put back the {place} that held it"):
            sealer.open("SOMEKEY", sealed)


def test_an_application_opens_no_catalog_whose_key_is_gone(tmp_path: Path) -> None:
    config = Config(data=tmp_path, access_key="FIXEDACCESS", secret_key="fixed-secret-1")

    async def seal() -> None:
        async with open_core(config) as core:
            await core.keys.create("alice")

    async def serve() -> None:
        server = application(config)
        await server.open()
        await server.close()

    asyncio.run(seal())
    asyncio.run(serve())
    (tmp_path / "secret.key").unlink()
    with pytest.raises(Corrupt, match="is gone"):
        asyncio.run(serve())
    assert not (tmp_path / "secret.key").exists()


def test_a_pair_can_be_pasted_anywhere() -> None:
    """A word that begins with a hyphen is an option to every shell command."""
    for _ in range(2_000):
        access_key, secret = new_pair()
        assert re.fullmatch("EP[A-Z0-9]{18}", access_key)
        assert re.fullmatch("[A-Za-z0-9]{40}", secret)
