"""Recognisable secrets are planted, everything is exercised, and none of them is found outside.

A process of its own runs at LOG_LEVEL=DEBUG, so that its log is what a person would see.
"""

import json
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
import requests

from tests.fakes.command import run
from tests.fakes.process import Process, process
from tests.fakes.receiver import Receiver
from tests.fakes.telegram import FakeTelegram, Recorded, Reply, refusal, reply
from tgm.auth import totp
from tgm.dropin.tokens import virtual_token
from tgm.security.secret import Secret
from tgm.shared.clock import utcnow

TOKEN = "777000111:CANARYtokenCANARYtokenCANARYtoken00"
NEW_TOKEN = "777000111:CANARYnewerCANARYnewerCANARYnewer11"
BAD_TOKEN = "777000222:CANARYwrongCANARYwrongCANARYwrong22"
PASSWORD = "CANARY-password-of-the-owner"
NEW_PASSWORD = "CANARY-password-number-two"
ENCRYPTION_KEY = b64encode(b"CANARYencryptionkeyCANARYencrypt").decode()
OLD_KEY = b64encode(b"CANARYolderencryptionkeyCANARYol").decode()
SESSION_KEY = "CANARY-session-key-CANARY-session-key"
PROXY_PASSWORD = "CANARYdatabase"
EMAIL = "ani@example.com"


@dataclass
class Spy:
    """A person at the browser who keeps every answer, but for what is shown once on purpose."""

    process: Process
    session: requests.Session = field(default_factory=requests.Session)
    answers: list[str] = field(default_factory=list)

    def keep(self, answer: requests.Response) -> requests.Response:
        # Cookies are sealed by the session key; what they hold in the open is looked at as well.
        self.answers.append(f"{answer.status_code} {answer.headers} {answer.text}")
        return answer

    def get(self, path: str, *, shows_secret: bool = False) -> str:
        answer = self.session.get(self.process.served.url + path, timeout=30)
        if not shows_secret:
            self.keep(answer)
        return answer.text

    def post(
        self, path: str, *, page: str | None = None, shows_secret: bool = False, **fields: str
    ) -> requests.Response:
        """Send a form, with the token of `page`, the same address where None."""
        text = self.session.get(self.process.served.url + (page or path), timeout=30).text
        token = unescape(re.findall(r'name="csrf_token"[^>]*value="([^"]+)"', text)[0])
        answer = self.session.post(
            self.process.served.url + path,
            data={"csrf_token": token, **fields},
            headers={"Referer": self.process.served.url},
            timeout=30,
        )
        return answer if shows_secret else self.keep(answer)

    def call(self, path: str, key: str, verb: str = "POST", **more: object) -> requests.Response:
        headers = {"X-API-Key": key, **more.pop("headers", {})}  # type: ignore[dict-item]
        url = f"{self.process.served.url}/api/v1/bots/{path}"
        return self.keep(requests.request(verb, url, headers=headers, timeout=30, **more))  # type: ignore[arg-type]


