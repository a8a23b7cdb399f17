"""Two-step sign-in: codes, recovery codes, turning it on and off."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import segno
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.auth.conftest import Browser, again
from tests.browsing import sign_in, submit
from tests.conftest import OWNER
from tests.making import PASSWORD
from tgm.audit.service import COMMAND_LINE
from tgm.auth import service, totp
from tgm.auth.models import RecoveryCode, User
from tgm.auth.service import Person
from tgm.database import writing
from tgm.extensions import db, runtime
from tgm.security.secret import Secret
from tgm.security.vault import Vault, new_key
from tgm.shared.clock import utcnow
from tgm.shared.errors import Invalid, TooManyRequests

NOON = datetime(2025, 11, 21, 12, 0, 0, tzinfo=UTC)
STEP = timedelta(seconds=30)
# The key of RFC 6238's test vectors, "12345678901234567890".
RFC_SECRET = Secret("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")


def code(secret: Secret, when: datetime) -> str:
    return totp.code_at(secret, int(when.timestamp()) // 30)


@pytest.fixture
def secret(owner: Person) -> Secret:
    """The owner's secret, in use since noon."""
    offer = totp.new_offer(owner.id)
    secret = totp.open_offer(owner.id, offer)
    totp.turn_on(owner.id, secret, code(secret, NOON), NOON, COMMAND_LINE)
    return secret


def turn_on(client: FlaskClient) -> tuple[Secret, list[str]]:
    """Turn it on in the browser, with the code of the step before this one."""
    page = client.get("/dashboard/account/two-step").text
    secret = Secret(re.findall(r'id="totp-secret"[^>]*>([A-Z2-7]+)<', page)[0])
    answer = submit(client, "/dashboard/account/two-step", code=code(secret, utcnow() - STEP))
    assert answer.status_code == 200
    return secret, re.findall(r"<code>([0-9a-z-]{19})</code>", answer.text)


