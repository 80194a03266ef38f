"""The runner itself, on a small suite of its own: shards, areas, the reviewed list and what differs from it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.expected import ListInvalid, compare, read_expected
from tests.conformance.marks import SHARD
from tests.conformance.report import Outcome, Result, read_report, render_areas
from tests.conformance.run import EXPECTED
from tests.server import CHECKOUT

SUITE = """
import pytest

@pytest.fixture
def untidy():
    yield
    raise RuntimeError("the bucket is still there")

def test_bucket_listv2_many(): pass

@pytest.mark.copy
def test_thing(): assert 1 == 2, "not the same"

def test_object_set_get(untidy): pass

def test_bucket_create_bad_date_aws2(): pytest.skip("no clock")
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[Result]:
    directory = tmp_path_factory.mktemp("suite")
    (directory / "test_suite.py").write_text(SUITE)
    (directory / "pytest.ini").write_text("[pytest]\nmarkers =\n    copy\n")
    found = []
    for shard in range(2):
        report = directory / f"{shard}.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conformance.marks", f"--junitxml={report}"]
        environment = os.environ | {"PYTHONPATH": str(CHECKOUT), SHARD: f"{shard}/2"}
        done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, check=False)
        assert done.returncode == 1, done.stdout.decode()
        found += read_report(report)
    return found


def test_every_test_is_run_once_and_has_its_area(results: list[Result]) -> None:
    assert sorted((result.name, result.outcome, result.area) for result in results) == [
        ("test_bucket_create_bad_date_aws2", Outcome.SKIPPED, "signature version 2"),
        ("test_bucket_listv2_many", Outcome.PASSED, "listing version 2"),
        ("test_object_set_get", Outcome.FAILED, "objects"),
        ("test_thing", Outcome.FAILED, "copy"),
    ]
    assert "not the same" in next(result.message for result in results if result.name == "test_thing")
    assert render_areas(results).splitlines()[-1].split() == ["all", "1", "2", "1"]


def test_what_differs_from_the_list_is_named(results: list[Result]) -> None:
    agreed = {"test_thing": "next", "test_object_set_get": "next"}
    assert compare(results, agreed, whole=True).agrees
    verdict = compare(results, {"test_thing": "next", "test_bucket_listv2_many": "next"}, whole=True)
    assert [result.name for result in verdict.unexpected_failures] == ["test_object_set_get"]
    assert verdict.unexpected_passes == ("test_bucket_listv2_many",)
    assert compare(results, agreed | {"test_gone": "next"}, whole=True).unknown == ("test_gone",)
    assert compare(results, agreed | {"test_gone": "next"}, whole=False).agrees


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("test_a\n", "under no reason"),
        ("[why]\ntest_a\n[other]\ntest_a\n", "twice"),
        ("[why]\ntest_b\ntest_a\n", "not in order"),
    ],
)
def test_a_careless_list_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "list.txt"
    path.write_text(text)
    with pytest.raises(ListInvalid, match=complaint):
        read_expected(path)


def test_what_fails_over_https_alone_is_listed_for_https_alone(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("[why]\ntest_a\n[over HTTPS: why]\ntest_b\n")
    assert list(read_expected(path)) == ["test_a"]
    assert list(read_expected(path, tls=True)) == ["test_a", "test_b"]


def test_the_reviewed_list_is_in_order() -> None:
    assert all(reason for reason in read_expected(EXPECTED, tls=True).values())
