"""A gateway with FastAPI and httpx: one client for all calls, answers streamed."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.background import BackgroundTask

from bench.peers.duty import NOT_PASSED_ON, Duty, Refused


@asynccontextmanager
async def _client(app: FastAPI) -> AsyncIterator[None]:
    limits = httpx.Limits(
        max_connections=None, max_keepalive_connections=1024, keepalive_expiry=600
    )
    async with httpx.AsyncClient(limits=limits, timeout=65) as client:
        app.state.client = client
        yield


async def call(request: Request, bot: str, method: str) -> Response:
    """Forward one call."""
    state, began = request.app.state, time.time()
    duty: Duty = state.duty
    try:
        key_id, limits = duty.admit(request.headers.get("x-api-key", ""))
        target = duty.target(bot, method)
    except Refused as refused:
        return JSONResponse(refused.body, status_code=refused.status)
    headers = {n: v for n, v in request.headers.items() if n.lower() not in NOT_PASSED_ON}
    outgoing = state.client.build_request(
        request.method, target, headers=headers, content=await request.body()
    )
    answer = await state.client.send(outgoing, stream=True)
    duty.note(key_id, method, answer.status_code, began)
    for name in ("content-type", "content-length"):
        if name in answer.headers:
            limits[name] = answer.headers[name]
    return StreamingResponse(
        answer.aiter_raw(),
        status_code=answer.status_code,
        headers=limits,
        background=BackgroundTask(answer.aclose),
    )


def main() -> None:
    """Serve until SIGTERM."""
    app = FastAPI(lifespan=_client, openapi_url=None)
    app.state.duty = duty = Duty()
    app.add_api_route("/api/v1/bots/{bot}/{method}", call, methods=["GET", "POST"])
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=duty.port,
        access_log=False,
        log_level="warning",
        timeout_keep_alive=600,
        backlog=2048,
    )


if __name__ == "__main__":
    main()
