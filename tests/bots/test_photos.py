"""The bots' own photos: asked for in the background, and only kept where they are pictures."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from ulid import ULID

from tests.fakes.telegram import OTHER_TOKEN, TOKEN, FakeTelegram, Reply, refusal, reply
from tests.pictures import a_png
from tgm.audit.service import COMMAND_LINE
from tgm.bots import photos, service
from tgm.bots.models import Bot, BotPhoto
from tgm.bots.picture import MOST_BYTES, content_type
from tgm.database import writing
from tgm.extensions import db
from tgm.shared.clock import utcnow
from tgm.shared.errors import NotFound

PNG = a_png()
JPEG = b"\xff\xd8\xff\xe0" + b"j" * 900
WEBP = b"RIFF\x10\x27\x00\x00WEBPVP8 " + b"w" * 900
SAME_BOT_NEW_TOKEN = TOKEN.partition(":")[0] + ":AAnewTokenOfTheSameBot_0123456789abcd"


def fetch(after: timedelta = timedelta()) -> bool:
    return photos.fetch_due(utcnow() + after)


def photo_of(bot: Bot) -> str | None:
    db.session.rollback()
    return photos.avatars([bot])[bot.id].photo


def asked(telegram: FakeTelegram) -> int:
    return len(telegram.calls("getUserProfilePhotos"))


@pytest.mark.parametrize(
    ("content", "kind"), [(PNG, "image/png"), (JPEG, "image/jpeg"), (WEBP, "image/webp")]
)
def test_a_new_bots_photo_is_fetched_and_kept(
    bot: Bot, telegram: FakeTelegram, content: bytes, kind: str
) -> None:
    telegram.add_photo(TOKEN, content)
    assert photo_of(bot) is None
    assert fetch()
    kept = photos.of_bot(bot.team_id, bot.id)
    assert (kept.content, kept.content_type) == (content, kind)
    assert photo_of(bot) == kept.unique_id


def test_adding_a_bot_does_not_ask_for_its_photo(bot: Bot, telegram: FakeTelegram) -> None:
    assert [call.method for call in telegram.requests] == ["getMe"]


def test_it_asks_for_the_bots_own_photo_in_the_smallest_size_that_is_large_enough(
    bot: Bot, telegram: FakeTelegram
) -> None:
    telegram.add_photo(TOKEN, PNG)
    telegram.photos[TOKEN].insert(0, {**telegram.photos[TOKEN][0], "width": 80, "height": 80})
    fetch()
    (call,) = telegram.calls("getUserProfilePhotos")
    assert json.loads(call.body) == {"user_id": bot.telegram_id, "limit": 1}
    (call,) = telegram.calls("getFile")
    assert json.loads(call.body) == {"file_id": "one-160"}


def test_a_small_photo_is_better_than_none(bot: Bot, telegram: FakeTelegram) -> None:
    telegram.add_photo(TOKEN, PNG)
    telegram.photos[TOKEN] = [
        {**telegram.photos[TOKEN][0], "width": pixels, "height": 90, "file_unique_id": f"u{pixels}"}
        for pixels in (40, 80)
    ]
    fetch()
    assert photo_of(bot) == "u80"


def test_it_is_asked_for_again_after_a_day(bot: Bot, telegram: FakeTelegram) -> None:
    assert fetch()
    assert not fetch()
    assert not fetch(photos.EVERY - timedelta(minutes=1))
    assert fetch(photos.EVERY + timedelta(minutes=1))
    assert asked(telegram) == 2


def test_the_same_photo_is_not_downloaded_again(bot: Bot, telegram: FakeTelegram) -> None:
    telegram.add_photo(TOKEN, PNG)
    fetch()
    fetch(photos.EVERY * 2)
    assert asked(telegram) == 2
    assert len(telegram.calls("getFile")) == 1
    assert photo_of(bot) == "one_160"


def test_another_photo_takes_its_place_and_none_takes_it_away(
    bot: Bot, telegram: FakeTelegram
) -> None:
    telegram.add_photo(TOKEN, PNG)
    fetch()
    telegram.add_photo(TOKEN, JPEG, "two")
    fetch(photos.EVERY * 2)
    assert photos.of_bot(bot.team_id, bot.id).content == JPEG
    del telegram.photos[TOKEN]
    fetch(photos.EVERY * 4)
    assert photo_of(bot) is None
    with pytest.raises(NotFound):
        photos.of_bot(bot.team_id, bot.id)


@pytest.mark.parametrize(
    "content",
    [
        b"GIF89a" + b"g" * 100,
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        b"<!doctype html><script>alert(1)</script>",
        b"RIFF\x10\x27\x00\x00WAVE",
        b"",
        PNG + b"p" * MOST_BYTES,
    ],
    ids=["gif", "svg", "html", "sound", "nothing", "too large"],
)
def test_what_is_no_picture_or_too_large_is_not_kept(
    bot: Bot, telegram: FakeTelegram, content: bytes
) -> None:
    telegram.add_photo(TOKEN, content)
    assert fetch()
    assert photo_of(bot) is None
    row = db.session.get_one(BotPhoto, bot.id)
    assert (row.content, row.content_type) == (None, None)


def test_the_largest_that_is_allowed_is_kept(bot: Bot, telegram: FakeTelegram) -> None:
    telegram.add_photo(TOKEN, PNG.ljust(MOST_BYTES, b"p"))
    fetch()
    assert photo_of(bot) is not None


def test_only_the_first_bytes_say_what_a_picture_is() -> None:
    assert content_type(b" " + PNG) is None
    assert content_type(WEBP[:11]) is None


@pytest.mark.parametrize(
    "answer",
    [
        Reply(b"", close=True),
        reply(b"nonsense"),
        refusal(429, "Too Many Requests: retry after 5", retry_after=5),
        reply({"ok": True, "result": True}),
        reply({"ok": True, "result": {"photos": {}, "total_count": 1}}),
        reply({"ok": True, "result": {"photos": [[7]], "total_count": 1}}),
        reply({"ok": True, "result": {"photos": [[{"file_id": "a"}]], "total_count": 1}}),
        reply(
            {
                "ok": True,
                "result": {
                    "photos": [
                        [{"file_id": "a", "file_unique_id": "../x", "width": 1, "height": 1}]
                    ]
                },
            }
        ),
    ],
)
def test_while_telegram_cannot_say_the_photo_stays_and_it_is_asked_within_the_hour(
    bot: Bot, telegram: FakeTelegram, answer: Reply
) -> None:
    telegram.add_photo(TOKEN, PNG)
    fetch()
    telegram.always("getUserProfilePhotos", answer)
    later = photos.EVERY * 2
    assert fetch(later)
    assert photo_of(bot) == "one_160"
    assert not fetch(later)
    assert fetch(later + photos.AGAIN + timedelta(minutes=1))


@pytest.mark.parametrize("found", [{}, {"file_path": 7}, {"file_path": "photos/gone"}])
def test_a_photo_that_cannot_be_downloaded_is_asked_for_again(
    bot: Bot, telegram: FakeTelegram, found: dict[str, object]
) -> None:
    telegram.add_photo(TOKEN, PNG)
    telegram.always("getFile", reply({"ok": True, "result": found}))
    assert fetch()
    assert photo_of(bot) is None
    assert fetch(photos.AGAIN + timedelta(minutes=1))


@pytest.fixture
def files_dir(tmp_path: Path, environ: dict[str, str]) -> Path:
    """The folder of a local Bot API server; ask for it before `bot`."""
    folder = tmp_path / "telegram-files"
    (folder / TOKEN / "photos").mkdir(parents=True)
    environ["TELEGRAM_FILES_DIR"] = str(folder)
    return folder


def test_a_local_servers_photo_is_read_from_its_folder_and_nothing_else_is(
    files_dir: Path, bot: Bot, telegram: FakeTelegram
) -> None:
    telegram.add_photo(TOKEN, b"")
    (files_dir / TOKEN / "photos" / "file_0.png").write_bytes(PNG)
    (files_dir / "other.png").write_bytes(JPEG)
    outside = reply({"ok": True, "result": {"file_path": f"{files_dir}/{TOKEN}/../other.png"}})
    telegram.always("getFile", outside)
    assert fetch()
    assert photo_of(bot) is None
    path = f"{files_dir}/{TOKEN}/photos/file_0.png"
    telegram.always("getFile", reply({"ok": True, "result": {"file_path": path}}))
    assert fetch(photos.AGAIN * 2)
    assert photos.of_bot(bot.team_id, bot.id).content == PNG


def test_a_bot_whose_token_is_refused_waits_for_a_day_or_a_new_token(
    bot: Bot, telegram: FakeTelegram
) -> None:
    telegram.bots.clear()
    assert fetch()
    assert not fetch(photos.AGAIN + timedelta(minutes=1))
    telegram.add_bot(SAME_BOT_NEW_TOKEN, "Test bot", "tgm_test_bot")
    telegram.add_photo(SAME_BOT_NEW_TOKEN, PNG)
    service.replace_token(bot.team_id, bot.id, SAME_BOT_NEW_TOKEN, COMMAND_LINE)
    assert fetch()
    assert photo_of(bot) == "one_160"


def test_one_that_fails_does_not_keep_the_others_waiting(
    bot: Bot, foreign_bot: Bot, telegram: FakeTelegram
) -> None:
    telegram.add_photo(OTHER_TOKEN, PNG)
    with writing() as session:
        session.get_one(Bot, bot.id).sealed_token = "broken"
    assert fetch()
    assert fetch()
    assert not fetch()
    assert photo_of(foreign_bot) == "one_160"


def test_it_goes_with_its_bot(bot: Bot, team: ULID, telegram: FakeTelegram) -> None:
    telegram.add_photo(TOKEN, PNG)
    fetch()
    service.delete(team, bot.id, "Test bot", COMMAND_LINE)
    assert db.session.get(BotPhoto, bot.id) is None
    assert not fetch()


def test_it_is_served_as_the_picture_it_is_and_nothing_in_it_may_act(
    signed_in: FlaskClient, bot: Bot, telegram: FakeTelegram
) -> None:
    telegram.add_photo(TOKEN, JPEG + b"<script>alert(1)</script>")
    fetch()
    answer = signed_in.get(f"/dashboard/bots/{bot.id}/photo")
    assert answer.data == JPEG + b"<script>alert(1)</script>"
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"


def test_a_browser_keeps_it_for_its_person_alone_and_may_ask_whether_it_is_the_same(
    signed_in: FlaskClient, bot: Bot, telegram: FakeTelegram
) -> None:
    telegram.add_photo(TOKEN, PNG)
    fetch()
    address = f"/dashboard/bots/{bot.id}/photo"
    answer = signed_in.get(address)
    assert answer.cache_control.private
    assert answer.cache_control.max_age == 86400
    again = signed_in.get(address, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    other = signed_in.get(address, headers={"If-None-Match": '"another"'})
    assert other.data == PNG


def test_strangers_and_other_teams_do_not_see_it(
    app: Flask, signed_in: FlaskClient, bot: Bot, foreign_bot: Bot, telegram: FakeTelegram
) -> None:
    telegram.add_photo(OTHER_TOKEN, PNG)
    fetch()
    fetch()
    assert photo_of(foreign_bot) is not None
    for bot_id in (bot.id, foreign_bot.id):
        assert signed_in.get(f"/dashboard/bots/{bot_id}/photo").status_code == 404
    stranger = app.test_client().get(f"/dashboard/bots/{foreign_bot.id}/photo")
    assert "/auth/sign-in" in stranger.headers["Location"]


PAGES = ["", "/webhook", "/deliveries", "/requests", "/doctor", "/settings"]


@pytest.mark.parametrize("page", ["/dashboard/", "/dashboard/bots", *PAGES])
def test_pages_show_it_beside_the_name_else_the_first_letter(
    signed_in: FlaskClient, bot: Bot, telegram: FakeTelegram, page: str
) -> None:
    address = page if page.startswith("/dashboard") else f"/dashboard/bots/{bot.id}{page}"
    before = signed_in.get(address).text
    assert "<img" not in before
    assert 'aria-hidden="true">T</span>' in before
    telegram.add_photo(TOKEN, PNG)
    fetch()
    after = signed_in.get(address).text
    assert f'src="/dashboard/bots/{bot.id}/photo?v=one_160"' in after
    image = after.partition("<img")[2].partition(">")[0]
    for said in ('alt=""', 'width="40"', 'height="40"', 'loading="lazy"'):
        assert said in image
    assert 'aria-hidden="true">T</span>' not in after
