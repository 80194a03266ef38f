"""A8: a key is a name, never a path: stored exactly as it is, or refused, and nothing leaves the data directory."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

import pytest

from tests.doors.s3.door import Door, path_of

if TYPE_CHECKING:
    from pathlib import Path

KEYS = [
    "..", ".", "../..", "../../etc/passwd", "a/../b", "a/./b", "/", "//", "/leading", "//two", "a//b", "trailing/",
    "trailing//", "nul\x00inside", "\x00", "a%2Fb", "%2e%2e/", "%00", "back\\slash", "C:\\x", "con", "~", "~root",
    "tab\tline\nreturn\r", "\x01\x02\x1f\x7f", " ", " lead", "trail ", "+", "a+b c", "?", "a?b=c", "#", "a#b", "&<>\"'",
    "é", "e\u0301", "\U0001f980", "\U0001f468\u200d\U0001f469", "\ufeffbom", "\u202ertl", "\ufffe\uffff", "\ud7ff",
    "catalog.sqlite", "blobs/00/00", ".entrepot", "x" * 1024, "é" * 512, "a;b", "a,b", "*", "null", "undefined",
]  # fmt: skip


def files_of(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_a8_keys_are_stored_exactly(door: Door, tmp_path: Path) -> None:
    before = files_of(tmp_path.parent) - files_of(tmp_path)
    door.ask("PUT", "/mine").ok()
    for number, key in enumerate(KEYS):
        door.ask("PUT", path_of("mine", key), body=b"%d" % number).ok()
    for number, key in enumerate(KEYS):
        assert door.ask("GET", path_of("mine", key)).ok().body == b"%d" % number
    ordered = sorted(KEYS, key=str.encode)
    for query in ("", "list-type=2&", "versions&"):
        answer = door.ask("GET", "/mine", f"{query}encoding-type=url").ok()
        found = answer.words("Version/Key" if query == "versions&" else "Contents/Key")
        assert [unquote(key) for key in found] == ordered
    for key in KEYS:
        door.ask("DELETE", path_of("mine", key)).ok(204)
    assert door.ask("GET", "/mine").words("Contents/Key") == []
    assert files_of(tmp_path.parent) - files_of(tmp_path) == before


def test_a8_keys_too_large_for_a_row_of_the_catalog_are_no_paths(door: Door, tmp_path: Path) -> None:
    """Contents that go to the disk store are named by their digest alone."""
    door.ask("PUT", "/mine").ok()
    for key in ("../../outside", "/etc/outside", "..", "a/../../b"):
        door.ask("PUT", path_of("mine", key), body=key.encode() * 20_000).ok()
    names = {path.name for path in files_of(tmp_path)}
    assert not names & {"outside", "..", "b"}
    stored = [path for path in files_of(tmp_path) if len(path.name) == 64]
    assert len(stored) == 4
    assert all(set(path.name) <= set("0123456789abcdef") for path in stored)


def test_a8_keys_are_listed_within_xml_where_it_can_hold_them(door: Door) -> None:
    door.ask("PUT", "/mine").ok()
    keys = sorted((key for key in KEYS if key.isprintable() or key == "tab\tline\nreturn\r"), key=str.encode)
    for key in keys:
        door.ask("PUT", path_of("mine", key), body=b"1").ok()
    assert door.ask("GET", "/mine", "list-type=2").words("Contents/Key") == keys


@pytest.mark.parametrize("path", ["%FF", "a%C3%28", "%ED%A0%80", "%F8%88%80%80%80", "%C0%AE%C0%AE/x"])
def test_a8_keys_that_are_no_text_are_refused(door: Door, path: str) -> None:
    door.ask("PUT", "/mine").ok()
    for method in ("PUT", "GET", "DELETE"):
        door.ask(method, f"/mine/{path}").refused(400, "InvalidURI")
    assert door.ask("GET", "/mine").words("Contents/Key") == []


@pytest.mark.parametrize("key", ["x" * 1025, "é" * 513, "/" * 1025])
def test_a8_keys_that_are_too_long_are_refused(door: Door, key: str) -> None:
    door.ask("PUT", "/mine").ok()
    door.ask("PUT", path_of("mine", key), body=b"1").refused(400, "KeyTooLongError")
    assert door.ask("GET", "/mine").words("Contents/Key") == []


def test_a8_one_key_in_many_spellings_is_one_object(door: Door) -> None:
    door.ask("PUT", "/mine", headers={"x-amz-acl": "public-read"}).ok()
    door.ask("PUT", "/mine/a-b", body=b"1").ok()
    for path in ("/mine/a-b", "/mine/%61%2D%62", "/mine/a%2db", "/m%69ne/a-b"):
        assert door.ask("GET", path, keys=None).ok().body == b"1"
    for path in ("/mine/a%252Db", "/mine/a%25-b", "/mine//a-b", "/mine/./a-b", "/mine/x/../a-b"):
        door.ask("GET", path, keys=None).refused(404, "NoSuchKey")


@pytest.mark.parametrize("bucket", ["..", ".", "...", "a/../b", "%2e%2e", "..%2f..", "mine%00", "%00", "a\\b"])
def test_a8_buckets_are_no_paths(door: Door, bucket: str, tmp_path: Path) -> None:
    answer = door.ask("PUT", "/" + quote(bucket, safe="%/\\"))
    assert (400 <= answer.status < 500) or answer.status == 501
    assert door.ask("GET", "/").words("Bucket/Name") == []
