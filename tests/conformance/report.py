"""What a run of the suite said: each test's outcome, and the area of S3 that it belongs to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from lxml import etree

from tests.conformance.marks import PROPERTY

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MESSAGE_LENGTH: Final = 300


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Result:
    """One test of the suite. `message` is the first line of what went wrong, or of why it was skipped."""

    name: str
    outcome: Outcome
    area: str
    seconds: float
    message: str = ""


# The first rule that matches decides. A rule is an area, the suite's markers, and a pattern of test names.
RULES: Final[tuple[tuple[str, frozenset[str], str], ...]] = (
    ("signature version 2", frozenset({"auth_aws2"}), r"_aws2$"),
    ("access logging", frozenset({"bucket_logging"}), r"bucket_logging"),
    ("lifecycle: transition", frozenset({"lifecycle_transition", "cloud_transition", "cloud_restore"}), r"restore"),
    ("lifecycle: expiration", frozenset({"lifecycle_expiration"}), r"lifecycle_expiration"),
    ("lifecycle: settings", frozenset({"lifecycle"}), r"lifecycle"),
    ("encryption", frozenset({"encryption", "bucket_encryption", "sse_s3"}), r"encrypt|_sse_|sse_kms"),
    ("conditional writes", frozenset({"conditional_write"}), r"ifmatch|ifnonmatch|_if_match|_if_none_match"),
    ("checksums", frozenset({"checksum"}), r"checksum"),
    ("append", frozenset({"appendobject"}), r"append"),
    ("public access block", frozenset(), r"public_block|block_public|ignore_public|public_access|restrict_public"),
    ("object ownership", frozenset({"object_ownership"}), r"ownership"),
    ("object lock", frozenset({"object_lock"}), r"object_lock|legal_hold|retention"),
    ("bucket policy", frozenset({"bucket_policy", "user_policy"}), r"policy"),
    ("tagging", frozenset({"tagging"}), r"tag(s|ging|set)?(_|$)"),
    ("CORS", frozenset(), r"cors"),
    ("browser form POST", frozenset(), r"post_object|_post_"),
    ("website", frozenset({"s3website"}), r"website"),
    ("ACL and other accounts", frozenset(), r"acl|grant|access_bucket|_owner|cross|object_anon"),
    ("storage classes", frozenset({"storage_class"}), r"storage_class"),
    ("anonymous and raw requests", frozenset(), r"_raw_|anonymous|_anon"),
    ("header checks", frozenset({"auth_common"}), r"_bad_|create_bad"),
    ("multipart", frozenset(), r"multipart|upload_part"),
    ("versioning", frozenset({"versioning", "delete_marker"}), r"version"),
    ("copy", frozenset({"copy"}), r"copy"),
    ("listing version 2", frozenset({"list_objects_v2"}), r"listv2|list_objects_v2"),
    ("listing version 1", frozenset(), r"bucket_list|objects_list|list_return_data|list_unordered"),
    ("buckets", frozenset(), r"bucket"),
    ("objects", frozenset(), r"object|ranged|atomic|write|read"),
)
OTHER: Final = "other"


def area_of(name: str, markers: frozenset[str]) -> str:
    """Return the area of S3 that a test belongs to."""
    for area, marked, pattern in RULES:
        if marked & markers or re.search(pattern, name):
            return area
    return OTHER


def read_report(path: Path) -> list[Result]:
    """Read a JUnit file. A test with an error in its set-up or clean-up counts as failed, once."""
    results: dict[str, Result] = {}
    for case in etree.parse(path).getroot().iter("testcase"):
        result = _result(case)
        known = results.get(result.name)
        if known is None or known.outcome is Outcome.PASSED:
            results[result.name] = result
    return list(results.values())


def _result(case: etree._Element) -> Result:
    name = str(case.attrib["name"])
    properties = {str(item.attrib["name"]): str(item.attrib["value"]) for item in case.iter("property")}
    markers = frozenset(properties.get(PROPERTY, "").split())
    outcome, message = Outcome.PASSED, ""
    for kind, meaning in (
        ("skipped", Outcome.SKIPPED),
        ("failure", Outcome.FAILED),
        ("error", Outcome.FAILED),
    ):
        found = case.find(kind)
        if found is not None:
            outcome, message = meaning, _first_line(str(found.attrib.get("message", "")))
    return Result(name, outcome, area_of(name, markers), float(case.attrib.get("time", 0)), message)


def _first_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[0][:MESSAGE_LENGTH] if lines else ""


def render_areas(results: Iterable[Result]) -> str:
    """Render a table: one line for each area with its passed, failed and skipped tests, and their sums."""
    counts: dict[str, dict[Outcome, int]] = {}
    for result in results:
        counts.setdefault(result.area, dict.fromkeys(Outcome, 0))[result.outcome] += 1
    total = {outcome: sum(row[outcome] for row in counts.values()) for outcome in Outcome}
    lines = [f"{'area':<28}{'passed':>8}{'failed':>8}{'skipped':>8}"]
    for area, row in [*sorted(counts.items()), ("all", total)]:
        lines.append(f"{area:<28}" + "".join(f"{row[outcome]:>8}" for outcome in Outcome))
    return "\n".join(lines)
