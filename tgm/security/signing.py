"""Signing what is delivered: the HMAC of the exact bytes sent, in two forms side by side.

X-Webhook-Signature is the product's own. The trio webhook-id, webhook-timestamp and
webhook-signature is that of Standard Webhooks, so that its published verifiers work as they are.
"""

import hmac
import secrets as randomness
from base64 import b64decode, b64encode
from collections.abc import Sequence

from tgm.security.secret import Secret

PREFIX = "whsec_"
SIGNATURE = "X-Webhook-Signature"
_SECRET_BYTES = 32


def new_secret() -> Secret:
    """Return a fresh signing secret in the form `whsec_<base64>`."""
    return Secret(PREFIX + b64encode(randomness.token_bytes(_SECRET_BYTES)).decode())


def headers(
    raw: bytes, *, secrets: Sequence[Secret], webhook_id: str, timestamp: int
) -> dict[str, str]:
    """Return the headers that prove `raw`.

    `secrets` holds the newest first: it alone makes X-Webhook-Signature, while each adds its own to
    webhook-signature, so that a receiver may change over in its own time. `timestamp` is in whole
    seconds since 1970.
    """
    signed = b"%s.%d.%s" % (webhook_id.encode(), timestamp, raw)
    # The whole string is the key here, as the API page's example has it; below it is what the
    # base64 stands for, as Standard Webhooks has it.
    own = hmac.digest(secrets[0].value.encode(), raw, "sha256").hex()
    return {
        SIGNATURE: f"sha256={own}",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(_standard(secret, signed) for secret in secrets),
    }


def _standard(secret: Secret, signed: bytes) -> str:
    key = b64decode(secret.value.removeprefix(PREFIX))
    return "v1," + b64encode(hmac.digest(key, signed, "sha256")).decode()
