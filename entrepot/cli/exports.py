"""``entrepot export``: a bucket as plain files, with nothing of Entrepôt's needed to read them."""

from __future__ import annotations

import datetime
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, Annotated, Final
from urllib.parse import unquote

from cyclopts import Parameter

from entrepot.cli.downloads import HOPELESS, moving
from entrepot.cli.folders import Folder, digest_of, is_safe, read_file
from entrepot.cli.listings import walk
from entrepot.cli.opening import ROOT, Data, File, check_outside, own_directories, with_core
from entrepot.cli.places import Remote, parse_remote
from entrepot.cli.progress import Tally, is_live
from entrepot.cli.several import each
from entrepot.cli.words import Misused, advice, complain
from entrepot.core import Core
from entrepot.core.objects import Opened, stream
from entrepot.errors import ArgumentInvalid, Corrupt, Missing, Unavailable
from entrepot.model import Listed

MANIFEST: Final = "entrepot-export.jsonl"
ESCAPED: Final = "entrepot-escaped"
PLAIN: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
CHUNK: Final = 200
"""Characters of one name of an escaped path."""


def export(
    bucket: Annotated[str, Parameter(help="The bucket.")],
    directory: Annotated[Path, Parameter(help="Where to write; made if need be.")],
    /,
    *,
    data: Data = None,
    config: File = None,
) -> int:
    """Write every current object of a bucket out as a plain file, its key as the path.

    A key that is no safe path goes, escaped, below entrepot-escaped/. The file entrepot-export.jsonl
    has a line for each object: key, path, size, digest, media type, metadata. Run again, it writes
    only what has changed; it deletes nothing.
    """
    remote = parse_remote(bucket)
    if remote.key:
        raise Misused(f"{remote} is not a bucket: export writes a whole one, entrepot get --recursive a part")
    bucket = remote.bucket
    check_outside(directory, own_directories(data, config))

    async def work(core: Core) -> int:
        await core.buckets.get(ROOT, bucket)
        total = sum([item.size async for item in walk(core, bucket, "")]) if is_live() else None
        with (
            closing(Folder(directory)) as folder,
            tempfile.TemporaryFile(dir=directory) as lines,
            Tally(total) as tally,
        ):
            run = _Export(core, bucket, folder, lines, tally)
            await each(_placed(walk(core, bucket, "")), run.write)
            await run.finish()
        return tally.code

    return with_core(data, config, work, content=True)


class _Export:
    """One run: objects into a folder, a line for each into ``lines``."""

    def __init__(self, core: Core, bucket: str, folder: Folder, lines: IO[bytes], tally: Tally) -> None:
        self._core = core
        self._bucket = bucket
        self._folder = folder
        self._lines = lines
        self._tally = tally
        self._escaped = 0

    async def write(self, placed: tuple[Listed, str]) -> None:
        """Export one object; what is wrong with it alone is told, counted and noted in its line."""
        item, path = placed
        source = Remote(self._bucket, item.key)
        try:
            opened = await self._core.objects.open(ROOT, self._bucket, item.key)
            present = await self._present(path, opened)
            digest = present or await self._write(path, opened)
        except (Missing, Corrupt, ArgumentInvalid, Unavailable) as error:
            self._fail(item, source, str(error), advice(error))
        except OSError as error:
            if error.errno in HOPELESS:
                raise
            why = error.strerror or str(error)
            self._fail(item, source, why, why)
        else:
            if present is None:
                self._tally.done(source, self._folder.root / path, opened.version.size)
            else:
                self._tally.moved(opened.version.size)
            self._escaped += path.startswith(f"{ESCAPED}/")
            self._note(record(opened, path, digest))

    async def _write(self, path: str, opened: Opened) -> bytes:
        """Its digest."""
        bytes_ = moving(opened, self._tally)
        _, digest = await self._folder.write(path.split("/"), bytes_, opened.version.created_at)
        return digest

    async def _present(self, path: str, opened: Opened) -> bytes | None:
        """The digest of a file that holds these very bytes already, else None."""
        file = self._folder.find(path.split("/"))
        if file is None:
            return None
        with file:
            if file.seek(0, 2) != opened.version.size:
                return None
            file.seek(0)
            there = await digest_of(read_file(file))
        # What was completed from parts has no digest of its whole in the catalog.
        wanted = opened.version.bytes.hash or await digest_of(stream(await opened.read()))
        return there if there == wanted else None

    def _fail(self, item: Listed, source: Remote, error: str, told: str) -> None:
        self._tally.failed(f"{source}: {told}")
        self._note({"key": item.key, "error": error})

    def _note(self, line: dict[str, object]) -> None:
        self._lines.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")

    async def finish(self) -> None:
        """Put the manifest in place."""
        self._lines.seek(0)
        await self._folder.write([MANIFEST], read_file(self._lines), self._core.clock())
        if self._escaped:
            complain(f"{self._escaped} keys are no safe paths: their files are below {ESCAPED}, see {MANIFEST}")


def record(opened: Opened, path: str, digest: bytes) -> dict[str, object]:
    """An object's line in the manifest; ``blake3`` is that of the file as it was written."""
    version = opened.version
    modified = datetime.datetime.fromtimestamp(version.created_at / 1_000_000, datetime.UTC)
    return {
        "key": version.key,
        "path": path,
        "size": version.size,
        "blake3": digest.hex(),
        "etag": version.etag,
        "modified": modified.isoformat(),
        "version": version.version_id,
        "media_type": version.meta.media_type,
        "headers": dict(version.meta.headers),
        "metadata": dict(version.meta.user),
    }


async def _placed(items: AsyncIterator[Listed]) -> AsyncIterator[tuple[Listed, str]]:
    """Each object with its path. Where ``a`` is a file ``a/b`` cannot be one, and is escaped.

    Keys come in the order of their bytes, so what lies between ``a`` and ``a/b`` begins with ``a``:
    the files that could be in the way of a key are those keys before it that it begins with.
    """
    before: list[str] = []
    async for item in items:
        key = item.key
        while before and not key.startswith(before[-1]):
            before.pop()
        if is_plain(key) and not any(key[len(file)] == "/" for file in before):
            before.append(key)
            yield item, key
        else:
            yield item, escape(key)


def is_plain(key: str) -> bool:
    """Whether a key can be a path as it is, beside the names that an export has for itself."""
    return is_safe(key) and key.partition("/")[0] not in {MANIFEST, ESCAPED}


def escape(key: str) -> str:
    r"""The path of a key that cannot be one: every byte but letters, digits, ``_`` and ``-`` as
    ``%XX``, cut into names of which all but the last end with ``+``.

    >>> escape("../a b"), unescape(escape("../a b"))
    ('entrepot-escaped/%2E%2E%2Fa%20b', '../a b')
    """
    text = "".join(chr(byte) if byte in PLAIN else f"%{byte:02X}" for byte in key.encode())
    return "/".join([ESCAPED, *_cut(text)])


def _cut(text: str) -> Iterator[str]:
    for start in range(0, len(text), CHUNK):
        rest = start + CHUNK < len(text)
        yield text[start : start + CHUNK] + ("+" if rest else "")


def unescape(path: str) -> str:
    """The key of an escaped path."""
    return unquote(path.removeprefix(f"{ESCAPED}/").replace("+/", ""))
