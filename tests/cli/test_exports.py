"""export: the way out, whatever the keys are."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from entrepot.cli.exports import ESCAPED, MANIFEST, escape, is_plain, unescape
from tests.cli.programs import Shell
from tests.clients.boto import make_client
from tests.server import Server

WILD = [
    "../../etc/passwd", "..", ".", "a/../b", "/absolute", "a//b", "trailing/", "nul\0x", "line\nbreak", "\x1b[2J",
    "x" * 1024, "é" * 200, "%2E%2E", "emoji 🚢", "-rf", " ", MANIFEST, f"{ESCAPED}/x", "file", "file/below",
    "file/below/deeper", "file!", "C:\\dir\\name", "~", "*",
]  # fmt: skip

KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=1024).filter(
    lambda key: len(key.encode()) <= 1024
)
NASTY = st.text(st.sampled_from("./a\0%+-"), min_size=1, max_size=8)


def manifest(root: Path) -> dict[str, Any]:
    lines = [json.loads(line) for line in (root / MANIFEST).read_text("utf-8").splitlines()]
    return {line["key"]: line for line in lines}


def test_every_key_comes_out_somewhere_and_nothing_outside(server: Server, beside: Shell) -> None:
    client = make_client(server)
    client.create_bucket(Bucket="wild")
    for number, key in enumerate(WILD):
        client.put_object(Bucket="wild", Key=key, Body=b"%d" % number, Metadata={"number": str(number)})
    root = beside.home / "inside" / "wild"
    before = {path for path in beside.home.rglob("*") if "entrepot-data" not in path.parts}
    done = beside.run("export", "wild", root)
    assert "no safe paths" in done.err
    lines = manifest(root)
    assert set(lines) == set(WILD)
    for number, key in enumerate(WILD):
        line = lines[key]
        path = root / line["path"]
        assert path.read_bytes() == b"%d" % number
        assert line["metadata"] == {"number": str(number)}
        assert line["blake3"] == blake3(path.read_bytes()).hexdigest()
        assert path.resolve().is_relative_to(root.resolve())
        if line["path"] != key:
            assert unescape(line["path"]) == key
    assert lines["file"]["path"] == "file"
    assert lines["%2E%2E"]["path"] == "%2E%2E"
    files = {path for path in root.rglob("*") if path.is_file()}
    assert files == {root / line["path"] for line in lines.values()} | {root / MANIFEST}
    after = {path for path in beside.home.rglob("*") if "entrepot-data" not in path.parts}
    assert {path for path in after - before if not path.is_relative_to(root)} == {root.parent}


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=1024).filter(
        lambda k: len(k.encode()) <= 1024
    )
)
def test_escaping_can_be_undone_and_leads_nowhere_else(key: str) -> None:
    path = escape(key)
    assert unescape(path) == key
    names = path.split("/")
    assert names[0] == ESCAPED
    assert all(name not in {"", ".", ".."} and len(name) <= 255 and name.isascii() for name in names[1:])


@given(
    st.text(st.sampled_from("./a\0%+-"), min_size=1, max_size=8),
    st.text(st.sampled_from("./a\0%+-"), min_size=1, max_size=8),
)
def test_no_two_keys_share_a_path(one: str, other: str) -> None:
    if one != other:
        assert escape(one) != escape(other)
        assert not is_plain(escape(one))


def test_a_second_run_writes_what_has_changed(server: Server, beside: Shell) -> None:
    client = make_client(server)
    client.create_bucket(Bucket="again")
    large = random.Random(3).randbytes(11 * 1024 * 1024)
    parts = client.create_multipart_upload(Bucket="again", Key="parts")["UploadId"]
    where = {"Bucket": "again", "Key": "parts", "UploadId": parts}
    etags = [
        {"PartNumber": n, "ETag": client.upload_part(**where, PartNumber=n, Body=data)["ETag"]}
        for n, data in enumerate([large[: 6 << 20], large[6 << 20 :]], 1)
    ]
    client.complete_multipart_upload(**where, MultipartUpload={"Parts": etags})
    for key in ("kept", "changed", "damaged", "cut"):
        client.put_object(Bucket="again", Key=key, Body=key.encode())
    root = beside.home / "again"
    assert len(beside.run("export", "again", root).lines) == 5
    before = {path.name: path.stat().st_ino for path in root.iterdir()}
    client.put_object(Bucket="again", Key="changed", Body=b"CHANGED")
    (root / "damaged").write_bytes(b"dxmaged")
    (root / "cut").write_bytes(b"c")
    done = beside.run("export", "again", root)
    assert sorted(line.split()[0] for line in done.lines) == ["again/changed", "again/cut", "again/damaged"]
    assert (root / "changed").read_bytes() == b"CHANGED"
    assert (root / "damaged").read_bytes() == b"damaged"
    assert (root / "cut").read_bytes() == b"cut"
    assert (root / "parts").read_bytes() == large
    for name in ("kept", "parts"):
        assert (root / name).stat().st_ino == before[name]
    assert len(manifest(root)) == 5


def test_what_is_in_the_way_is_told_and_the_rest_goes_on(filled: Shell) -> None:
    for key in ("a", "b/c", "d"):
        filled.run("put", "-", f"photos/{key}", stdin=key.encode())
    root = filled.home / "out"
    (root / "a").mkdir(parents=True)
    elsewhere = filled.home / "elsewhere"
    elsewhere.mkdir()
    (root / "b").symlink_to(elsewhere)
    (root / "d").symlink_to(elsewhere / "d")
    done = filled.attempt("export", "photos", root)
    assert done.code == 1
    assert done.err.count("something else has the name") == 2
    assert list(elsewhere.iterdir()) == []
    assert (root / "d").read_bytes() == b"d"
    assert "error" in manifest(root)["a"]
    assert manifest(root)["d"]["path"] == "d"


def test_an_empty_or_absent_bucket(filled: Shell) -> None:
    filled.run("export", "photos", "out")
    assert manifest(filled.home / "out") == {}
    assert "no such bucket" in filled.fail("export", "absent", "other")
    assert not (filled.home / "other").exists()


@pytest.mark.parametrize("versioning", ["off", "on"])
def test_only_what_is_current_comes_out(filled: Shell, versioning: str) -> None:
    if versioning == "on":
        filled.run("bucket", "set", "photos", "--versioning", versioning)
    for body in (b"old", b"new"):
        filled.run("put", "-", "photos/x", stdin=body)
    filled.run("put", "-", "photos/gone", stdin=b"gone")
    filled.run("rm", "photos/gone")
    filled.run("export", "photos", "out")
    assert set(manifest(filled.home / "out")) == {"x"}
    assert (filled.home / "out" / "x").read_bytes() == b"new"
