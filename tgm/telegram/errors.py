"""What can go wrong between TGM and Telegram, as data."""

from enum import StrEnum

from tgm.shared.errors import N_, BadGateway, TgmError


class Failure(StrEnum):
    """Why there is no answer from Telegram; also the request log's error kinds."""

    CONNECT = "telegram_connect"
    TLS = "telegram_tls"
    TIMEOUT = "telegram_timeout"
    BROKEN = "telegram_broken"
    PROTOCOL = "telegram_protocol"


_SENTENCES = {
    Failure.CONNECT: N_("Telegram could not be reached: no connection."),
    Failure.TLS: N_("Telegram could not be reached: the TLS certificate was not accepted."),
    Failure.TIMEOUT: N_("Telegram could not be reached: it did not answer in time."),
    Failure.BROKEN: N_("Telegram could not be reached: the connection broke off."),
    Failure.PROTOCOL: N_("Telegram could not be reached: what answered was not the Bot API."),
}


def before_answer(error: OSError | ValueError) -> Failure:
    """Return what it means that a connection has failed before there was any answer."""
    if isinstance(error, TimeoutError):
        return Failure.TIMEOUT
    return Failure.BROKEN if isinstance(error, ConnectionError) else Failure.PROTOCOL


class TelegramUnreachable(BadGateway):
    """There is no answer of Telegram's. Whether it acted on the request is unknown, unless
    `is_sent` is false: then there was no connection, and Telegram knows nothing of it.

    It never holds the address that was asked for, since that contains the token.
    """

    def __init__(self, failure: Failure, *, is_sent: bool = True) -> None:
        self.failure = failure
        self.is_sent = is_sent
        super().__init__(_SENTENCES[failure])


class TelegramRefused(TgmError):
    """Telegram answered, and said no. `retry_after` is in seconds, None when it gave none."""

    def __init__(self, description: str, *, code: int, retry_after: int | None) -> None:
        super().__init__(
            N_("Telegram answered: %(answer)s"),
            code=code,
            retry_after=retry_after,
            answer=description,
        )