@pytest.mark.parametrize(
    ("seconds", "digits"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")],
)
def test_codes_are_those_of_rfc_6238(seconds: int, digits: str) -> None:
    assert totp.code_at(RFC_SECRET, seconds // 30) == digits


@pytest.mark.parametrize(
    ("late", "taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)]
)
def test_a_clock_may_be_one_step_off(late: int, taken: bool) -> None:
    shown = code(RFC_SECRET, NOON + late * STEP)
    assert (totp.matching_step(RFC_SECRET, shown, 0, NOON) is not None) is taken


def test_the_password_alone_does_not_sign_in(app: Flask, owner: Person, secret: Secret) -> None:
    client = app.test_client()
    answer = sign_in(client, OWNER, PASSWORD)
    assert (answer.status_code, answer.location) == (303, "/auth/second-step")
    assert client.get("/dashboard/").status_code == 302
    assert client.get("/dashboard/people").status_code == 302


def test_the_code_completes_the_sign_in_where_it_began(
    app: Flask, owner: Person, secret: Secret
) -> None:
    client = app.test_client()
    submit(client, "/auth/sign-in?next=/dashboard/people", email=OWNER, password=PASSWORD)
    answer = submit(client, "/auth/second-step", code=code(secret, utcnow()))
    assert (answer.status_code, answer.location) == (303, "/dashboard/people")
    assert client.get("/dashboard/people").status_code == 200


def test_a_wrong_code_is_refused_and_not_shown_again(
    app: Flask, owner: Person, secret: Secret
) -> None:
    client = app.test_client()
    sign_in(client, OWNER, PASSWORD)
    answer = submit(client, "/auth/second-step", code="not a code")
    assert answer.status_code == 422
    assert "The code is wrong, or was used already." in answer.text
    assert "not a code" not in answer.text
    assert client.get("/dashboard/").status_code == 302


def test_there_is_no_second_step_without_a_first(client: FlaskClient, owner: Person) -> None:
    answer = client.get("/auth/second-step")
    assert (answer.status_code, answer.location) == (303, "/auth/sign-in")


def test_the_first_step_is_forgotten_after_ten_minutes(
    client: FlaskClient, owner: Person, secret: Secret
) -> None:
    sign_in(client, OWNER, PASSWORD)
    assert client.get("/auth/second-step").status_code == 200
    with client.session_transaction() as session:
        session["half_way"] = {**session["half_way"], "at": session["half_way"]["at"] - 601}
    assert client.get("/auth/second-step").status_code == 303


def test_a_new_password_voids_the_first_step(
    client: FlaskClient, owner: Person, secret: Secret
) -> None:
    sign_in(client, OWNER, PASSWORD)
    service.reset_password(OWNER, "another fine password", COMMAND_LINE)
    assert client.get("/auth/second-step").status_code == 303


def test_a_code_works_once(owner: Person, secret: Secret) -> None:
    later = NOON + 2 * STEP
    service.check_second_step(owner, code(secret, later), None, later)
    with pytest.raises(Invalid):
        service.check_second_step(owner, code(secret, later), None, later)


def test_the_code_that_turned_it_on_is_spent(owner: Person, secret: Secret) -> None:
    with pytest.raises(Invalid):
        service.check_second_step(owner, code(secret, NOON), None, NOON)


def test_codes_older_than_the_last_one_used_are_spent(owner: Person, secret: Secret) -> None:
    service.check_second_step(owner, code(secret, NOON + 3 * STEP), None, NOON + 2 * STEP)
    with pytest.raises(Invalid):
        service.check_second_step(owner, code(secret, NOON + 2 * STEP), None, NOON + 2 * STEP)


def test_tries_are_limited(owner: Person, secret: Secret) -> None:
    later = NOON + 2 * STEP
    for _ in range(5):
        with pytest.raises(Invalid):
            service.check_second_step(owner, "wrong", None, later)
    with pytest.raises(TooManyRequests):
        service.check_second_step(owner, code(secret, later), None, later)


def test_ten_recovery_codes_are_shown_once(signed_in: FlaskClient) -> None:
    _, codes = turn_on(signed_in)
    assert len(set(codes)) == 10
    for page in ("/dashboard/account", "/dashboard/account/recovery-codes"):
        assert not any(each in signed_in.get(page).text for each in codes)


def test_recovery_codes_are_kept_as_hashes(signed_in: FlaskClient) -> None:
    _, codes = turn_on(signed_in)
    kept = set(db.session.scalars(select(RecoveryCode.digest)))
    assert len(kept) == 10
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in kept)
    assert not kept & set(codes)


def test_a_recovery_code_signs_in_once(app: Flask, signed_in: FlaskClient) -> None:
    _, codes = turn_on(signed_in)
    for expected in (303, 422):
        client = app.test_client()
        sign_in(client, OWNER, PASSWORD)
        typed = f" {codes[0].upper().replace('-', ' ')} "
        assert submit(client, "/auth/second-step", code=typed).status_code == expected
    client = app.test_client()
    sign_in(client, OWNER, PASSWORD)
    assert submit(client, "/auth/second-step", code=codes[1]).status_code == 303


def test_new_recovery_codes_replace_the_old(signed_in: FlaskClient, owner: Person) -> None:
    _, old = turn_on(signed_in)
    page = "/dashboard/account/recovery-codes"
    assert submit(signed_in, page, password="wrong").status_code == 422
    answer = submit(signed_in, page, password=PASSWORD)
    new = re.findall(r"<code>([0-9a-z-]{19})</code>", answer.text)
    assert len(new) == 10
    person = again(owner)
    with pytest.raises(Invalid):
        service.check_second_step(person, old[0], None, NOON)
    service.check_second_step(person, new[0], None, NOON)


def test_turning_it_on_asks_for_a_code(signed_in: FlaskClient, owner: Person) -> None:
    answer = submit(signed_in, "/dashboard/account/two-step", code="000")
    assert answer.status_code == 422
    assert not again(owner).has_totp


def test_the_secret_on_offer_stays_while_the_form_is_open(signed_in: FlaskClient) -> None:
    pages = [signed_in.get("/dashboard/account/two-step").text for _ in range(2)]
    secrets = [re.findall(r'id="totp-secret"[^>]*>([A-Z2-7]+)<', page) for page in pages]
    assert secrets[0] == secrets[1] != []


def test_the_secret_is_sealed_in_the_session_and_in_the_database(
    signed_in: FlaskClient, owner: Person
) -> None:
    page = signed_in.get("/dashboard/account/two-step").text
    offered = re.findall(r'id="totp-secret"[^>]*>([A-Z2-7]+)<', page)[0]
    with signed_in.session_transaction() as session:
        assert offered not in str(dict(session))
    secret, _ = turn_on(signed_in)
    sealed = db.session.get_one(User, owner.id).sealed_totp
    assert sealed is not None
    assert secret.value not in sealed


def test_the_qr_code_holds_what_the_app_needs(signed_in: FlaskClient, owner: Person) -> None:
    page = signed_in.get("/dashboard/account/two-step").text
    secret = Secret(re.findall(r'id="totp-secret"[^>]*>([A-Z2-7]+)<', page)[0])
    drawn = page.partition('class="qr"')[2].partition("<svg")[2].partition("</svg>")[0]
    expected = segno.make(totp.address(secret, OWNER).value, error="m", micro=False)
    assert modules(drawn, len(expected.matrix)) == [list(map(bool, r)) for r in expected.matrix]
    # Black on white with the standard's quiet zone, in the dark theme as well.
    side = len(expected.matrix) + 2 * 4
    assert f'viewBox="0 0 {side} {side}"' in drawn
    assert f'<path fill="#fff" d="M0 0h{side}v{side}h-{side}z"/>' in drawn
    assert 'stroke="#000"' in drawn
    assert "style=" not in drawn


def modules(svg: str, size: int) -> list[list[bool]]:
    """Return which modules of a drawn code are dark, without its quiet zone."""
    dark = [[False] * size for _ in range(size)]
    x, y = 0.0, 0.0
    path = re.findall(r'stroke="#000" d="([^"]+)"', svg)[0]
    for act, first, second in re.findall(r"([Mmh])(-?[\d.]+)(?: (-?[\d.]+))?", path):
        if act == "h":
            for step in range(int(first)):
                dark[int(y) - 4][int(x) - 4 + step] = True
            x += float(first)
        else:
            here = (0.0, 0.0) if act == "M" else (x, y)
            x, y = here[0] + float(first), here[1] + float(second)
    return dark


def test_turning_it_off_asks_for_the_password(signed_in: FlaskClient, owner: Person) -> None:
    turn_on(signed_in)
    page = "/dashboard/account/two-step/off"
    assert submit(signed_in, page, password="wrong").status_code == 422
    assert again(owner).has_totp
    assert submit(signed_in, page, password=PASSWORD).status_code == 303
    assert not again(owner).has_totp
    assert db.session.scalars(select(RecoveryCode)).all() == []


def test_the_command_line_turns_it_off(owner: Person, secret: Secret, browser: Browser) -> None:
    service.disable_totp(OWNER, COMMAND_LINE)
    service.disable_totp(OWNER, COMMAND_LINE)
    assert browser(owner).get("/dashboard/").status_code == 200


def test_secrets_are_resealed_under_the_newest_key(owner: Person, secret: Secret) -> None:
    sealed = db.session.get_one(User, owner.id).sealed_totp
    assert sealed is not None
    opened = runtime.vault.open(sealed, place=totp.totp_place(owner.id))
    old, new = new_key(), new_key()
    with writing() as session:
        user = session.get_one(User, owner.id)
        user.sealed_totp = Vault([old]).seal(opened, place=totp.totp_place(owner.id))
    with writing() as session:
        assert service.reseal(session, Vault([new, old])) == 1
    resealed = db.session.get_one(User, owner.id, populate_existing=True).sealed_totp
    assert resealed is not None
    assert Vault([new]).open(resealed, place=totp.totp_place(owner.id)) == secret.value
