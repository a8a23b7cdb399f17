"""Who TGM is measured against: starting them, and what each did in an earlier measurement."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from bench.installation import PER_MINUTE, Installation, served, takes
from bench.load import wrk
from bench.processes import Program, free_port, running
from bench.run import Bench
from bench.upstream import BODY, PLAIN_TOKEN, SLOW_TOKEN, nginx
from tgm.server import options
from tgm.settings import PROJECT, Settings

PEERS = Path(__file__).with_name("peers")
PYTHON = PROJECT / "bench" / ".venv" / "bin" / "python"

NGINX, NODE, AIOHTTP = "nginx proxy_pass", "Node http-proxy", "aiohttp proxy"
FASTAPI, WSGI, FLASK = "FastAPI + httpx proxy", "empty WSGI application", "empty Flask view"
ONE, TWO = "TGM", "TGM, 2 processes"
NAMES = (NGINX, NODE, AIOHTTP, FASTAPI, WSGI, FLASK)

# Calls per second with 16 callers and no delay, measured on two cores of another machine.
KNOWN = {NGINX: 84_000, NODE: 9_900, AIOHTTP: 5_400, FASTAPI: 480, FLASK: 6_180}
_WARMING = 16
_ALLOWED_LOSS = 0.25

_LOCATION = """
        location /api/v1/bots/{bot}/ {{
            rewrite ^/api/v1/bots/[^/]+/(.*)$ /bot{token}/$1 break;
            proxy_pass http://telegram;
        }}
"""


@dataclass(frozen=True)
class Gateway:
    """A serving program and the installation whose bots and key it knows."""

    program: Program
    made: Installation

    def url(self, *, slow: bool = False, method: str = "sendMessage") -> str:
        """Return the address of a call through it."""
        return self.program.url + self.made.path(slow=slow, method=method)


def tgm(bench: Bench, stack: ExitStack, *, only_one: bool = False) -> dict[str, Gateway]:
    """Serve TGM with one process on the gateway's core, and with two on both where it can."""
    made = bench.installation
    found = {ONE: Gateway(stack.enter_context(served(made, bench.cores.gateway)), made)}
    if not only_one and takes("--processes"):
        made = bench.fresh("two processes")
        program = stack.enter_context(served(made, bench.cores.all, "--processes", "2"))
        found[TWO] = Gateway(program, made)
    return found


def warm(bench: Bench, gateways: Iterable[Gateway]) -> None:
    """Load all of them at once for a moment, so that what happens once has happened."""

    def load(gateway: Gateway) -> None:
        wrk(
            gateway.url(),
            callers=_WARMING,
            seconds=2,
            on=bench.cores.load,
            headers=gateway.made.headers,
            body=BODY,
        )

    with ThreadPoolExecutor() as pool:
        list(pool.map(load, gateways))


@contextmanager
def peers(bench: Bench, names: Iterable[str] = NAMES) -> Iterator[dict[str, Gateway]]:
    """Run some of the peers on the gateway's core, all until the end of the block."""
    with ExitStack() as stack:
        yield {
            name: Gateway(stack.enter_context(_peer(bench, name)), bench.installation)
            for name in names
        }


def fallen(measured: Mapping[str, float]) -> list[str]:
    """Return who was much slower than known, in proportion to nginx: then a run is void.

    `measured` holds calls per second by name; who is not in it, or not known, is left out.
    """
    pace = measured[NGINX] / KNOWN[NGINX]
    found = []
    for name, known in KNOWN.items():
        if name in measured and measured[name] < (1 - _ALLOWED_LOSS) * known * pace:
            share = measured[name] / (known * pace)
            found.append(f"{name} reached {share:.2f} of its known figure, in proportion to nginx")
    return found


@contextmanager
def _peer(bench: Bench, name: str) -> Iterator[Program]:
    port, own = free_port(), bench.folder / name.replace(" ", "-")
    own.mkdir(exist_ok=True)
    if name == NGINX:
        with nginx(own, "proxy", _nginx_http(bench, own, port), port, bench.cores.gateway) as peer:
            yield peer
        return
    log, command = own / "said.log", _command(bench, name, own, port)
    with running(command, port, log=log, on=bench.cores.gateway) as peer:
        yield peer


def _command(bench: Bench, name: str, own: Path, port: int) -> Sequence[str]:
    if name in (WSGI, FLASK):
        kind = "wsgi" if name == WSGI else "flask"
        given = json.dumps(options(Settings.load({}, dotenv=None)))
        return [sys.executable, "-m", "bench.peers.empty", kind, str(port), given]
    table = own / "table.json"
    table.write_text(json.dumps(_table(bench, own, port)))
    if name == NODE:
        return ["node", str(PEERS / "node" / "proxy.js"), str(table)]
    module = "bench.peers.aiohttp_proxy" if name == AIOHTTP else "bench.peers.fastapi_proxy"
    return [str(PYTHON), "-m", module, str(table)]


def _table(bench: Bench, own: Path, port: int) -> dict[str, object]:
    """Return what a peer must know, in place of TGM's database."""
    made = bench.installation
    digest = sha256(made.key.encode()).hexdigest()
    return {
        "port": port,
        "upstream": bench.telegram.url,
        "keys": {digest: {"id": "bench", "per_minute": PER_MINUTE}},
        "bots": {made.plain: PLAIN_TOKEN, made.slow: SLOW_TOKEN},
        "log": str(own / "calls"),
    }


def _nginx_http(bench: Bench, own: Path, port: int) -> str:
    made = bench.installation
    pairs = ((made.plain, PLAIN_TOKEN), (made.slow, SLOW_TOKEN))
    return (
        (PEERS / "nginx.conf")
        .read_text()
        .format(
            port=port,
            key=made.key,
            log=own / "calls.log",
            upstream_port=bench.telegram.port,
            locations="".join(_LOCATION.format(bot=bot, token=token) for bot, token in pairs),
        )
    )