def test_no_secret_is_found_outside(
    environ: dict[str, str], tmp_path: Path, telegram: FakeTelegram
) -> None:
    environ |= {
        "LOG_LEVEL": "DEBUG",
        "SECRET_KEY": SESSION_KEY,
        "ENCRYPTION_KEYS": OLD_KEY,
        "WEBHOOK_BASE_URL": "https://tgm.example.com",
        "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        "MAX_UPLOAD_MB": "1",
    }
    for token in (TOKEN, NEW_TOKEN):
        telegram.add_bot(token, "Canary", "canary_bot")
    log = tmp_path / "log"
    secrets: list[str] = []
    with process(environ, log) as running:
        spy = Spy(running)
        link = running.output.split()[-1].removeprefix(running.served.url)
        secrets.append(link.rpartition("/")[2])
        set_up(spy, link)
        secrets += sign_in_twice(spy)
        bot_id = add_bots(spy, telegram)
        secrets.append(invite(spy))
        key = make_key(spy)
        secrets.append(key)
        with Receiver() as receiver:
            secrets += use_relay(spy, telegram, receiver, bot_id, environ)
        use_proxy(spy, telegram, bot_id, key)
        secrets.append(use_drop_in(spy, key))
        look_everywhere(spy, bot_id)
        running.end()
        printed = running.output.replace(link, "")
    commands = use_command_line(environ, secrets)
    secrets += [TOKEN, NEW_TOKEN, BAD_TOKEN, PASSWORD, NEW_PASSWORD, SESSION_KEY]
    secrets += [ENCRYPTION_KEY, OLD_KEY]
    assert_nowhere(
        {
            "the log": log.read_text(),
            "standard output": printed,
            "the command line": commands,
            "an answer": "\n".join(spy.answers),
            "the database": database_text(tmp_path),
        },
        secrets,
    )


def set_up(spy: Spy, link: str) -> None:
    spy.session.get(spy.process.served.url + link[:-2] + "xx", timeout=30)
    fields = {"team_name": "Toko", "email": EMAIL}
    spy.post(link, **fields, password="short", shows_secret=True)
    assert spy.post(link, **fields, password=PASSWORD, shows_secret=True).ok
    assert spy.session.get(spy.process.served.url + link, timeout=30).status_code == 404


