"""What can go wrong, as one tree.

    EntrepotError
    ├── Missing              BucketMissing ObjectMissing VersionMissing UploadMissing KeyMissing
    │                        BlobMissing   DeleteMarkerFound  JobMissing
    ├── Conflict             BucketExists  BucketNotEmpty  Superseded  LeaseLost
    ├── PreconditionFailed   NothingToMatch                (the state is not the one the caller asked for)
    ├── NotModified          the caller already holds this version
    ├── Denied               the principal may not do this
    ├── Invalid              NameInvalid   KeyTooLong   RangeInvalid    DigestMismatch  TooLarge  TooSmall
    │                        PartInvalid   PartMissing     PartOrder       BodyIncomplete  BodyStalled
    │                        ConfigInvalid ArgumentInvalid  ElementUnknown TagInvalid TagsTooMany
    ├── Unavailable          StoreFull     Busy            (worth another try later)
    ├── Corrupt              BlobCorrupt   stored bytes are not what was stored
    └── Incompatible         the data was written by a newer program

Errors carry fields; the text is made from them. Nothing here knows HTTP: each door has one table
from these classes to its own codes, and a test walks the leaves of the tree.
"""

from __future__ import annotations


class EntrepotError(Exception):
    """Root of every error that the program raises on purpose."""


class Missing(EntrepotError):
    """Something that was asked for by name is not there."""

    noun = "thing"

    def __init__(self, name: object) -> None:
        super().__init__(f"no such {self.noun}: {name}")
        self.name = name


class BucketMissing(Missing):
    noun = "bucket"


class ObjectMissing(Missing):
    noun = "object"


class VersionMissing(Missing):
    noun = "version"


class UploadMissing(Missing):
    noun = "upload"


class KeyMissing(Missing):
    noun = "access key"


class BlobMissing(Missing):
    noun = "blob"


class JobMissing(Missing):
    noun = "job"


class DeleteMarkerFound(ObjectMissing):
    """The state asked for is a delete marker; ``current`` tells whether it is the newest."""

    def __init__(self, name: object, version_id: str, *, current: bool, modified: int) -> None:
        super().__init__(name)
        self.version_id = version_id
        self.current = current
        self.modified = modified


class Conflict(EntrepotError):
    """The request is sound but the present state forbids it."""


class BucketExists(Conflict):
    """The name is taken; ``own`` tells whether by the asking account."""

    def __init__(self, name: str, *, own: bool) -> None:
        super().__init__(f"bucket {name} exists already")
        self.name = name
        self.own = own


class BucketNotEmpty(Conflict):
    def __init__(self, name: str) -> None:
        super().__init__(f"bucket {name} still holds objects or versions")
        self.name = name


class Superseded(Conflict):
    """Another writer was faster; asking again may succeed."""

    def __init__(self, name: object) -> None:
        super().__init__(f"{name} was changed by another request at the same time")
        self.name = name


