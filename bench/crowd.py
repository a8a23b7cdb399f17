"""Many callers at once, each on a connection of its own, and what became of every call."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from urllib.parse import urlsplit

CALLS_EACH = 2
PATIENCE_SECONDS = 30
ANSWERED, OTHER_STATUS, REFUSED, HUNG = "answered", "not 200", "refused", "hung"


def crowd(url: str, callers: int, headers: Mapping[str, str], body: str) -> Counter[str]:
    """Let `callers` connect at once, and each make CALLS_EACH calls; count the outcomes."""
    return asyncio.run(_crowd(url, callers, headers, body))


async def _crowd(url: str, callers: int, headers: Mapping[str, str], body: str) -> Counter[str]:
    parts, content = urlsplit(url), body.encode()
    lines = {
        "Host": parts.netloc,
        "Content-Type": "application/json",
        "Content-Length": str(len(content)),
        **headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    request = f"POST {parts.path} HTTP/1.1\r\n{head}\r\n".encode() + content
    found: Counter[str] = Counter()
    one = (_caller(parts.port or 80, request, found) for _ in range(callers))
    await asyncio.gather(*one)
    return found


async def _caller(port: int, request: bytes, found: Counter[str]) -> None:
    done = 0
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                for _ in range(CALLS_EACH):
                    writer.write(request)
                    status = await _status(reader)
                    done += 1
                    found[ANSWERED if status == 200 else OTHER_STATUS] += 1
            finally:
                writer.close()
    except TimeoutError:
        found[HUNG] += CALLS_EACH - done
    except (OSError, EOFError, ValueError):
        found[REFUSED] += CALLS_EACH - done


async def _status(reader: asyncio.StreamReader) -> int:
    """Read an answer with a Content-Length to its end."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *rest = head.split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (r.partition(":") for r in rest)}
    if "content-length" in fields:
        await reader.readexactly(int(fields["content-length"]))
    else:
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    return int(first.split(" ")[1])
