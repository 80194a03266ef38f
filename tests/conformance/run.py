"""Run ceph/s3-tests against a started server and compare the outcome with the reviewed list.

    pip install -r CHECKOUT/requirements.txt
    python -m tests.conformance.run --suite CHECKOUT [--tls] [-k EXPRESSION] [--jobs 2]

Exit status 0: every test did what `expected.txt` says. 1: some did not; they are printed. 2: the suite could
not be run. The suite is a checkout of its own; nothing of it is kept here.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from tests.conformance.accounts import REGION, create_accounts, write_configuration
from tests.conformance.expected import Verdict, compare, read_expected
from tests.conformance.marks import SHARD
from tests.conformance.report import Outcome, Result, read_report, render_areas
from tests.server import CHECKOUT, Server, ServerFailed, make_certificate

EXPECTED: Final = Path(__file__).with_name("expected.txt")
FILES: Final = ("s3tests/functional/test_s3.py", "s3tests/functional/test_headers.py")
SECONDS_A_TEST: Final = 100
PYTEST_RAN: Final = (0, 1, 5)  # all passed, some failed, none selected in this shard
UNUSABLE: Final = 2


def main() -> int:
    """Parse the command line, run, report."""
    options = _parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(UNUSABLE))  # so that the server is stopped on the way out
    suite = Path(options.suite).resolve()
    if not (suite / FILES[0]).exists():
        sys.stderr.write(f"{suite} is not a checkout of ceph/s3-tests: it has no {FILES[0]}\n")
        return UNUSABLE
    try:
        results = run_suite(suite, tls=options.tls, expression=options.k, jobs=options.jobs, keep=options.keep)
    except ServerFailed as error:
        sys.stderr.write(f"{error}\n")
        return UNUSABLE
    verdict = compare(results, read_expected(EXPECTED, tls=options.tls), whole=not options.k)
    sys.stdout.write(f"{_render(results, verdict)}\n")
    return 0 if verdict.agrees else 1


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.run", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--suite", required=True, help="a checkout of ceph/s3-tests")
    parser.add_argument("--tls", action="store_true", help="serve and ask over HTTPS")
    parser.add_argument("-k", default="", metavar="EXPRESSION", help="run only the tests that match, as pytest does")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes of the suite (default 2)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave reports and the server's log there")
    return parser.parse_args()


def run_suite(suite: Path, *, tls: bool, expression: str, jobs: int, keep: Path | None) -> list[Result]:
    """Run the suite in `jobs` processes against one fresh server. Raises `ServerFailed`."""
    with tempfile.TemporaryDirectory(prefix="conformance-") as scratch:
        directory = keep or Path(scratch)
        directory.mkdir(parents=True, exist_ok=True)
        certificate = make_certificate(Path(scratch) / "tls") if tls else None
        server = Server(Path(scratch) / "data", tls=certificate, workers=2)
        try:
            with server, ExitStack() as running:
                shards = [Shard(directory, number, jobs) for number in range(jobs)]
                for shard in shards:
                    running.enter_context(shard.started(suite, server, expression))
                return [result for shard in shards for result in shard.results()]
        finally:
            if keep:
                (keep / "server.log").write_bytes(server.log.read_bytes())


class Shard:
    """One process of the suite, with accounts of its own."""

    def __init__(self, directory: Path, number: int, count: int) -> None:
        self._number, self._count = number, count
        self._configuration = directory / f"suite-{number}.conf"
        self._report = directory / f"report-{number}.xml"
        self._output = directory / f"output-{number}.txt"
        self._process: subprocess.Popen[bytes] | None = None

    @contextmanager
    def started(self, suite: Path, server: Server, expression: str) -> Iterator[None]:
        """Run the shard for as long as the context lasts; it does not outlive it."""
        write_configuration(self._configuration, server, create_accounts(server, self._number))
        with self._output.open("wb") as out:
            process = subprocess.Popen(
                self._command(expression),
                cwd=suite,
                env=self._environment(server.host),
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        self._process = process
        try:
            yield
        finally:
            process.kill()
            process.wait()

    def results(self) -> list[Result]:
        """Wait for the end and return what it found. Raises `ServerFailed` when pytest itself gave up."""
        if self._process is None or self._process.wait() not in PYTEST_RAN:
            text = self._output.read_text("utf-8", "replace")
            raise ServerFailed(f"the suite could not be run\n{text[-4000:]}")
        return read_report(self._report)

    def _command(self, expression: str) -> list[str]:
        command = [sys.executable, "-m", "pytest", *FILES, "-p", "tests.conformance.marks", "-p", "no:cacheprovider"]
        command += ["-q", "--tb=short", f"--timeout={SECONDS_A_TEST}", f"--junitxml={self._report}"]
        return [*command, "-k", expression] if expression else command

    def _environment(self, host: str) -> dict[str, str]:
        """The suite's settings, with this project's and the user's own AWS settings taken out.

        Without the two of retrying, every 5xx would cost four more requests. The suite was written for botocore's
        own signatures and checksums; the C runtime, which this project has installed, refuses some of its requests.
        """
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ENTREPOT_"))}
        return inherited | {
            "PYTHONPATH": str(CHECKOUT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "S3TEST_CONF": str(self._configuration),
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_RETRY_MODE": "standard",
            "AWS_DEFAULT_REGION": REGION,
            "BOTO_DISABLE_CRT": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": host,
            SHARD: f"{self._number}/{self._count}",
        }


def _render(results: list[Result], verdict: Verdict) -> str:
    lines = [render_areas(results), ""]
    if verdict.unexpected_failures:
        lines.append(f"failed, and expected.txt does not say so ({len(verdict.unexpected_failures)}):")
        lines += [f"  {result.name} ({result.area})\n      {result.message}" for result in verdict.unexpected_failures]
    if verdict.unexpected_passes:
        lines.append(f"passed, though expected.txt says that they fail ({len(verdict.unexpected_passes)}):")
        lines += [f"  {name}" for name in verdict.unexpected_passes]
    if verdict.unknown:
        lines.append(f"listed in expected.txt, but the suite has no such test ({len(verdict.unknown)}):")
        lines += [f"  {name}" for name in verdict.unknown]
    passed = sum(result.outcome is Outcome.PASSED for result in results)
    lines.append(f"{passed} of {len(results)} passed; {'as expected' if verdict.agrees else 'NOT as expected'}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
