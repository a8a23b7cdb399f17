"""The API keys' screens."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from ulid import ULID

from tgm.auth.access import current_actor, current_team, needs
from tgm.auth.roles import Role
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.dashboard.charts import Sparkline, sparkline
from tgm.dropin import reading as programs
from tgm.dropin.lines import ready
from tgm.dropin.tokens import virtual_token
from tgm.extensions import runtime
from tgm.keys import service as keys
from tgm.keys.example import curl_line
from tgm.keys.forms import EditForm, KeyForm, RevokeForm, RotateForm
from tgm.keys.models import ApiKey
from tgm.proxy.figures import hourly_by_key
from tgm.refusals import beside_fields
from tgm.security.secret import Secret
from tgm.shared.clock import utcnow

bp = Blueprint("keys", __name__, url_prefix="/api-keys")


@bp.get("")
def index() -> ResponseReturnValue:
    """List the team's keys."""
    team, now = current_team(), utcnow()
    return render_template(
        "keys/index.html",
        keys=keys.of_team(team),
        chosen=keys.chosen_bots(team),
        general_rate=runtime.settings.rate_limit_per_minute,
        lines=_lines(team, now),
        now=now,
    )


@bp.route("/new", methods=["GET", "POST"])
@needs(Role.ADMIN)
def new() -> ResponseReturnValue:
    """Make a key. The answer to the post is the only page that ever shows it."""
    form = KeyForm()
    form.offer(bots.of_team(current_team()))
    if form.validate_on_submit():
        form.stop_if_spent()
        with beside_fields(form):
            made = keys.make(current_team(), form.rights(utcnow()), current_actor())
            form.spend()
            return _shown_once(*made)
    return render_template("keys/new.html", form=form), _status()


@bp.get("/<ulid:key_id>")
def detail(key_id: ULID) -> ResponseReturnValue:
    """Show a key's rights and state."""
    key, now = keys.get(current_team(), key_id), utcnow()
    return render_template(
        "keys/detail.html",
        programs=programs.of_key(key, now),
        key=key,
        bots=_chosen(key),
        general_rate=runtime.settings.rate_limit_per_minute,
        line=_lines(key.team_id, now)[key.id],
        state=key.state(now),
        now=now,
    )


@bp.route("/<ulid:key_id>/edit", methods=["GET", "POST"])
@needs(Role.ADMIN)
def edit(key_id: ULID) -> ResponseReturnValue:
    """Change a key's name and rights."""
    key = keys.get(current_team(), key_id)
    form = EditForm.of(key, _chosen(key))
    form.offer(bots.of_team(current_team()))
    if form.validate_on_submit():
        with beside_fields(form):
            rights = form.rights(utcnow(), key.expires_at)
            keys.change(current_team(), key_id, rights, current_actor())
            flash(_("The API key was changed."))
            return redirect(url_for(".detail", key_id=key_id), 303)
    return render_template("keys/edit.html", key=key, form=form), _status()


@bp.route("/<ulid:key_id>/rotate", methods=["GET", "POST"])
@needs(Role.ADMIN)
def rotate(key_id: ULID) -> ResponseReturnValue:
    """Make a successor, and let the old key work for a while. Shows the new key, once."""
    key = keys.get(current_team(), key_id)
    form = RotateForm()
    if form.validate_on_submit():
        form.stop_if_spent()
        with beside_fields(form):
            made = keys.rotate(current_team(), key_id, form.overlap.data or 0, current_actor())
            form.spend()
            return _shown_once(*made)
    return render_template("keys/rotate.html", key=key, form=form), _status()


@bp.route("/<ulid:key_id>/revoke", methods=["GET", "POST"])
@needs(Role.ADMIN)
def revoke(key_id: ULID) -> ResponseReturnValue:
    """Ask, then refuse a key for ever."""
    key = keys.get(current_team(), key_id)
    if RevokeForm().validate_on_submit():
        keys.revoke(current_team(), key_id, current_actor())
        flash(_("The API key was revoked."))
        return redirect(url_for(".detail", key_id=key_id), 303)
    return render_template("keys/revoke.html", key=key), _status()


def _shown_once(key: ApiKey, secret: Secret) -> ResponseReturnValue:
    usable = bots.of_team(key.team_id) if key.all_bots else _chosen(key)
    bot_id = str(usable[0].id) if usable else None
    line = curl_line(request.url_root, bot_id, key.patterns, secret)
    tokens = [(bot, virtual_token(bot.telegram_id, secret.value).value) for bot in usable]
    page = render_template(
        "keys/made.html",
        key=key,
        secret=secret.value,
        line=line,
        bot_id=bot_id,
        tokens=tokens,
        base_url=request.url_root.rstrip("/"),
        lines=ready(request.url_root.rstrip("/"), tokens[0][1] if len(tokens) == 1 else None),
    )
    answer = make_response(page)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _lines(team_id: ULID, now: datetime) -> Mapping[ULID, Sparkline]:
    """Return each key's calls in 24 hours, one bar for an hour; a key without calls has none."""
    unused = sparkline([0] * 24)
    counts = hourly_by_key(team_id, now)
    return defaultdict(lambda: unused, {key_id: sparkline(own) for key_id, own in counts.items()})


def _chosen(key: ApiKey) -> Sequence[Bot]:
    return keys.chosen_bots(key.team_id).get(key.id, ())


def _status() -> int:
    return 422 if request.method == "POST" else 200
