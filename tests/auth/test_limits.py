"""Wrong tries are limited, for each account and for each address."""

import pytest
from flask.testing import FlaskClient

from tests.browsing import sign_in, submit
from tests.conftest import OWNER
from tests.making import PASSWORD
from tgm.auth import service
from tgm.auth.service import Person
from tgm.shared.errors import Invalid, TooManyRequests

HERE, THERE = "192.0.2.1", "192.0.2.2"


def never(kept: str, password: str) -> bool:
    return False


def fail(email: str, times: int, address: str = HERE) -> None:
    for _ in range(times):
        with pytest.raises(Invalid):
            service.check_password(email, "wrong", address, check=never)


@pytest.mark.parametrize("email", [OWNER, "nobody@example.com"])
def test_after_ten_wrong_passwords_an_account_waits(owner: Person, email: str) -> None:
    fail(email, 10)
    with pytest.raises(TooManyRequests) as refused:
        service.check_password(email, PASSWORD, THERE)
    assert refused.value.retry_after is not None
    assert 0 < refused.value.retry_after <= 15 * 60 + 1


def test_another_account_does_not_wait_with_it(owner: Person) -> None:
    fail("nobody@example.com", 10)
    assert service.check_password(OWNER, PASSWORD, HERE).id == owner.id


def test_the_page_says_so_and_when_to_come_back(client: FlaskClient, owner: Person) -> None:
    fail(OWNER, 10)
    answer = sign_in(client, OWNER, PASSWORD)
    assert answer.status_code == 429
    assert "Too many tries. Please try again in" in answer.text
    assert 0 < int(answer.headers["Retry-After"]) <= 15 * 60 + 1


def test_the_right_password_clears_the_count(owner: Person) -> None:
    for _ in range(2):
        fail(OWNER, 9)
        service.check_password(OWNER, PASSWORD, HERE)


def test_after_fifty_wrong_passwords_an_address_waits(owner: Person) -> None:
    for number in range(50):
        fail(f"person{number}@example.com", 1)
    with pytest.raises(TooManyRequests):
        service.check_password(OWNER, PASSWORD, HERE)
    assert service.check_password(OWNER, PASSWORD, THERE).id == owner.id


def test_the_right_password_does_not_count_against_an_address(owner: Person) -> None:
    for _ in range(51):
        service.check_password(OWNER, PASSWORD, HERE, check=lambda kept, password: True)


def test_a_stolen_session_cannot_guess_the_password(signed_in: FlaskClient) -> None:
    page = "/dashboard/account/two-step/off"
    answers = [submit(signed_in, page, password="wrong").status_code for _ in range(11)]
    assert answers == [422] * 10 + [429]
