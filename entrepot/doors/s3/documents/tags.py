"""Tags as requests carry them: a document, or a query in a header."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from entrepot.core.tags import OF_BUCKET
from entrepot.doors.s3.documents.incoming import Document
from entrepot.doors.s3.refusal import refuse
from entrepot.errors import TagsTooMany
from entrepot.wire.documents import Fields, Group, Text, Value
from entrepot.wire.http import Headers

_HEADER: Final = "x-amz-tagging"


class TagsDocument(Document[Mapping[str, str]]):
    """The body of PutObjectTagging and PutBucketTagging: values by name."""

    name = "Tagging"
    shape = Group({"TagSet": Group({"Tag": Fields({"Key": Text(), "Value": Text()})})})
    limit = 256 << 10

    def __init__(self) -> None:
        super().__init__()
        self._tags: dict[str, str] = {}
        self._sets = 0

    def take(self, name: str, value: Value) -> None:
        if isinstance(value, dict):
            if value.keys() != {"Key", "Value"}:
                raise refuse("MalformedXML", "A Tag has a Key and a Value.")
            if value["Key"] in self._tags:
                raise refuse("InvalidTag", sentence="Cannot provide multiple Tags with the same key")
            self._tags[value["Key"]] = value["Value"]
            if len(self._tags) > OF_BUCKET:
                raise TagsTooMany(len(self._tags), OF_BUCKET)
        elif name == "TagSet":
            self._sets += 1

    def result(self) -> Mapping[str, str]:
        if self._sets != 1:
            raise refuse("MalformedXML", "A Tagging has one TagSet.")
        return self._tags


def parse_tags(headers: Headers) -> Mapping[str, str] | None:
    """The tags that a header gives an object that is written; None without the header. Raises the refusal
    InvalidArgument.
    """
    text = headers.get(_HEADER)
    if text is None:
        return None
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict")
    except ValueError:
        pairs = [("", ""), ("", "")]
    tags = dict(pairs)
    if len(tags) != len(pairs):
        raise refuse(
            "InvalidArgument",
            sentence="The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters "
            "without tag name duplicates.",
            ArgumentName=_HEADER, ArgumentValue=text,
        )  # fmt: skip
    return tags
