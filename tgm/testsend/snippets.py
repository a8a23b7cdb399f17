"""The same call for a program: curl, Python and Node.js. The key stays a variable."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pprint import pformat
from typing import Any

from tgm.testsend.compose import as_text

VARIABLE = "TGM_API_KEY"
_SAFEST = 2**53 - 1


@dataclass(frozen=True)
class Snippet:
    """One way to make the call. `id` is part of ids on the page."""

    id: str
    title: str
    text: str


def of(url: str, parameters: Mapping[str, Any], files: Mapping[str, str]) -> tuple[Snippet, ...]:
    """Return the call in each language. `files` names the files by parameter."""
    return (
        Snippet("curl", "curl", curl(url, parameters, files)),
        Snippet("python", "Python (requests)", python(url, parameters, files)),
        Snippet("node", "Node.js (fetch)", node(url, parameters, files)),
    )


def curl(url: str, parameters: Mapping[str, Any], files: Mapping[str, str]) -> str:
    """Return the call as a command for a POSIX shell."""
    lines = [f"curl -X POST {shlex.quote(url)}", f'-H "X-API-Key: ${VARIABLE}"']
    if files:
        lines += [
            f"--form-string {shlex.quote(f'{name}={as_text(value)}')}"
            for name, value in parameters.items()
        ]
        lines += [f"-F {shlex.quote(f'{name}=@{_curl_name(f)}')}" for name, f in files.items()]
    else:
        body = json.dumps(parameters, ensure_ascii=False)
        lines += ["-H 'Content-Type: application/json'", f"--data-raw {shlex.quote(body)}"]
    return " \\\n  ".join(lines)


def _curl_name(name: str) -> str:
    # curl itself reads the part behind the @, where a quoted name may hold anything.
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def python(url: str, parameters: Mapping[str, Any], files: Mapping[str, str]) -> str:
    """Return the call as a Python program."""
    lines = ["import os", "", "import requests", "", f"url = {url!r}"]
    lines.append(f'headers = {{"X-API-Key": os.environ["{VARIABLE}"]}}')
    if files:
        texts = {name: as_text(value) for name, value in parameters.items()}
        opened = ", ".join(f"{n!r}: open({f!r}, 'rb')" for n, f in files.items())
        lines += [f"data = {_python(texts)}", f"files = {{{opened}}}"]
        sent = "data=data, files=files"
    else:
        lines.append(f"body = {_python(dict(parameters))}")
        sent = "json=body"
    lines += [
        "",
        f"answer = requests.post(url, headers=headers, {sent}, timeout=70)",
        "print(answer.status_code, answer.json())",
    ]
    return "\n".join(lines)


def _python(value: dict[str, Any]) -> str:
    return pformat(value, width=88, sort_dicts=False)


def node(url: str, parameters: Mapping[str, Any], files: Mapping[str, str]) -> str:
    """Return the call as a module for Node.js 20 and later."""
    quoted, key = _js(url), f'"X-API-Key": process.env.{VARIABLE}'
    if not files:
        headers = f'{{ {key}, "Content-Type": "application/json" }}'
        lines, sent = [f"const body = {_node_body(parameters)};"], "body"
    else:
        headers = f"{{ {key} }}"
        lines, sent = (
            ['import { openAsBlob } from "node:fs";', "", "const form = new FormData();"],
            "body: form",
        )
        for name, value in parameters.items():
            lines.append(f"form.append({_js(name)}, {_js(as_text(value))});")
        for name, file in files.items():
            lines.append(f"form.append({_js(name)}, await openAsBlob({_js(file)}), {_js(file)});")
    lines += [
        "",
        f"const answer = await fetch({quoted}, {{",
        '  method: "POST",',
        f"  headers: {headers},",
        f"  {sent},",
        "});",
        "console.log(answer.status, await answer.json());",
    ]
    return "\n".join(lines)


def _js(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _node_body(parameters: Mapping[str, Any]) -> str:
    if _is_plain(parameters):
        return f"JSON.stringify({json.dumps(parameters, ensure_ascii=False, indent=2)})"
    # JavaScript would round such a number, or take the name for something else.
    return _js(json.dumps(parameters, ensure_ascii=False))


def _is_plain(value: Any) -> bool:
    if isinstance(value, Mapping):
        return "__proto__" not in value and all(_is_plain(one) for one in value.values())
    if isinstance(value, list):
        return all(_is_plain(one) for one in value)
    return not isinstance(value, int | float) or abs(value) <= _SAFEST
