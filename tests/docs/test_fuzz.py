"""Whatever schemathesis makes of the document, TGM answers as the document says."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.fakes.serving import Served
from tests.fakes.telegram import TOKEN, FakeTelegram
from tests.making import make_team
from tgm.audit.service import COMMAND_LINE
from tgm.bots import service as bots
from tgm.keys import service as keys
from tgm.keys.rights import Rights
from tgm.webhook import receiving

PROGRAM = Path(sys.executable).with_name("schemathesis")
BASE_URL = "https://tgm.example.com"
# Far longer than it takes.
LONGEST_SECONDS = 240
EVERYTHING = "* setWebhook deleteWebhook logOut close"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
# All values at the edge of each schema make thousands of calls for a method with many parameters.
AT_THE_EDGES = (
    r"/(getMe|getUpdates|getFile|setChatPhoto|answerCallbackQuery)$|/file/|/jobs/"
    r"|tg-webhook|openapi"
)
# The fields of an update are Telegram's to get right: a short one reaches all there is to reach.
SHORT_UPDATE = {
    "type": "object",
    "required": ["update_id"],
    "properties": {
        "update_id": {"type": "integer"},
        "message": {
            "type": "object",
            "properties": {"chat": {"type": "object", "properties": {"id": {"type": "integer"}}}},
        },
    },
}

pytestmark = pytest.mark.given(WEBHOOK_BASE_URL=BASE_URL)


@dataclass(frozen=True)
class Fuzzed:
    """A served TGM with a bot, a key that may do everything, and the bot's updates coming in."""

    served: Served
    folder: Path
    key: str
    config: str

    def run(self, *options: str) -> None:
        """Let schemathesis call what the document says, and expect that it finds nothing."""
        described: dict[str, Any] = self.served.call("GET", "/openapi.json").json
        described["components"]["schemas"]["Update"] = SHORT_UPDATE
        _wait_for_nothing(described)
        place, config = self.folder / "openapi.json", self.folder / "schemathesis.toml"
        place.write_text(json.dumps(described))
        config.write_text(self.config)
        common = ("--url", self.served.url, "--header", f"X-API-Key: {self.key}", "--no-color")
        steady = ("--generation-deterministic", "--no-shrink", "--warnings", "off")
        command = [str(PROGRAM), "--config-file", str(config), "run", str(place)]
        command += [*common, *steady, *options]
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, timeout=LONGEST_SECONDS
        )
        assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


def _wait_for_nothing(described: dict[str, Any]) -> None:
    """Leave out for how long getUpdates waits when there is nothing: it would, every time."""
    del described["components"]["schemas"]["getUpdates"]["properties"]["timeout"]
    query = described["paths"]["/api/v1/bots/{botId}/getUpdates"]["get"]["parameters"]
    query[:] = [one for one in query if one["name"] != "timeout"]


@pytest.fixture
def fuzzed(app: Flask, served: Served, telegram: FakeTelegram, tmp_path: Path) -> Fuzzed:
    team = make_team("Toko")
    bot = bots.add(team, TOKEN, None, COMMAND_LINE)
    _, key = keys.make(team, Rights("Program", None, EVERYTHING, 1_000_000), COMMAND_LINE)
    receiving.switch_on(team, bot.id, actor=COMMAND_LINE)
    asked = json.loads(telegram.calls("setWebhook")[-1].body)
    given = {
        "path.botId": str(bot.id),
        "path.token": f"{TOKEN.partition(':')[0]}:{key.value.removeprefix('tgm_live_')}",
        "path.pathToken": asked["url"].rpartition("/")[2],
        "header.X-Telegram-Bot-Api-Secret-Token": asked["secret_token"],
    }
    lines = (f"{json.dumps(name)} = {json.dumps(value)}" for name, value in given.items())
    return Fuzzed(served, tmp_path, key.value, "\n".join(["[parameters]", *lines]))


# By POST once as described and once otherwise; by GET, which leads to the same, only once.
@pytest.mark.parametrize(("verb", "times"), [("POST", "2"), ("GET", "1")])
def test_no_call_meets_a_fault_or_an_answer_that_is_not_described(
    fuzzed: Fuzzed, verb: str, times: str
) -> None:
    often = ("--max-examples", times, "--include-method", verb)
    fuzzed.run("--phases", "fuzzing", "--checks", ",".join(CHECKS), *often)


def test_nor_does_one_at_the_edge_of_what_is_described(fuzzed: Fuzzed) -> None:
    checks = ",".join((*CHECKS, "unsupported_method", "allow_header_conformance"))
    fuzzed.run("--phases", "coverage", "--checks", checks, "--include-path-regex", AT_THE_EDGES)
