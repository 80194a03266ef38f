"""What tags may be, whatever the door: the limits of S3, which its clients know.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from entrepot.errors import TagInvalid, TagsTooMany

OF_OBJECT: Final = 10
"""Tags of a version at most."""

OF_BUCKET: Final = 50
"""Tags of a bucket at most."""

NAME_CHARACTERS: Final = 128
VALUE_CHARACTERS: Final = 256


def check_tags(tags: Mapping[str, str], most: int) -> None:
    """Raises TagsTooMany for more tags than ``most``, TagInvalid for one that cannot be."""
    if len(tags) > most:
        raise TagsTooMany(len(tags), most)
    for name, value in tags.items():
        if not 0 < len(name) <= NAME_CHARACTERS:
            raise TagInvalid("tag", name, f"a tag's name has 1 to {NAME_CHARACTERS} characters")
        if len(value) > VALUE_CHARACTERS:
            raise TagInvalid(name, value, f"a tag's value has up to {VALUE_CHARACTERS} characters")
        if "\0" in name + value:
            raise TagInvalid("tag", name, "a tag does not hold NUL")
