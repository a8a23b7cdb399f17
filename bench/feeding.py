"""Updates for the relay: the installation that takes them, and posting them at a set pace."""

import asyncio
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count

import requests
from ulid import ULID

from bench.installation import Installation, application
from bench.processes import Program, free_port, running
from bench.run import Bench
from tgm.bots.change import changing
from tgm.bots.models import Bot
from tgm.extensions import runtime
from tgm.security.credentials import digest
from tgm.security.signing import new_secret
from tgm.settings import PROJECT
from tgm.shared.clock import utcnow
from tgm.shared.ids import new_id
from tgm.webhook import facts
from tgm.webhook.models import Endpoint, Mode, Reception
from tgm.webhook.registration import PATH

SETTINGS = {
    "WEBHOOK_BASE_URL": "https://tgm.example.com",
    "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
}
INTAKE = PATH + "bench-path-token-0123456789-0123456789"
SECRET = "bench-secret-token-0123456789"
HEADERS = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
CHATS = 200
_CONNECTIONS = 32
_TOGETHER = 500
# Of all that are ever posted to an installation, no two share one.
numbers = count(1_000_000, 1_000_000)


@dataclass(frozen=True)
class Receiver:
    """A program that updates are delivered to."""

    program: Program

    @property
    def url(self) -> str:
        """Where it takes them."""
        return f"{self.program.url}/hook"

    def seen(self) -> list[tuple[float, int]]:
        """Return when each update came, in the order of their coming."""
        return [(at, number) for at, number in requests.get(self.program.url, timeout=30).json()]

    def wait_for(self, many: int, seconds: float) -> list[tuple[float, int]]:
        """Return what has come as soon as it is as many, or after some seconds."""
        until = time.monotonic() + seconds
        while len(found := self.seen()) < many and time.monotonic() < until:
            time.sleep(0.1)
        return found


@contextmanager
def receivers(bench: Bench, name: str, *hows: str) -> Iterator[list[Receiver]]:
    """Run receivers until the end of the block; each answers, fails or hangs."""
    with ExitStack() as stack:
        found = []
        for how in hows:
            port = free_port()
            command = [str(PROJECT / ".venv/bin/python"), "-m", "bench.receiver", str(port), how]
            log = bench.folder / f"{name}-{how}.log"
            program = running(command, port, log=log, on=bench.cores.load)
            found.append(Receiver(stack.enter_context(program)))
        yield found


def prepare(
    made: Installation, urls: Sequence[str], *, waiting: int = 0, is_paused: bool = False
) -> None:
    """Make the plain bot receive, with an endpoint for each URL, and store updates for them."""
    with application(made):
        bot_id, now = ULID.from_str(made.plain), utcnow()
        with changing() as session:
            session.get_one(Bot, bot_id).receiving = Mode.WEBHOOK.value
            session.add(
                Reception(
                    bot_id=bot_id,
                    mode=Mode.WEBHOOK,
                    path_digest=digest(INTAKE.removeprefix(PATH)),
                    secret_digest=digest(SECRET),
                    allowed_updates=["message"],
                    started_at=now,
                )
            )
            for place, url in enumerate(urls):
                endpoint = Endpoint(
                    id=new_id(), bot_id=bot_id, name=f"Place {place}", url=url, created_at=now
                )
                endpoint.sealed_secret = runtime.vault.seal(
                    new_secret().value, place=endpoint.secret_place()
                )
                if is_paused:
                    endpoint.paused_because, endpoint.paused_at = "person", now
                session.add(endpoint)
        _store(made.plain, waiting)
        runtime.relay.inbox.stop()


def _store(bot_id: str, many: int) -> None:
    for first in range(0, many, _TOGETHER):
        raws = [_update(number) for number in range(first, min(first + _TOGETHER, many))]
        runtime.relay.inbox.put_many(bot_id, [(raw, facts.read(raw)) for raw in raws], utcnow())


def _update(number: int) -> bytes:
    chat = {"id": 523067421 + number % CHATS, "type": "private", "first_name": "Ani"}
    person = {"id": chat["id"], "is_bot": False, "first_name": "Ani"}
    message = {"message_id": number, "date": 1, "from": person, "chat": chat, "text": "Dua kopi"}
    return json.dumps({"update_id": number, "message": message}).encode()


def feed(port: int, *, per_second: float, seconds: float) -> Mapping[int, float]:
    """Post updates at an even pace; return when each was sent, in seconds since 1970.

    Raises RuntimeError where one is not answered 200.
    """
    return asyncio.run(_feed(port, per_second, seconds))


async def _feed(port: int, per_second: float, seconds: float) -> Mapping[int, float]:
    idle: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(_CONNECTIONS):
        idle.put_nowait(await asyncio.open_connection("127.0.0.1", port))
    sent: dict[int, float] = {}

    async def post(number: int) -> None:
        # What waits for a connection here has not been sent yet, and counts from now all the same.
        sent[number] = time.time()
        reader, writer = await idle.get()
        body = _update(number)
        lines = [f"POST {INTAKE} HTTP/1.1", "Host: tgm", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in HEADERS.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        await reader.readexactly(int(head.partition("content-length:")[2].split()[0]))
        if head.split()[1] != "200":
            raise RuntimeError(f"an update was answered {head.splitlines()[0]}")
        idle.put_nowait((reader, writer))

    began, first = time.monotonic(), next(numbers)
    async with asyncio.TaskGroup() as tasks:
        for place in range(round(per_second * seconds)):
            await asyncio.sleep(max(0.0, began + place / per_second - time.monotonic()))
            tasks.create_task(post(first + place))
    while not idle.empty():
        idle.get_nowait()[1].close()
    return sent
