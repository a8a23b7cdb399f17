"""What the proxy leaves to the background."""

from tgm.proxy.idempotency import IdempotencyStore
from tgm.proxy.requestlog import RequestLog
from tgm.shared.clock import utcnow
from tgm.worker.loop import Job


def jobs(request_log: RequestLog, idempotency: IdempotencyStore) -> list[Job]:
    """Return the proxy's jobs: flush the log, renew leases, purge what is old, in small steps."""
    return [
        Job("write the request log", 0.5, request_log.flush, at_end=True, everywhere=True),
        Job("renew idempotency leases", 10, lambda: idempotency.renew(utcnow()), everywhere=True),
        Job("purge the request log", 30, lambda: request_log.purge(utcnow())),
        Job("purge idempotency entries", 60, lambda: idempotency.purge(utcnow())),
    ]
