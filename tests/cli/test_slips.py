"""What a hasty hand does: each ends in one line that names what is wrong, and breaks nothing."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.programs import Shell
from tests.server import Server

NO_TEXT = os.fsdecode(b"\xff")
FREE = ("--listen", "127.0.0.1:0")


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A bucket with ``a/b`` and ``c`` in it, and a file beside. It stays as it is."""
    shell = Shell(tmp_path_factory.mktemp("pattern"))
    shell.run("bucket", "create", "photos")
    (shell.home / "file").write_text("x")
    for key in ("a/b", "c"):
        shell.run("put", "file", f"photos/{key}")
    return shell


@pytest.fixture
def held(pattern: Shell, tmp_path: Path) -> Shell:
    """The same, to be changed."""
    return Shell(Path(shutil.copytree(pattern.home, tmp_path / "home")))


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        (["--data", "elsewhere", "ls"], 2, "the command comes first"),
        (["ls", "photos", "and", "more"], 2, "too many words: and more (entrepot ls --help explains)"),
        (["key", "create"], 2, "(entrepot key create --help explains)"),
        (["key", "craete"], 2, "(entrepot key --help explains)"),
        (["sreve"], 2, "(entrepot --help explains)"),
        (["export", "photos", ""], 2, "an argument is empty"),
        (["put", "-r", "", "photos"], 2, "an argument is empty"),
        (["serve", *FREE, "--data", "/dev/null"], 1, "/dev/null is not a directory"),
        (["cp", "-", "-"], 2, "written ep:bucket/key"),
        (["put", "file", "photos", "--media-type", "a\nb: c"], 2, "write it like text/plain"),
        (["get", "photos/none"], 1, "no such object: photos/none"),
        (["cp", "ep:photos/none", "ep:photos/x"], 1, "no such object: photos/none"),
        (["cp", "ep:photos/none", "x"], 1, "no such object: photos/none"),
        (["get", "photos/a"], 2, "photos/a is no object, but objects are below it: add --recursive"),
        (["rm", "photos/a"], 2, "add --recursive"),
        (["ls", "photos/none"], 1, "no such object: photos/none…"),
        (["ls", "-r", "photos/none"], 1, "no such object: photos/none…"),
        (["rm", "-r", "photos/none"], 1, "no such object: photos/none/…"),
        (["rm", "-r", "--versions", "photos/none"], 1, "no such object: photos/none/…"),
        (["get", "-r", "photos/c"], 2, "photos/c is an object: leave out --recursive"),
        (["rm", "-r", "photos/c"], 2, "leave out --recursive"),
        (["get", "-r", "photos/none"], 1, "no such object: photos/none/…"),
        (["cp", "-r", "ep:photos/none", "ep:photos/x"], 1, "no such object: photos/none/…"),
        (["export", "photos/a", "out"], 2, "export writes a whole one"),
        (["get", "photos/c", "file/c"], 1, "file: Not a directory"),
        (["get", "-r", "photos", "file"], 1, "file: Not a directory"),
        (["export", "photos", "file"], 1, "file: Not a directory"),
        (["get", "photos/c", "/proc/none"], 1, "/proc/none: No such file or directory"),
        (["get", "photos/c", "entrepot-data/catalog.sqlite"], 2, "in the data of the store itself"),
        (["get", "-r", "photos", "entrepot-data/blobs/x"], 2, "in the data of the store itself"),
        (["export", "photos", "entrepot-data"], 2, "in the data of the store itself"),
        (["serve", *FREE, "--data", "file"], 1, "/file is not a directory"),
        (["bucket", "create", "photos", "--data", "file"], 1, "/file is not a directory"),
        (["ls", "--config", "."], 1, ".: cannot be read: Is a directory"),
        (["bucket", "create", "No"], 1, "it is 'No'"),
        (["bucket", "create", "tapes", "--store", "tape"], 1, "it is 'tape'"),
        (["serve", "--listen", "9000"], 1, "'9000' is not host:port"),
        (["key", "create", "--account", "a", "--display-name", "a\nb"], 1, "printable text"),
        (["key", "create", "--account", "a", "--grant", "none:read"], 1, "there is no bucket none"),
        (["ls", NO_TEXT], 1, "not UTF-8"),
        (["bucket", "delete", NO_TEXT], 1, "not UTF-8"),
        (["bucket", "set", "photos", "--owner", NO_TEXT], 1, "printable"),
        (["key", "create", "--account", "a", "--display-name", NO_TEXT], 1, "not UTF-8"),
        (["key", "create", "--account", "a", "--secret-key", NO_TEXT * 9], 1, "not UTF-8"),
        (["key", "create", "--account", "a", "--grant", f"{NO_TEXT}:read"], 1, "not UTF-8"),
        (["key", "revoke", NO_TEXT], 1, "not UTF-8"),
        (["jobs", "run", "exprie"], 1, "no such job: exprie; entrepot jobs list shows those that there are"),
    ],
)
def test_one_line_tells_what_is_wrong(pattern: Shell, words: list[str], code: int, hint: str) -> None:
    assert hint in pattern.fail(*words, code=code)


