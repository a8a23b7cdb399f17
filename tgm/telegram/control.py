"""Control calls: those whose result TGM itself wants, made with requests."""

from collections.abc import Mapping
from typing import Any

import requests

from tgm.telegram.errors import Failure, TelegramRefused, TelegramUnreachable
from tgm.telegram.token import BotToken
from tgm.telegram.upstream import CONNECT_SECONDS, Route


def call(route: Route, token: BotToken, method: str, params: Mapping[str, object]) -> Any:
    """Call a method at the end of the route and return its `result`.

    Raises TelegramRefused when Telegram says no, TelegramUnreachable when it says nothing.
    """
    try:
        with _session(route) as session:
            response = session.post(
                f"{route.base_url}/bot{token.value}/{method}",
                json=params,
                timeout=(CONNECT_SECONDS, route.timeout),
                allow_redirects=False,
            )
            answer = response.json()
        if answer["ok"]:
            return answer["result"]
        retry_after = answer.get("parameters", {}).get("retry_after")
        code, description = int(answer["error_code"]), str(answer["description"])
    # `from None` everywhere: the library's own errors quote the address, token and all.
    except requests.exceptions.SSLError:
        raise TelegramUnreachable(Failure.TLS) from None
    except requests.Timeout:
        raise TelegramUnreachable(Failure.TIMEOUT) from None
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError):
        raise TelegramUnreachable(Failure.PROTOCOL) from None
    except requests.RequestException:
        raise TelegramUnreachable(Failure.CONNECT) from None
    raise TelegramRefused(
        description.replace(token.value, "[token]"), code=code, retry_after=retry_after
    )


def _session(route: Route) -> requests.Session:
    session = requests.Session()
    # Nothing but TELEGRAM_PROXY_URL and TELEGRAM_CA_FILE decides the way: no HTTP_PROXY, no .netrc.
    session.trust_env = False
    if route.proxy_url is not None:
        session.proxies = dict.fromkeys(("http", "https"), route.proxy_url.value)
    if route.ca_file is not None:
        session.verify = str(route.ca_file)
    return session
