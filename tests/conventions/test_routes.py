"""Every route has a guard, and every form a token."""

import pytest
from flask import Flask

from tgm.blueprints import MOUNTS
from tgm.extensions import csrf

# Files and pages that anybody may see; the sign-in pages guard themselves by what they ask.
PUBLIC = {"static", "bootstrap.static", "htmx.static", "swagger.static", "home"} | {
    f"{mount.blueprint.name}." for mount in MOUNTS if mount.guard == "public"
}
GUARDED = {f"{mount.blueprint.name}." for mount in MOUNTS if mount.guard != "public"}
READING = {"GET", "HEAD", "OPTIONS"}


def test_every_route_has_a_guard(app: Flask) -> None:
    naked = [
        name
        for name in app.view_functions
        if name not in PUBLIC and not name.startswith(tuple(PUBLIC | GUARDED))
    ]
    assert naked == [], f"Give these a guard in tgm/blueprints.py: {naked}"


def test_every_screen_sends_a_stranger_to_the_sign_in(app: Flask) -> None:
    client = app.test_client()
    for rule in app.url_map.iter_rules():
        if not rule.endpoint.startswith("dashboard."):
            continue
        values = dict.fromkeys(rule.arguments, "01HZXK3V5QJ8Y3N6M2R7T4W9AB")
        with app.test_request_context():
            url = rule.build(values)
        assert url is not None
        answer = client.get(url[1])
        assert answer.status_code in {302, 405}, f"{rule.rule} lets strangers in"
        if answer.status_code == 302:
            assert "/auth/sign-in" in answer.headers["Location"]


def test_every_screen_that_changes_something_names_a_role(app: Flask) -> None:
    nameless = [
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("dashboard.")
        and set(rule.methods or ()) - READING
        and not hasattr(app.view_functions[rule.endpoint], "needed_role")
    ]
    assert nameless == [], f"Put @needs(Role.…) above these views: {nameless}"


@pytest.mark.usefixtures("app")
def test_only_what_looks_at_no_cookie_goes_without_a_form_token() -> None:
    exempt = {
        blueprint.name for blueprint in csrf._exempt_blueprints if not isinstance(blueprint, str)
    }
    names = exempt | {b for b in csrf._exempt_blueprints if isinstance(b, str)}
    mounted = {m.blueprint.name for m in MOUNTS if not m.csrf}
    assert names == mounted == {"dropin", "proxy", "webhook"}
