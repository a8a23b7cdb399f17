"""The OpenAPI document is valid, whole, and says what the routes do."""

import gzip
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator

from tests.docs.conftest import Page
from tgm.docs.openapi import document
from tgm.telegram import parameters
from tgm.telegram.catalog import METHODS

CALLS = "/api/v1/bots/{botId}/"
VERBS = {"get", "post"}
CODES = {"200", "400", "401", "403", "404", "405", "409", "413", "422", "429", "500", "502"}
BODIES = {"application/json", "application/x-www-form-urlencoded", "multipart/form-data"}


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    # Once through JSON: what is in several places then stands in each.
    whole: dict[str, Any] = json.loads(json.dumps(document("https://tgm.example.com", "1.2.3")))
    return whole


def operations(described: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in described["paths"].items():
        for verb in VERBS & item.keys():
            yield f"{verb} {path}", item[verb]


def follow(described: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """Return what a reference leads to."""
    while "$ref" in found:
        place: Any = described
        for name in found["$ref"].removeprefix("#/").split("/"):
            place = place[name]
        found = place
    return found


def test_it_is_valid(described: dict[str, Any]) -> None:
    assert described["openapi"] == "3.1.0"
    assert list(OpenAPIV31SpecValidator(described).iter_errors()) == []


def test_what_shows_it_may_read_it_as_an_older_one(described: dict[str, Any]) -> None:
    older = {**described, "openapi": "3.0.3"}
    del older["webhooks"]
    assert list(OpenAPIV30SpecValidator(older).iter_errors()) == []


def test_it_names_the_installation_and_the_version(described: dict[str, Any]) -> None:
    assert described["servers"] == [{"url": "https://tgm.example.com"}]
    assert described["info"]["version"] == "1.2.3"


def test_every_method_is_there_by_both_verbs_and_in_each_kind_of_body(
    described: dict[str, Any],
) -> None:
    for method in METHODS:
        item = described["paths"][CALLS + method]
        assert item.keys() >= VERBS
        if any(one.type == "InputFile" and one.required for one in parameters.of(method)):
            assert set(item["post"]["requestBody"]["content"]) == {"multipart/form-data"}
        elif parameters.of(method):
            assert set(item["post"]["requestBody"]["content"]) == BODIES
        else:
            assert "requestBody" not in item["post"]


def test_every_parameter_is_there_with_its_type(described: dict[str, Any]) -> None:
    taken = described["components"]["schemas"]["sendMessage"]
    assert taken["required"] == ["chat_id", "text"]
    integer = {"type": "integer", "format": "int64"}
    assert taken["properties"]["chat_id"] == {"anyOf": [integer, {"type": "string"}]}
    entity = {"$ref": "#/components/schemas/MessageEntity"}
    assert taken["properties"]["entities"] == {"type": "array", "items": entity}
    for method in METHODS:
        query = described["paths"][CALLS + method]["get"]["parameters"]
        form = multipart(described, method).get("properties", {})
        names = [one.name for one in parameters.of(method)]
        assert list(form) == names or sorted(form) == sorted(names)
        assert {one["name"] for one in query} <= set(names)


def test_files_go_into_a_multipart_form_and_nowhere_else(described: dict[str, Any]) -> None:
    form = multipart(described, "sendPhoto")
    assert form["properties"]["photo"] == {"type": "string", "format": "binary"}
    assert described["components"]["schemas"]["sendPhoto"]["properties"]["photo"] == {
        "type": "string"
    }
    content = described["paths"][CALLS + "sendPhoto"]["post"]["requestBody"]["content"]
    assert content["multipart/form-data"]["encoding"]["caption_entities"] == {
        "contentType": "application/json"
    }
    query = described["paths"][CALLS + "sendPhoto"]["get"]["parameters"]
    assert "binary" not in json.dumps(query)


def test_a_status_is_always_a_number(described: dict[str, Any]) -> None:
    for name, operation in operations(described):
        for status in operation["responses"]:
            assert re.fullmatch(r"[1-5]\d\d", status), f"{name}: {status}"


def test_every_refusal_of_the_gateways_is_there(described: dict[str, Any]) -> None:
    responses = described["paths"][CALLS + "getMe"]["post"]["responses"]
    assert responses.keys() >= CODES
    for status, answer in responses.items():
        headers = follow(described, answer)["headers"]
        assert {"X-TGM-Source", "X-RateLimit-Limit"} <= headers.keys(), status
    assert "Retry-After" in follow(described, responses["429"])["headers"]
    assert "Idempotency-Replayed" in follow(described, responses["200"])["headers"]


def test_each_operation_has_a_name_of_its_own(described: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in operations(described)]
    assert len(names) == len(set(names))


def test_it_speaks_of_no_address_that_is_not_there(app: Flask, described: dict[str, Any]) -> None:
    addresses = app.url_map.bind("tgm.example.com", url_scheme="https")
    for name, _ in operations(described):
        verb, path = name.split(" ")
        addresses.match(re.sub(r"\{\w+\}", "x", path), method=verb.upper())


def test_anybody_may_read_it_and_whoever_has_it_gets_it_once(client: FlaskClient) -> None:
    answer = client.get("/openapi.json", headers={"Accept-Encoding": "gzip"})
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert json.loads(gzip.decompress(answer.data))["servers"] == [{"url": "http://localhost"}]
    assert answer.headers["Cache-Control"] == "public, no-cache"
    again = client.get(
        "/openapi.json",
        headers={"Accept-Encoding": "gzip", "If-None-Match": answer.headers["ETag"]},
    )
    assert again.status_code == 304


@pytest.mark.parametrize("path", ["/docs/", "/docs/reference"])
def test_the_pages_lead_to_it(page: Page, path: str) -> None:
    for language in ("en", "id"):
        assert 'href="/docs/api"' in page(path, language)


def multipart(described: dict[str, Any], method: str) -> dict[str, Any]:
    body = described["paths"][CALLS + method]["post"].get("requestBody")
    return follow(described, body["content"]["multipart/form-data"]["schema"]) if body else {}
