"""Digests against their published check values, and combination against reading the whole."""

from __future__ import annotations

import hashlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot import digests
from entrepot.errors import ArgumentInvalid

CHECK = {
    # the value over b"123456789" of each algorithm's catalogue entry
    "crc32": "cbf43926",
    "crc32c": "e3069283",
    "crc64nvme": "ae8b14860a799888",
    "md5": "25f9e794323b453885f5181f1b624d0b",
    "sha1": "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
    "sha256": "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
    "sha512": "d9e6762dd1c8eaf6d61b3c6192fc408d4d6d5f1176d0c29169bc24e71c3f274a"
    "d27fcd5811b313d681f7e55ec02d73d499c95455b6b5bb503acf574fba8ffe85",
    "blake3": "b7d65b48420d1033cb2595293263b6f72eabee20d55e699d0df1973b3c9deed1",
}


@pytest.mark.parametrize("name", sorted(digests.SIZES))
def test_check_value(name: str) -> None:
    digest = digests.new_digest(name)
    assert digest.name == name
    digest.update(b"1234")
    digest.update(memoryview(bytearray(b"x56789"))[1:])
    assert digest.hexdigest() == CHECK[name]
    assert digest.digest().hex() == CHECK[name]
    assert len(digest.digest()) == digests.SIZES[name]
    assert digests.digest_of(name, b"123456789").hex() == CHECK[name]


@pytest.mark.parametrize("name", sorted(digests.SIZES))
@given(pieces=st.lists(st.binary(max_size=64)))
def test_cuts_do_not_matter(name: str, pieces: list[bytes]) -> None:
    digest = digests.new_digest(name)
    for piece in pieces:
        digest.update(piece)
    assert digest.digest() == digests.digest_of(name, b"".join(pieces))


@pytest.mark.parametrize("name", sorted(digests.COMBINABLE))
@given(pieces=st.lists(st.binary(max_size=64)))
def test_combine_equals_reading_the_whole(name: str, pieces: list[bytes]) -> None:
    combined = digests.combine(name, [(digests.digest_of(name, piece), len(piece)) for piece in pieces])
    assert combined == digests.digest_of(name, b"".join(pieces))


@pytest.mark.parametrize("name", sorted(digests.COMBINABLE))
def test_combine_pieces_of_large_sizes(name: str) -> None:
    zeros = bytes(1 << 20)
    piece = digests.digest_of(name, zeros)
    doubled, size = piece, len(zeros)
    for _ in range(12):  # 1 MiB doubled to 4 GiB: sizes over 32 bits
        doubled, size = digests.combine(name, [(doubled, size), (doubled, size)]), size * 2
    assert doubled == digests.combine(name, [(piece, len(zeros))] * 4096)
    assert digests.combine(name, []) == bytes(digests.SIZES[name])


def test_combine_refuses_what_can_not_be_combined() -> None:
    with pytest.raises(ArgumentInvalid, match="can not be combined"):
        digests.combine("sha256", [(bytes(32), 1)])
    with pytest.raises(ArgumentInvalid, match="must be 4 bytes"):
        digests.combine("crc32", [(bytes(5), 1)])


def test_unknown_name() -> None:
    with pytest.raises(ArgumentInvalid, match="must be one of"):
        digests.new_digest("sha3")


def test_composite_is_the_digest_of_the_digests() -> None:
    parts = [hashlib.md5(part, usedforsecurity=False).digest() for part in (b"a", b"b")]
    assert digests.composite("md5", parts) == hashlib.md5(b"".join(parts), usedforsecurity=False).digest()
    crcs = [zlib.crc32(part).to_bytes(4, "big") for part in (b"a", b"b")]
    assert digests.composite("crc32", crcs) == zlib.crc32(b"".join(crcs)).to_bytes(4, "big")