class LeaseLost(Conflict):
    """The lease under which this was to be done has been taken by somebody else, or given back."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the lease {name} was lost")
        self.name = name


class PreconditionFailed(EntrepotError):
    """``condition`` names the header or argument that did not hold."""

    def __init__(self, condition: str) -> None:
        super().__init__(f"the condition {condition} did not hold")
        self.condition = condition


class NothingToMatch(PreconditionFailed):
    """A state was asked for, and there is none: ``name`` is what is not there. Doors say it in their own words."""

    def __init__(self, condition: str, name: object) -> None:
        super().__init__(condition)
        self.name = name


class NotModified(EntrepotError):
    """A read was made conditional on a change, and there was none."""

    def __init__(self, etag: str, modified: int) -> None:
        super().__init__("not modified")
        self.etag = etag
        self.modified = modified


class Denied(EntrepotError):
    """The principal may not do this; the text does not tell whether the resource exists."""

    def __init__(self) -> None:
        super().__init__("access denied")


class Invalid(EntrepotError):
    """The request cannot be right whatever the state; the text says what to change."""


class ArgumentInvalid(Invalid):
    def __init__(self, name: str, value: object, hint: str) -> None:
        super().__init__(f"{name}: {hint}")
        self.name = name
        self.value = value
        self.hint = hint


class NameInvalid(ArgumentInvalid):
    """A bucket name or an object key that cannot exist."""


class KeyTooLong(NameInvalid):
    """An object key of ``size`` bytes of UTF-8, over the ``limit``."""

    def __init__(self, key: str, size: int, limit: int) -> None:
        super().__init__("key", key, f"a key has up to {limit} bytes of UTF-8, this one {size}")
        self.size = size
        self.limit = limit


class ElementUnknown(ArgumentInvalid):
    """A document has an element ``name`` within ``parent`` that does not belong there."""

    def __init__(self, name: str, parent: str) -> None:
        super().__init__("document", name, f"{parent} has no element {name}")
        self.parent = parent


class ConfigInvalid(ArgumentInvalid):
    """A setting that is unknown or out of bounds."""


class TagInvalid(ArgumentInvalid):
    """A tag whose name or value cannot be."""


class TagsTooMany(Invalid):
    """More tags than ``limit`` on one thing."""

    def __init__(self, count: int, limit: int) -> None:
        super().__init__(f"{count} tags are over the limit of {limit}")
        self.count = count
        self.limit = limit


class RangeInvalid(Invalid):
    """The range lies outside of the ``size`` bytes that there are."""

    def __init__(self, size: int, asked: str) -> None:
        super().__init__(f"range {asked} is not satisfiable: there are {size} bytes")
        self.size = size
        self.asked = asked


class DigestMismatch(Invalid):
    """The bytes received are not the bytes announced, by the digest ``algorithm``."""

    def __init__(self, algorithm: str, expected: str, computed: str) -> None:
        super().__init__(f"{algorithm} of the body is {computed}, announced was {expected}")
        self.algorithm = algorithm
        self.expected = expected
        self.computed = computed


class TooLarge(Invalid):
    def __init__(self, what: str, size: int, limit: int) -> None:
        super().__init__(f"{what} of {size} is over the limit of {limit}")
        self.what = what
        self.size = size
        self.limit = limit


class TooSmall(Invalid):
    def __init__(self, what: str, size: int, limit: int) -> None:
        super().__init__(f"{what} of {size} is under the limit of {limit}")
        self.what = what
        self.size = size
        self.limit = limit


class PartInvalid(Invalid):
    """A part named at completion is not the part that was uploaded."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(f"part {number}: {reason}")
        self.number = number
        self.reason = reason


class PartMissing(PartInvalid):
    """A part named at completion was never uploaded, or its etag is another."""


class PartOrder(PartInvalid):
    """Parts must be named in ascending order."""


class BodyIncomplete(Invalid):
    """The client went away, or sent fewer or more bytes than it announced."""

    def __init__(self, received: int, announced: int | None) -> None:
        of = "" if announced is None else f" of {announced}"
        super().__init__(f"the body ended after {received}{of} bytes")
        self.received = received
        self.announced = announced


class BodyStalled(BodyIncomplete):
    """The client sent nothing for too long in the middle of a body."""


class Unavailable(EntrepotError):
    """Not now. Trying again after ``retry_after`` seconds is reasonable."""

    def __init__(self, reason: str, retry_after: int = 1) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class StoreFull(Unavailable):
    """The disk (or quota of a remote store) has no room for these bytes."""


class Busy(Unavailable):
    """Somebody else is at it: every connection to the catalog is in use, a blob is being removed, an object was
    replaced while it was read, a collection is running.
    """


class Corrupt(EntrepotError):
    """Stored state contradicts itself."""


class BlobCorrupt(Corrupt):
    """A blob's bytes do not have the digest that names them; it is in quarantine now."""

    def __init__(self, name: object, store: str) -> None:
        super().__init__(f"blob {name} in store {store} is damaged")
        self.name = name
        self.store = store


class Incompatible(EntrepotError):
    """The catalog was written by a newer program; ``found`` and ``known`` are schema numbers."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__(
            f"the catalog has schema {found}, this program knows up to {known}: "
            "start the newer entrepot, or restore the catalog from before the upgrade"
        )
        self.found = found
        self.known = known
