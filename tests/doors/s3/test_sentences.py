"""What S3 says with each code stands first in what the door says: clients compare sentences."""

from __future__ import annotations

import html
import re
from typing import Final

import botocore.session
import pytest

from entrepot import errors
from entrepot.doors.s3.faults import refusal_of
from entrepot.doors.s3.refusal import TABLE, refuse
from tests.doors.s3.door import Door

OTHERWISE: Final = {
    "AuthorizationHeaderMalformed": "that you provided is not valid",  # the newer page of the reference
    "IllegalVersioningConfigurationException": "The versioning configuration specified",
    "InvalidAccessKeyId": "The AWS Access Key Id",
    "InvalidLocationConstraint": "location-constraint",
    "InvalidPart": "may not have been uploaded",
    "InvalidPartOrder": "must be ordered by part number",
    "InvalidRange": "is not satisfiable",
    "InvalidRequest": "Invalid Request",
    "NoSuchBucketPolicy": "The bucket policy does not exist",
    "NoSuchUpload": "The specified upload does not exist",
    "NoSuchVersion": "The specified version does not exist",
    "OperationAborted": "conditional operation",
    "PreconditionFailed": "pre-conditions",
    "RequestTimeout": "Idle connections will be closed",
    "RequestTimeTooSkewed": "the current time",
    "SignatureDoesNotMatch": "Check your key and signing method",
    "SlowDown": "Please reduce",
    "UnresolvableGrantByEmailAddress": "e-mail",
}
"""Codes of which the service says another sentence than the model has, and words of that."""


def documented() -> dict[str, tuple[str, int]]:
    """The codes of botocore's model of S3, each with the sentence and the status that stand there."""
    model = botocore.session.get_session().get_service_model("s3")
    text = re.sub(r"<[^>]+>", " ", html.unescape(model.shape_for("Error").members["Code"].documentation))
    found: dict[str, tuple[str, int]] = {}
    for entry in re.split(r"Code:\s", re.sub(r"HTTP Status Code:", "Status", re.sub(r"\s+", " ", text)))[1:]:
        match = re.match(r" *(\w+) Description: (.*?) Status (\d\d\d)", entry)
        if match is not None:
            said = re.search(r'The error message is, "(.*)"', match[2])
            found.setdefault(match[1], ((said[1] if said else match[2]).strip(), int(match[3])))
    return found


DOCUMENTED: Final = documented()


def plain(sentence: str) -> str:
    """Without what differs between a page and the wire: the stop at the end, capitals, the word object."""
    return sentence.rstrip(". ").replace(" object size", " size").lower()


def test_the_model_is_read() -> None:
    assert DOCUMENTED["NoSuchKey"] == ("The specified key does not exist.", 404)
    assert len(DOCUMENTED.keys() & TABLE.keys()) > 50
    assert OTHERWISE.keys() <= DOCUMENTED.keys() & TABLE.keys()


@pytest.mark.parametrize("code", sorted(TABLE))
def test_a_code_has_the_status_and_the_sentence_of_s3(code: str) -> None:
    status, sentence = TABLE[code]
    if code in OTHERWISE:
        assert OTHERWISE[code] in sentence
        assert plain(sentence) != plain(DOCUMENTED[code][0]), "it is no exception any more"
    elif code in DOCUMENTED:
        assert (plain(sentence), status) == (plain(DOCUMENTED[code][0]), DOCUMENTED[code][1])
    assert refuse(code).message == sentence
    assert refuse(code, "And ours.").message == f"{sentence.rstrip('.')}. And ours."


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (errors.DigestMismatch("md5", "a", "b"), "The Content-MD5 you specified did not match what we received."),
        (errors.DigestMismatch("crc32", "a", "b"), "The CRC32 you specified did not match the calculated checksum."),
        (errors.Busy("too many bodies"), "Please reduce your request rate. Too many bodies."),
    ],
)
def test_errors_of_ours(error: errors.EntrepotError, sentence: str) -> None:
    assert refusal_of(error).message == sentence


def test_sentences_as_clients_meet_them(door: Door) -> None:
    door.ask("PUT", "/mine").ok()
    for method, path, query, message in (
        ("GET", "/none", "", "The specified bucket does not exist"),
        ("GET", "/mine/k", "", "The specified key does not exist."),
        ("GET", "/mine", "tagging", "The TagSet does not exist"),
        ("GET", "/mine", "max-keys=x", "Argument max-keys must be an integer between 0 and 2147483647"),
    ):
        assert door.ask(method, path, query).word("Message") == message
    assert door.ask("GET", "/mine/k", keys=None).refused(403, "AccessDenied").word("Message") == "Access Denied"
