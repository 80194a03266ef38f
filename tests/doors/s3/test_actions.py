"""Each row of the table of operations names what it asks for: without that it is denied, with that alone it is not."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from entrepot import app
from entrepot.core.access import Access, Action
from entrepot.core.buckets import Buckets
from entrepot.doors.s3.routes import OPERATIONS
from entrepot.rules import EVERY_ACTION, Effect, Equal, Field, Rule
from tests.doors.s3.door import Answer, Door, Keys

UNASKED = {"PostObject"}
"""Who sends a form stands in the form: see test_forms.py."""

ROWS = {operation.name: (*where, operation) for where, operation in OPERATIONS.items() if operation.name not in UNASKED}
PATHS = {"service": "/", "bucket": "/mine", "object": "/mine/key", "copy": "/mine/key"}


class TwoAccountsForEach:
    """For each operation an account that may do all but what it asks for, and one that may do nothing else."""

    def rules(self) -> Sequence[Rule]:
        rules = [Rule("root", Effect.ALLOW, EVERY_ACTION, Equal(Field.ROOT, True))]
        for name, (_, _, _, operation) in ROWS.items():
            asked = frozenset({operation.action, *operation.also})
            rules.append(Rule(name, Effect.ALLOW, EVERY_ACTION - {operation.action}, account(f"no-{name}")))
            rules.append(Rule(name, Effect.ALLOW, asked, account(f"only-{name}")))
        return rules


def account(name: str) -> Equal:
    return Equal(Field.ACCOUNT, name)


@pytest.fixture(scope="module")
def ruled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    access = Access([TwoAccountsForEach()])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "Buckets", functools.partial(Buckets, access=access))
        folder: Path = tmp_path_factory.mktemp("data")
        with Door(folder / "data") as opened:
            opened.ask("PUT", "/mine").ok()
            yield opened


@pytest.mark.parametrize("name", ROWS)
def test_an_operation_asks_for_what_its_row_says_and_nothing_else(ruled: Door, name: str) -> None:
    ask(ruled, name, ruled.new_keys(f"no-{name}")).refused(403, "AccessDenied")
    assert ask(ruled, name, ruled.new_keys(f"only-{name}")).status != 403


def ask(door: Door, name: str, keys: Keys) -> Answer:
    for key in ("key", "source"):
        door.ask("PUT", f"/mine/{key}", body=b"1").ok()
    upload = door.ask("POST", "/mine/key", "uploads").ok().word("UploadId")
    method, level, sub, operation = ROWS[name]
    query = {"uploadId": f"uploadId={upload}", "list-type": "list-type=2"}.get(sub, sub)
    headers = {"x-amz-object-attributes": "ETag", "content-md5": "1B2M2Y8AsgTpgAmY7PhCfg=="}
    if level == "copy":
        headers["x-amz-copy-source"] = "/mine/source"
    if sub == "uploadId" and method == "PUT":
        query += "&partNumber=1"
    path = "/another" if operation.action is Action.BUCKET_CREATE else PATHS[level]
    return door.ask(method, path, query, headers=headers, keys=keys)