@pytest.mark.parametrize("value", ["12XB", "8MB", "much"])
def test_units_are_told(tmp_path: Path, value: str) -> None:
    shell = Shell(tmp_path, {"ENTREPOT_BLOB_SIZE": value})
    said = shell.fail("ls")
    assert "KiB, MiB, GiB, TiB" in said
    assert f"it is {value!r}, from ENTREPOT_BLOB_SIZE" in said


def test_who_asks_for_a_job_is_told_what_it_waits_for(tmp_path: Path) -> None:
    with Server(tmp_path / "entrepot-data"):
        served = Shell(tmp_path)
        assert "no round of scrub is under way" in served.run("jobs", "cancel", "scrub").err
    hint = "begins when a server does its schedules"
    assert f"no entrepot serve runs on entrepot-data: expire {hint}" in served.run("jobs", "run", "expire").err
    away = replace(served, settings={"ENTREPOT_SCHEDULES__ENABLED": "false"})
    assert f"[schedules] has enabled = false: expire {hint}" in away.run("jobs", "run", "expire").err
    assert re.match(r"collect +idle +began never +due 2", served.run("jobs", "list").out)
    assert "every                 30 days" in served.run("jobs", "show", "scrub").lines
    assert "every                 1 hour" in served.run("jobs", "show", "trim").lines


def test_without_jobs_that_is_told(pattern: Shell) -> None:
    assert "there are no jobs" in pattern.run("jobs", "list").err


def test_a_long_value_is_not_told_back_whole(pattern: Shell) -> None:
    assert len(pattern.fail("put", "-", "photos/" + "k" * 1100, stdin=b"")) < 300


def test_what_is_made_by_the_way_is_told(shell: Shell) -> None:
    where = shell.home / "misspelt"
    shell.fail("bucket", "create", "No", "--data", where)
    shell.fail("key", "create", "--account", "a", "--grant", "photos", "--data", where)
    assert "no data in" in shell.fail("key", "create", "--account", "a", "--grant", "photos:read", "--data", where)
    assert not where.exists()
    assert shell.run("bucket", "create", "photos", "--data", where).err == (
        f"entrepot: there was no data in {where}: it is made now\n"
    )
    assert shell.run("bucket", "create", "others", "--data", where).err == ""
    assert shell.run("key", "create", "--account", "a", "--grant", "*:read", "--data", where).err.count("\n") == 1


def test_the_store_does_not_swallow_itself(held: Shell) -> None:
    put = held.run("put", "-r", ".", "photos/all")
    assert "entrepot-data is left out" in put.err
    keys = [line.split()[-1] for line in held.run("ls", "-r", "photos/all").lines]
    assert keys == ["all/file"]


@pytest.mark.parametrize("name", ["fifo", "link", "folder"])
def test_only_files_are_replaced(held: Shell, name: str) -> None:
    """As root, a device that is replaced by a file breaks the host."""
    os.mkfifo(held.home / "fifo")
    (held.home / "link").symlink_to("fifo")
    (held.home / "folder" / "c").mkdir(parents=True)
    target = "folder" if name == "folder" else name
    assert "something else has the name" in held.fail("get", "photos/c", target)
    assert (held.home / "fifo").is_fifo()
    assert (held.home / "link").is_symlink()


def test_names_that_no_file_can_have(held: Shell) -> None:
    for key, hint in (("n" * 300, "too long for a file"), ("a\nb", "does not end in a file's name")):
        held.run("put", "file", f"photos/{key}")
        assert hint in held.fail("get", f"photos/{key}", code=2)
        held.run("get", f"photos/{key}", "named")
        (held.home / "named").unlink()


