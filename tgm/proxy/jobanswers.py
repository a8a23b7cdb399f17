"""What the address of a queued call tells."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from werkzeug.wsgi import get_host

from tgm.proxy.answers import ProxyAnswer
from tgm.proxy.models import JobState
from tgm.proxy.target import PREFIX
from tgm.shared.marks import GATEWAY


def accepted(environ: Mapping[str, Any], bot_id: str, job_id: str) -> ProxyAnswer:
    """Return 202: the call is queued, and here its outcome will be."""
    url = _address(environ, bot_id, job_id)
    answer = _answer(202, {"job_id": job_id, "state": JobState.QUEUED, "url": url})
    answer.headers += [("Location", url), ("Preference-Applied", "respond-async")]
    return answer


def told(environ: Mapping[str, Any], job: Row[Any]) -> ProxyAnswer:
    """Return how a job stands; `answer` is Telegram's own where there is one."""
    return _answer(
        200,
        {
            "job_id": str(job.id),
            "state": job.state,
            "url": _address(environ, str(job.bot_id), str(job.id)),
            "method": job.method,
            "created_at": _iso(job.created_at),
            "started_at": _iso(job.started_at),
            "finished_at": _iso(job.finished_at),
            "status": job.status,
            "answer": _content(job.answer),
            "error": job.error,
        },
    )


def _answer(status: int, result: dict[str, Any]) -> ProxyAnswer:
    body = json.dumps({"ok": True, "result": result}).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    return ProxyAnswer(status, headers, [body], GATEWAY)


def _address(environ: Mapping[str, Any], bot_id: str, job_id: str) -> str:
    scheme = environ.get("wsgi.url_scheme") or "http"
    return f"{scheme}://{get_host(dict(environ))}{PREFIX}{bot_id}/jobs/{job_id}"


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _content(answer: bytes | None) -> Any:
    try:
        return None if answer is None else json.loads(answer)
    except (ValueError, RecursionError):
        return None
