"""Operations on leases: a name that one holder has until a certain time, whichever host it is on.

Clocks of hosts may differ and processes may stand still, so a holder may believe in a lease that another
has taken. Its writes are harmless then: each begins with :func:`fence`, which refuses them in their
own transaction. A token is greater than every token of the same name before it, as long as the row lives or
the clock goes on; rows are forgotten long after their lease has ended.
"""

from __future__ import annotations

from typing import Final

from entrepot.catalog.database import Row, Sql, Transaction, lock, one, run
from entrepot.errors import LeaseLost
from entrepot.model import value

LEASE_SPACE: Final = 7
"""Lock space: names of leases. Whoever writes under one shares it, whoever takes it has it alone. It comes before
every other lock. Renewing and giving back need none: they change the row, as taking does.
"""

_ACQUIRE: Final = Sql(
    "INSERT INTO leases (name, holder, token, until) VALUES (:name, :holder, :now, :until) "
    "ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until, "
    "token = CASE WHEN leases.token < :now THEN :now ELSE leases.token + 1 END "
    "WHERE leases.until <= :now RETURNING token"
)
_RENEW: Final = Sql("UPDATE leases SET until = :until WHERE name = :name AND token = :token AND until > 0")
_RELEASE: Final = Sql("UPDATE leases SET until = 0 WHERE name = :name AND token = :token")
_HELD: Final = Sql("SELECT 1 FROM leases WHERE name = :name AND token = :token AND until > 0")
_FORGET: Final = Sql(
    "DELETE FROM leases WHERE name IN "
    "(SELECT name FROM leases WHERE until < :cutoff AND token < :cutoff ORDER BY until LIMIT :limit)"
)


@value
class Lease:
    """What its holder shows: ``token`` tells it from every other holding of the name."""

    name: str
    token: int


def acquire(name: str, holder: str, now: int, until: int) -> Transaction[Lease | None]:
    """Take a lease that is free or has run out; None while somebody has it. The holder that has it is no
    exception: it renews.
    """
    yield lock(LEASE_SPACE, name.encode())
    row: Row | None = yield one(_ACQUIRE, name=name, holder=holder, now=now, until=until)
    return None if row is None else Lease(name, row[0])


def renew(lease: Lease, until: int) -> Transaction[None]:
    """Hold a lease for longer. One that has run out can be renewed for as long as nobody else took it.
    Raises LeaseLost.
    """
    if not (yield run(_RENEW, name=lease.name, token=lease.token, until=until)):
        raise LeaseLost(lease.name)


def release(lease: Lease) -> Transaction[None]:
    """Give a lease back. One that was lost is somebody else's, and stays theirs."""
    yield run(_RELEASE, name=lease.name, token=lease.token)


def fence(lease: Lease) -> Transaction[None]:
    """The first step of a write that only the holder of a lease may make: nobody takes the lease before
    that write has ended. Raises LeaseLost.
    """
    yield lock(LEASE_SPACE, lease.name.encode(), shared=True)
    row: Row | None = yield one(_HELD, name=lease.name, token=lease.token)
    if row is None:
        raise LeaseLost(lease.name)


def forget_leases(cutoff: int, limit: int) -> Transaction[int]:
    """Forget at most ``limit`` leases that ended before ``cutoff``; how many that were."""
    changed: int = yield run(_FORGET, cutoff=cutoff, limit=limit)
    return changed