def sign_in_twice(spy: Spy) -> list[str]:
    """Turn two-step sign-in on and use it; return its secrets."""
    page = spy.get("/dashboard/account/two-step", shows_secret=True)
    secret = re.findall(r'id="totp-secret"[^>]*>([A-Z2-7]+)<', page)[0]

    def code(steps: int) -> str:
        when = utcnow() + timedelta(seconds=30 * steps)
        return totp.code_at(Secret(secret), int(when.timestamp()) // 30)

    done = spy.post("/dashboard/account/two-step", code=code(-1), shows_secret=True)
    recovery = re.findall(r"<code>([0-9a-z-]{19})</code>", done.text)
    assert len(recovery) == 10
    spy.post("/auth/sign-out", page="/dashboard/")
    spy.post("/auth/sign-in", email=EMAIL, password=PASSWORD + "?")
    spy.post("/auth/sign-in", email="nobody@example.com", password=PASSWORD)
    spy.post("/auth/sign-in", email=EMAIL, password=PASSWORD)
    spy.post("/auth/second-step", code="000000")
    spy.post("/auth/second-step", code=recovery[0])
    assert "Sign out" in spy.get("/dashboard/")
    spy.post("/dashboard/account/password", current="wrong", password=NEW_PASSWORD)
    done = spy.post("/dashboard/account/password", current=PASSWORD, password=NEW_PASSWORD)
    assert done.ok
    return [secret, *recovery]


def add_bots(spy: Spy, telegram: FakeTelegram) -> str:
    """Add a bot, after everything that can go wrong; return its id."""
    add = "/dashboard/bots/add"
    spy.post(add, token="no token at all " + TOKEN)
    spy.post(add, token=BAD_TOKEN)
    echo = f'{{"ok":false,"error_code":400,"description":"see /bot{TOKEN}/getMe"}}'.encode()
    for answer in (
        Reply(b"", close=True),
        reply(f"<html>/bot{TOKEN}/getMe</html>".encode()),
        refusal(500, f"Internal: {TOKEN}"),
        reply(echo, 400),
        reply(b"", 302, headers={"Location": f"http://127.0.0.1:1/bot{TOKEN}/x"}),
    ):
        telegram.replies(answer)
        spy.post(add, token=TOKEN)
    done = spy.post(add, token=TOKEN, name="Kasir")
    bot_id = done.url.rpartition("/")[2]
    assert len(bot_id) == 26
    spy.post(add, token=TOKEN)
    page = f"/dashboard/bots/{bot_id}"
    spy.post(f"{page}/token", token=BAD_TOKEN)
    spy.post(f"{page}/token", token="nonsense " + NEW_TOKEN)
    assert spy.post(f"{page}/token", token=NEW_TOKEN).ok
    return bot_id


def invite(spy: Spy) -> str:
    done = spy.post("/dashboard/people/invite", role="viewer", email="", shows_secret=True)
    link = re.findall(r"/auth/invite/([A-Za-z0-9_-]{20,})", done.text)[0]
    stranger = requests.get(f"{spy.process.served.url}/auth/invite/{link[:-1]}x", timeout=30)
    assert stranger.status_code in {404, 410}
    return str(link)


def make_key(spy: Spy) -> str:
    fields = {"name": "Program", "reach": "all", "methods": "* setWebhook", "expires": "never"}
    page = spy.get("/dashboard/api-keys/new")
    fields["expires"] = re.findall(r'<option selected value="([^"]*)"', page)[0]
    done = spy.post("/dashboard/api-keys/new", **fields, per_minute="1000", shows_secret=True)
    return str(re.findall(r"tgm_live_[0-9A-Za-z]{32,}", done.text)[0])


def use_relay(
    spy: Spy, telegram: FakeTelegram, receiver: Receiver, bot_id: str, environ: dict[str, str]
) -> list[str]:
    """Receive updates well and badly; return the relay's secrets."""
    added = run("webhook", "add", bot_id, receiver.url, "--json", environ=environ)
    endpoint = json.loads(added.stdout)
    turned = run("webhook", "rotate-secret", endpoint["id"], "--json", environ=environ)
    asked = json.loads(telegram.wait_for_call("setWebhook")[-1].body)
    path = asked["url"].removeprefix("https://tgm.example.com")
    secret = {"X-Telegram-Bot-Api-Secret-Token": asked["secret_token"]}
    press = {"id": "1", "from": {"id": 5, "is_bot": False, "first_name": "A"}, "data": "x"}
    update = {"update_id": 1, "callback_query": {**press, "chat_instance": "1"}}
    # The receiver repeats what it got: other people's answers are shown on the screens.
    receiver.always = lambda got: reply(json.dumps(got.headers).encode(), 500)
    for target, headers, body in (
        (path, secret, json.dumps(update)),
        (path, secret, json.dumps(update)),
        (path, {"X-Telegram-Bot-Api-Secret-Token": asked["secret_token"][:-1]}, "{}"),
        (path[:-1] + "x", secret, "{}"),
        (path, secret, "no json"),
        (path, secret, "x" * 1_100_000),
    ):
        url = spy.process.served.url + target
        spy.keep(requests.post(url, data=body, headers=headers, timeout=30))
    receiver.wait_for(1)
    telegram.wait_for_call("answerCallbackQuery")
    for arguments in (("list",), ("pause", endpoint["id"]), ("resume", endpoint["id"])):
        spy.answers.append(run("webhook", *arguments, "--json", environ=environ).stdout)
    for page in (f"/dashboard/bots/{bot_id}/webhook", "/dashboard/deliveries"):
        assert "</html>" in spy.get(page)
    shown = re.findall(r"/dashboard/deliveries/[0-9A-Z]{26}", spy.get("/dashboard/deliveries"))
    assert "X-Webhook-Signature" in spy.get(shown[0])
    whole = [endpoint["secret"], json.loads(turned.stdout)["secret"]]
    return [*(each.removeprefix("whsec_") for each in whole), path.split("/")[-1], *secret.values()]


def use_proxy(spy: Spy, telegram: FakeTelegram, bot_id: str, key: str) -> None:
    """Make calls of every outcome; Telegram repeats the token wherever it can."""
    token = NEW_TOKEN
    path = f"/var/lib/telegram-bot-api/{token}/photos/file_1.jpg"
    hook = f"https://tgm.example.com/api/v1/tg-webhook/{token.partition(':')[2]}"
    telegram.always("getFile", reply({"ok": True, "result": {"file_path": path}}))
    info = {"url": hook, "last_error_message": f"{hook} failed", "ip_address": "203.0.113.9"}
    telegram.always("getWebhookInfo", reply({"ok": True, "result": info}))

    def echo(recorded: Recorded) -> Reply:
        return refusal(404, f"Not Found: {recorded.target}")

    telegram.always("inventTheWheel", echo)
    once = {"Idempotency-Key": "CANARY"}
    calls: list[tuple[str, int]] = [
        ("sendMessage", 200),
        ("getFile", 200),
        ("getWebhookInfo", 200),
        ("inventTheWheel", 404),
        ("logOut", 403),
        ("", 404),
        ("file/none/such", 404),
    ]
    for method, status in calls:
        verb = "GET" if method.startswith("file/") else "POST"
        assert spy.call(f"{bot_id}/{method}", key, verb).status_code == status, method
    for _ in range(2):
        assert spy.call(f"{bot_id}/sendMessage", key, headers=once).ok
    assert spy.call(f"{bot_id}/sendPhoto", key, headers=once).status_code == 422
    assert spy.call(f"{bot_id}/getMe", key, "PUT").status_code == 405
    assert spy.call(f"{bot_id}/getMe", key[:-1] + "?").status_code == 401
    assert spy.call("01HZXK3V5QJ8Y3N6M2R7T4W9AB/getMe", key).status_code == 404
    assert spy.call(f"{bot_id}/sendDocument", key, data=b"x" * 3_000_000).status_code == 413
    for broken in (Reply(b"", close=True), Reply(f"HTTP/1.1 {token}\r\n\r\n".encode(), close=True)):
        telegram.replies(broken)
        assert spy.call(f"{bot_id}/sendMessage", key).status_code == 502


def use_drop_in(spy: Spy, key: str) -> str:
    """Call at Telegram's own addresses, well and badly; return the secret token that was set."""
    token = virtual_token(int(NEW_TOKEN.partition(":")[0]), key).value
    other = token[:-1] + ("y" if token.endswith("x") else "x")
    secret = "CANARY-secret-token-of-a-program"
    hook = {"url": "http://127.0.0.1:9/hook", "secret_token": secret}
    for path, verb, status, sent in (
        (f"/bot{token}/getMe", "GET", 200, None),
        (f"/bot{token.replace(':', '%3A')}/getMe", "POST", 200, None),
        (f"/bot{token}/inventTheWheel", "POST", 404, None),
        (f"/bot{token}/logOut", "POST", 403, None),
        (f"/bot{token}/getMe", "PUT", 405, None),
        (f"/bot{token}/nothing/here", "GET", 404, None),
        (f"/bot{token}", "GET", 404, None),
        (f"/bot/{token}/getMe", "GET", 404, None),
        (f"/bots{token}/getMe", "GET", 404, None),
        (f"/bot{token[:-1]}?/getMe", "GET", 404, None),
        (f"/bot{other}/getMe", "GET", 401, None),
        (f"/file/bot{token}/none/such", "GET", 404, None),
        (f"/bot{token}/sendDocument", "POST", 413, b"x" * 3_000_000),
        (f"/bot{token}/getUpdates", "POST", 200, None),
        (f"/bot{token}/setWebhook", "POST", 200, hook),
        (f"/bot{token}/getWebhookInfo", "POST", 200, None),
        (f"/bot{token}/getUpdates", "POST", 409, None),
        (f"/bot{token}/setWebhook", "POST", 400, {**hook, "url": "nonsense"}),
        (f"/bot{token}/deleteWebhook", "POST", 200, None),
    ):
        url = spy.process.served.url + path
        answer = spy.session.request(verb, url, data=sent, timeout=30)
        assert answer.status_code == status, (path.replace(token, "TOKEN"), answer.text)
        spy.keep(answer)
    # What no server can read is refused before the application hears of it.
    spy.answers.append(
        str(spy.process.served.raw(f"GET /bot{token}/getMe HTTP/9\r\n\r\n".encode()))
    )
    return secret


def look_everywhere(spy: Spy, bot_id: str) -> None:
    for page in ("", "bots", f"bots/{bot_id}", "api-keys", "requests", "people", "audit"):
        assert "</html>" in spy.get(f"/dashboard/{page}")
    key_page = re.findall(r"/dashboard/api-keys/[0-9A-Z]{26}", spy.get("/dashboard/api-keys"))[0]
    for page in (key_page, "/dashboard/account", "/docs/", "/docs/reference", "/nothing"):
        spy.get(page)


def use_command_line(environ: dict[str, str], secrets: list[str]) -> str:
    """Run the commands, the failing ones too; return what they print, but for a new key."""
    both = {**environ, "ENCRYPTION_KEYS": f"{ENCRYPTION_KEY},{OLD_KEY}"}
    only_new = {**environ, "ENCRYPTION_KEYS": ENCRYPTION_KEY}
    printed = []
    for arguments, stdin, env in (
        (("user", "list", "--json"), "", environ),
        (("bot", "list", "--json"), "", environ),
        (("key", "list", "--json"), "", environ),
        (("bot", "add", "--token-stdin"), TOKEN, environ),
        (("bot", "add", "--token-stdin"), BAD_TOKEN, environ),
        (("bot", "add", TOKEN), "", environ),
        (("bot", "add", "--token-stdin", "--name", TOKEN), BAD_TOKEN, environ),
        (("user", "add", EMAIL, "--role", "owner", "--password-stdin"), NEW_PASSWORD, environ),
        (("user", "add", EMAIL, "--role", "owner", "--password", NEW_PASSWORD), "", environ),
        (("key", "revoke", secrets[-1]), "", environ),
        (("webhook", "list"), "", environ),
        (("webhook", "add", "nonsense", "http://10.0.0.1/x"), "", environ),
        (("rotate-keys", "--json"), "", both),
        (("rotate-keys",), "", only_new),
        (("rotate-keys",), "", environ),
        (("bot", "list"), "", {**environ, "SECRET_KEY": "CANARY"}),
        (("bot", "list"), "", {**environ, "DATABASE_URL": f"mysql://x:{PROXY_PASSWORD}@y/z"}),
    ):
        done = run(*arguments, environ=env, stdin=stdin)
        printed.append(done.stdout + done.stderr)
        assert "Traceback" not in done.stderr
    return "\n".join(printed)


def database_text(folder: Path) -> str:
    """Return the bytes of the database, a character each: rows, and what is left of old ones."""
    found = b"".join(path.read_bytes() for path in sorted(folder.glob("tgm.sqlite3*")))
    assert len(found) > 10_000
    return found.decode("latin-1")


def assert_nowhere(places: dict[str, str], secrets: list[str]) -> None:
    for place, text in places.items():
        for secret in secrets:
            # Of a token the part behind the number is the secret, of a key what follows its prefix.
            hidden = secret.partition(":")[2] if ":" in secret else secret
            for form in (hidden, hidden.removeprefix("tgm_live_")):
                assert form not in text, f"{form[:12]}… is found in {place}"
        for raw in (ENCRYPTION_KEY, OLD_KEY):
            assert b64decode(raw).decode() not in text, f"an encryption key is found in {place}"
    assert PROXY_PASSWORD not in places["the command line"]


@pytest.mark.parametrize("secret", [TOKEN, PASSWORD])
def test_the_canary_test_would_see_a_leak(secret: str) -> None:
    with pytest.raises(AssertionError, match="is found in the log"):
        assert_nowhere({"the log": f"... {secret} ...", "the command line": ""}, [secret])
