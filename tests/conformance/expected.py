"""The reviewed list of tests that fail on purpose, each under its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.conformance.report import Outcome, Result

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


class ListInvalid(ValueError):
    """The reviewed list breaks its own rules; the text names the line."""


OVER_HTTPS: Final = "over HTTPS: "


def read_expected(path: Path, *, tls: bool = False) -> dict[str, str]:
    """Read the list: test → reason. Raises `ListInvalid`.

    A line `[reason]` opens a section, a line in it names one test, `#` starts a comment. A section whose reason
    begins with `over HTTPS: ` counts for a run over `tls` alone.
    Names are unique and sorted within their section, so that two edits of one list merge.
    """
    expected: dict[str, str] = {}
    reason, previous = "", ""
    for number, raw in enumerate(path.read_text("utf-8").splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("[") and line.endswith("]"):
            reason, previous = line[1:-1].strip(), ""
            continue
        if not reason:
            raise ListInvalid(f"{path.name}:{number}: {line} stands under no reason")
        if line in expected:
            raise ListInvalid(f"{path.name}:{number}: {line} is listed twice")
        if line < previous:
            raise ListInvalid(f"{path.name}:{number}: {line} is not in order")
        expected[line] = reason
        previous = line
    return {name: why for name, why in expected.items() if tls or not why.startswith(OVER_HTTPS)}


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a run differs from the list."""

    unexpected_failures: tuple[Result, ...]
    unexpected_passes: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        return not (self.unexpected_failures or self.unexpected_passes or self.unknown)


def compare(results: Iterable[Result], expected: Mapping[str, str], *, whole: bool) -> Verdict:
    """Compare a run with the list; a listed test that a `whole` run does not know is a difference too.

    A skipped test agrees with both: the suite decides on skips by its configuration.
    """
    by_name = {result.name: result for result in results}
    failures = [r for r in by_name.values() if r.outcome is Outcome.FAILED and r.name not in expected]
    passes = [r.name for r in by_name.values() if r.outcome is Outcome.PASSED and r.name in expected]
    unknown = [name for name in expected if name not in by_name] if whole else []
    return Verdict(tuple(sorted(failures, key=lambda r: (r.area, r.name))), tuple(sorted(passes)), tuple(unknown))
