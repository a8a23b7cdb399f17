"""A Telegram that people write to: updates reach whoever polls for them, or has set a webhook."""

import http.client
import json
import threading
from collections import defaultdict
from typing import Any
from urllib.parse import unquote, urlsplit

from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from tests.fakes.telegram import FakeTelegram, Recorded, Reply, refusal, reply

LONGEST_SECONDS = 50


def whole_body(recorded: Recorded) -> bytes:
    """Return a request's body without the frames of its chunks."""
    if "chunked" not in (recorded.header("Transfer-Encoding") or ""):
        return recorded.body
    rest, parts = recorded.body, []
    while size := int(rest.partition(b"\r\n")[0].split(b";")[0], 16):
        rest = rest.partition(b"\r\n")[2]
        parts.append(rest[:size])
        rest = rest[size + 2 :]
    return b"".join(parts)


def parameters(recorded: Recorded) -> dict[str, Any]:
    """Return a call's parameters, in whichever of Telegram's four forms they came."""
    body = whole_body(recorded)
    environ = EnvironBuilder(
        method=recorded.verb,
        query_string=urlsplit(recorded.target).query,
        content_type=recorded.header("Content-Type"),
        data=body,
    ).get_environ()
    request = Request(environ)
    # Not `values`: some libraries send forms by GET.
    given: dict[str, Any] = {**request.args.to_dict(), **request.form.to_dict()}
    if request.is_json and body:
        given.update(request.get_json())
    return given


class TelegramWithUpdates(FakeTelegram):
    """Keeps updates until they are confirmed, and answers as Telegram does what libraries read."""

    def __init__(self) -> None:
        super().__init__()
        self.webhooks: dict[str, dict[str, Any]] = {}
        self._updates: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self._changed = threading.Condition()
        self._last_id = 1000
        self._messages = 0
        self._is_over = False

    def arrive(self, token: str, **update: Any) -> None:
        """Let an update come in for a bot. A webhook gets it before this returns."""
        with self._changed:
            self._last_id += 1
            update = {"update_id": self._last_id, **update}
            webhook = self.webhooks.get(token)
            if webhook is None:
                self._updates[token].append(update)
                self._changed.notify_all()
        if webhook is not None:
            self._post(token, webhook, update)

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        super().__exit__()

    def _post(self, token: str, webhook: dict[str, Any], update: dict[str, Any]) -> None:
        parts = urlsplit(str(webhook["url"]))
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=20)
        headers = {"Content-Type": "application/json"}
        if "secret_token" in webhook:
            headers["X-Telegram-Bot-Api-Secret-Token"] = webhook["secret_token"]
        try:
            connection.request("POST", parts.path, json.dumps(update), headers)
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        assert response.status == 200, f"the webhook answered {response.status}: {body!r}"
        self._obey(token, body)

    def _obey(self, token: str, body: bytes) -> None:
        """Call the method that a webhook's answer names, if it names one."""
        said = json.loads(body) if body.startswith(b"{") else {}
        method = said.pop("method", None)
        if method is not None:
            content = json.dumps(said).encode()
            headers = [("Content-Type", "application/json")]
            with self._arrival:
                self.requests.append(Recorded("POST", f"/bot{token}/{method}", headers, content))
                self._arrival.notify_all()

    def _answer(self, recorded: Recorded) -> Reply:
        token = unquote(recorded.target).split("/")[1].removeprefix("bot")
        if token not in self.bots:
            return super()._answer(recorded)
        method = recorded.method.lower()
        if method == "getupdates":
            return self._get_updates(token, recorded)
        if method in {"setwebhook", "deletewebhook"}:
            given = parameters(recorded)
            if given.get("url"):
                self.webhooks[token] = given
            else:
                self.webhooks.pop(token, None)
        if method == "getfile":
            return self._get_file(parameters(recorded))
        if method == "sendmediagroup":
            return reply({"ok": True, "result": [self._message(token), self._message(token)]})
        if method.startswith(("send", "edit")):
            return reply({"ok": True, "result": self._message(token)})
        return super()._answer(recorded)

    def _get_updates(self, token: str, recorded: Recorded) -> Reply:
        given = parameters(recorded)
        offset = int(given.get("offset") or 0)
        seconds = min(float(given.get("timeout") or 0), LONGEST_SECONDS)
        with self._changed:
            waiting = self._updates[token]
            if offset > 0:
                waiting[:] = [each for each in waiting if each["update_id"] >= offset]
            self._changed.wait_for(lambda: bool(waiting) or self._is_over, seconds)
            return reply({"ok": True, "result": waiting[: int(given.get("limit") or 100)]})

    def _get_file(self, given: dict[str, Any]) -> Reply:
        path = str(given.get("file_id"))
        if path not in self.files:
            return refusal(400, "Bad Request: invalid file_id")
        size = len(self.files[path])
        found = {"file_id": path, "file_unique_id": "u", "file_size": size, "file_path": path}
        return reply({"ok": True, "result": found})

    def _message(self, token: str) -> dict[str, Any]:
        with self._changed:
            self._messages += 1
            number = self._messages
        chat = {"id": 123456789, "type": "private", "first_name": "Ani"}
        sent = {"message_id": number, "from": self.bots[token], "chat": chat, "date": 1}
        return {**sent, "text": "Halo"}
