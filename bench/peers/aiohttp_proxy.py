"""A gateway with aiohttp: one session for all calls, answers passed on as they come."""

import time
from collections.abc import AsyncIterator

from aiohttp import ClientSession, DummyCookieJar, TCPConnector, web

from bench.peers.duty import NOT_PASSED_ON, Duty, Refused

DUTY = web.AppKey("duty", Duty)
SESSION = web.AppKey("session", ClientSession)


async def call(request: web.Request) -> web.StreamResponse:
    """Forward one call."""
    duty, began = request.app[DUTY], time.time()
    try:
        key_id, limits = duty.admit(request.headers.get("X-API-Key", ""))
        method = request.match_info["method"]
        target = duty.target(request.match_info["bot"], method)
    except Refused as refused:
        return web.json_response(refused.body, status=refused.status)
    headers = {n: v for n, v in request.headers.items() if n.lower() not in NOT_PASSED_ON}
    async with request.app[SESSION].request(
        request.method, target, headers=headers, data=await request.read()
    ) as answer:
        body = await answer.read()
        duty.note(key_id, method, answer.status, began)
        limits["Content-Type"] = answer.headers.get("Content-Type", "application/json")
        return web.Response(status=answer.status, headers=limits, body=body)


async def _session(app: web.Application) -> AsyncIterator[None]:
    connector = TCPConnector(limit=0, keepalive_timeout=600)
    async with ClientSession(
        connector=connector, cookie_jar=DummyCookieJar(), auto_decompress=False
    ) as session:
        app[SESSION] = session
        yield


def main() -> None:
    """Serve until SIGTERM."""
    app = web.Application(client_max_size=60 * 1024 * 1024)
    app[DUTY] = duty = Duty()
    app.cleanup_ctx.append(_session)
    app.router.add_route("*", "/api/v1/bots/{bot}/{method}", call)
    web.run_app(app, host="127.0.0.1", port=duty.port, access_log=None, print=None, backlog=2048)


if __name__ == "__main__":
    main()
