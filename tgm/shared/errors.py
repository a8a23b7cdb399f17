"""The family of errors that TGM raises on purpose. Each carries its decision as data."""


def N_(message: str) -> str:
    """Mark `message` for translation without translating it: the handler does, when it is shown."""
    return message


class TgmError(Exception):
    """Something was refused, and a person or program is told why.

    `message` is an English sentence, marked with `N_`, with `%(name)s` places for `params`; screens
    translate it, the API and the command line show it as it is. It never holds a secret.
    `code` is the HTTP status; `retry_after` is in seconds, None when trying again is no use.
    `field` names the form field that caused it, where there is one.
    """

    code = 400

    def __init__(
        self,
        message: str,
        *,
        code: int | None = None,
        retry_after: int | None = None,
        field: str | None = None,
        **params: object,
    ) -> None:
        self.message = message
        self.params = params
        self.retry_after = retry_after
        self.field = field
        if code is not None:
            self.code = code
        super().__init__(self.description)

    @property
    def description(self) -> str:
        """The sentence in English, its places filled in."""
        return self.message % self.params if self.params else self.message


class Invalid(TgmError):
    """What was sent cannot be taken as it is; `field` says which part."""

    code = 422


class Unauthorized(TgmError):
    code = 401


class Forbidden(TgmError):
    code = 403


class NotFound(TgmError):
    """It does not exist, or belongs to somebody else: the two are not told apart."""

    code = 404


class Conflict(TgmError):
    """It contradicts what is there already."""

    code = 409


class TooManyRequests(TgmError):
    """A limit is reached; `retry_after` says when it ends."""

    code = 429


class BadGateway(TgmError):
    """Telegram could not be reached, or what answered was not Telegram."""

    code = 502