def test_a_store_that_is_not_configured_any_more(held: Shell) -> None:
    settings = held.home / "entrepot.toml"
    settings.write_text("[stores.tape]\n")
    (held.home / "large").write_bytes(bytes(100_000))
    held.run("bucket", "create", "tapes", "--store", "tape")
    held.run("put", "large", "tapes")
    settings.unlink()
    for words in (
        ["put", "large", "tapes/again"], ["get", "tapes/large", "back"], ["get", "-r", "tapes", "back"],
        ["cp", "ep:tapes/large", "ep:photos"], ["export", "tapes", "out"],
    ):  # fmt: skip
        assert "the store tape is not configured" in held.fail(*words)
    assert "[stores.tape] is not configured" in held.attempt("doctor").out


def test_damage_names_the_object(held: Shell) -> None:
    (held.home / "large").write_bytes(bytes(100_000))
    held.run("put", "large", "photos")
    blob = next(path for path in (held.home / "entrepot-data" / "blobs").rglob("*") if path.is_file())
    blob.chmod(0o600)
    blob.write_bytes(bytes(99_999) + b"x")
    assert "photos/large: blob" in held.fail("get", "photos/large", "back")
    assert "photos/large: no such blob" in held.fail("get", "photos/large", "-")
    assert not (held.home / "back").exists()


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf", "1e400", "1e18"])
def test_seconds_that_are_none(pattern: Shell, seconds: str) -> None:
    for flag in ("--grace", "--expire"):
        assert "seconds are counted from 0 to" in pattern.fail("collect", flag, seconds, code=2)


@pytest.mark.parametrize("damage", ["all", "half"])
def test_a_damaged_catalog(held: Shell, damage: str) -> None:
    catalog = held.home / "entrepot-data" / "catalog.sqlite"
    whole = catalog.read_bytes()
    catalog.write_bytes(b"no database" if damage == "all" else whole[:4096] + b"\xa5" * (len(whole) - 4096))
    for words in (["ls"], ["bucket", "list"], ["check"], ["serve", *FREE]):
        assert "the catalog is damaged" in held.fail(*words)
    done = held.attempt("doctor")
    assert done.code == 1
    assert "the catalog is damaged" in done.out


def test_what_this_user_may_not_touch(held: Shell) -> None:
    shut = held.home / "shut"
    shut.mkdir(mode=0o500)
    try:
        for words in (
            ["get", "photos/c", "shut/c"],
            ["export", "photos", "shut"],
            ["serve", *FREE, "--data", "shut/data"],
        ):
            assert "Permission denied" in replace(held, humble=True).fail(*words)
    finally:
        shut.chmod(0o700)


def test_a_full_disk_names_the_file(held: Shell) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no /dev/full here")
    with full.open("wb") as out:
        assert held.into(out, "ls", "photos") == (1, "entrepot: standard output: No space left on device\n")
        assert held.into(out, "get", "photos/c", "-") == (1, "entrepot: standard output: No space left on device\n")
        assert held.into(out, "--help")[0] == 1


def test_closed_streams(held: Shell) -> None:
    for words in ("ls photos >&-", "get photos/c - >&-", "put -r . photos/x >&-", "doctor >&-", "put - photos/x <&-"):
        code, said = held.line(words)
        assert code == 1, words
        assert "Bad file descriptor" in said.splitlines()[-1], words
    assert held.line("ls nowhere 2>&-") == (1, "")
    assert held.run("ls", "photos").lines[-1].endswith(" c")
    assert held.run("check").out == "catalog and stores agree\n"


@pytest.mark.parametrize("words", ["export photos out", "get -r photos out", "ls -r photos", "rm -r photos"])
def test_a_reader_of_many_lines_that_has_enough(held: Shell, words: str) -> None:
    many = held.home / "many"
    many.mkdir()
    for number in range(300):
        (many / f"{number:03}").touch()
    held.run("put", "-r", "many", "photos")
    code, said = held.line(f"{words} | true; exit ${{PIPESTATUS[0]}}")
    assert (code, said) == (141, "")


def test_an_encoding_without_the_letters(held: Shell) -> None:
    shell = Shell(held.home, {"PYTHONIOENCODING": "ascii"})
    shell.run("put", "file", "photos/é🚢")
    assert shell.run("ls", "photos/é").out.split()[-1] == r"\xe9\U0001f6a2"
    assert r"photos/\xe9" in shell.fail("get", "photos/é")


def test_an_interruption_while_it_starts(shell: Shell) -> None:
    code = (
        "import sys, entrepot.cli\n"
        "class Interrupted:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'cyclopts': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupted())\n"
        "entrepot.cli.main()\n"
    )
    assert shell.python(code) == (130, "entrepot: interrupted\n")
