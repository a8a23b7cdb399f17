"""What receivers verify."""

import hashlib
import hmac
import json
import time
from base64 import b64decode

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from tgm.security import signing

# White space and escapes that no serialiser would write again in the same way.
RAW = b'{ "update_id":1,\n"message" : {"text":"\\u0041 \xe2\x82\xac"} }'


def test_a_secret_is_32_random_bytes_behind_a_prefix() -> None:
    secret = signing.new_secret()
    assert secret.value.startswith("whsec_")
    assert len(b64decode(secret.value.removeprefix("whsec_"), validate=True)) == 32
    assert secret != signing.new_secret()
    assert secret.value not in repr(secret)


def test_the_published_verifier_accepts_our_headers_and_secret_as_they_are() -> None:
    secret = signing.new_secret()
    headers = signing.headers(RAW, secrets=[secret], webhook_id="01J", timestamp=int(time.time()))
    assert Webhook(secret.value).verify(RAW, headers) == json.loads(RAW)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret.value).verify(RAW + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret.value).verify(RAW, {**headers, "webhook-id": "01K"})


def test_the_own_signature_is_keyed_with_the_whole_secret_string() -> None:
    secret = signing.new_secret()
    headers = signing.headers(RAW, secrets=[secret], webhook_id="01J", timestamp=1)
    expected = hmac.new(secret.value.encode(), RAW, hashlib.sha256).hexdigest()
    assert headers["X-Webhook-Signature"] == f"sha256={expected}"


def test_after_a_rotation_both_secrets_verify_and_the_newest_makes_the_own_signature() -> None:
    new, old = signing.new_secret(), signing.new_secret()
    headers = signing.headers(RAW, secrets=[new, old], webhook_id="01J", timestamp=int(time.time()))
    for secret in (new, old):
        Webhook(secret.value).verify(RAW, headers)
    alone = signing.headers(RAW, secrets=[new], webhook_id="01J", timestamp=1)
    assert headers["X-Webhook-Signature"] == alone["X-Webhook-Signature"]
    with pytest.raises(WebhookVerificationError):
        Webhook(signing.new_secret().value).verify(RAW, headers)
