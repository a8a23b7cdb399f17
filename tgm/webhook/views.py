"""The screens of how a bot receives: where its updates come from, and how they stand."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Blueprint, flash, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from ulid import ULID

from tgm.auth.access import current_actor, current_team, needs
from tgm.auth.roles import Role
from tgm.bots import service as bots
from tgm.bots.returning import back
from tgm.dropin import reading as programs
from tgm.errors import sentence
from tgm.extensions import runtime
from tgm.keys import service as keys
from tgm.refusals import beside_form
from tgm.shared.clock import utcnow
from tgm.shared.errors import Forbidden, NotFound, TgmError
from tgm.telegram.catalog import UPDATE_KINDS
from tgm.webhook import endpoints, reading, receiving
from tgm.webhook.endpoint_views import bp as endpoint_screens
from tgm.webhook.endpoint_views import shown_once
from tgm.webhook.forms import AcknowledgeForm, ActivateForm, ReceivingForm, SureForm
from tgm.webhook.models import Acknowledge

bp = Blueprint("webhooks", __name__, url_prefix="/bots/<ulid:bot_id>/webhook")
bp.register_blueprint(endpoint_screens)


@bp.get("")
def show(bot_id: ULID) -> ResponseReturnValue:
    """Show how the bot receives, its endpoints, and how each stands."""
    return _page(bot_id)


def _page(bot_id: ULID, form: ActivateForm | None = None) -> str:
    bot = bots.get(current_team(), bot_id)
    reception = receiving.of_bot(bot_id)
    return render_template(
        "webhook/show.html",
        bot=bot,
        reception=reception,
        endpoints=endpoints.of_bot(bot_id),
        stands=reading.by_endpoint(bot_id, utcnow()),
        programs=programs.names(keys.of_team(bot.team_id)),
        summary=reading.summary(bot_id, utcnow()),
        kinds_count=len(UPDATE_KINDS),
        can_use_webhook=runtime.settings.webhook_base_url is not None,
        form=form or ActivateForm.of(reception),
        acknowledge=AcknowledgeForm(mode=reception.acknowledge.value) if reception else None,
    )


@bp.post("/activate")
@needs(Role.ADMIN)
def activate(bot_id: ULID) -> ResponseReturnValue:
    """Take the first endpoint's URL and begin to receive. Shows the endpoint's secret, once."""
    team, form = current_team(), ActivateForm()
    # Another team's bot is answered 404, whatever else is wrong with the form.
    bots.get(team, bot_id)
    if form.validate_on_submit():
        with beside_form(form):
            form.wanted_kinds()
            added = endpoints.add(team, bot_id, form.url.data or "", actor=current_actor())
            _choose_unusual(bot_id, form)
            return shown_once(bot_id, added.endpoint, added.secret, added.warning)
    return _page(bot_id, form), 422


def _choose_unusual(bot_id: ULID, form: ActivateForm) -> None:
    # The endpoint is there by now, and this answer is all that ever shows its secret: it has to
    # come, even if Telegram does not take the choice.
    if form.is_usual:
        return
    try:
        receiving.switch_on(
            current_team(),
            bot_id,
            kinds=form.wanted_kinds(),
            max_connections=form.max_connections.data or 1,
            actor=current_actor(),
        )
    except TgmError as error:
        flash(sentence(error), "warning")


@bp.route("/receiving", methods=["GET", "POST"])
@needs(Role.ADMIN)
def choose(bot_id: ULID) -> ResponseReturnValue:
    """Choose what Telegram sends, and begin to receive where it was handed back."""
    bot = bots.get(current_team(), bot_id)
    form = ReceivingForm.of(receiving.of_bot(bot_id))
    if form.validate_on_submit():
        with beside_form(form):
            receiving.switch_on(
                current_team(),
                bot_id,
                kinds=form.wanted_kinds(),
                max_connections=form.max_connections.data or 1,
                actor=current_actor(),
            )
            flash(_("Telegram now sends what you chose."))
            return _back(bot_id)
    page = render_template("webhook/receiving.html", bot=bot, form=form)
    return page, 422 if request.method == "POST" else 200


@bp.post("/use-webhook")
@needs(Role.ADMIN)
def use_webhook(bot_id: ULID) -> ResponseReturnValue:
    """Let Telegram send updates to this TGM."""
    with _refusal_shown():
        receiving.use_webhook(current_team(), bot_id, current_actor())
        flash(_("Telegram now sends the bot's updates to this TGM."))
    return _back(bot_id)


@bp.post("/use-polling")
@needs(Role.ADMIN)
def use_polling(bot_id: ULID) -> ResponseReturnValue:
    """Fetch updates from Telegram instead."""
    with _refusal_shown():
        receiving.use_polling(current_team(), bot_id, current_actor())
        flash(_("TGM now fetches the bot's updates from Telegram."))
    return _back(bot_id)


@bp.post("/take-back")
@needs(Role.ADMIN)
def take_back(bot_id: ULID) -> ResponseReturnValue:
    """Replace a webhook that somebody else set."""
    with _refusal_shown():
        receiving.take_back(current_team(), bot_id, current_actor())
        flash(_("The bot's updates come to this TGM again."))
    return _back(bot_id)


@bp.route("/hand-back", methods=["GET", "POST"])
@needs(Role.ADMIN)
def hand_back(bot_id: ULID) -> ResponseReturnValue:
    """Ask, then stop receiving, and leave the bot free for another program."""
    bot, form = bots.get(current_team(), bot_id), SureForm()
    if form.validate_on_submit():
        with beside_form(form):
            receiving.hand_back(current_team(), bot_id, current_actor())
            flash(_("TGM no longer receives the bot's updates: another program may."))
            return _back(bot_id)
    if receiving.of_bot(bot_id) is None:
        return _back(bot_id)
    page = render_template("webhook/hand_back.html", bot=bot, form=form)
    return page, 422 if request.method == "POST" else 200


@bp.post("/check")
@needs(Role.MEMBER)
def check(bot_id: ULID) -> ResponseReturnValue:
    """Ask Telegram now whether the webhook is still ours."""
    reception = receiving.check(current_team(), bot_id)
    if reception is not None and reception.problem is None:
        # A problem is told on the page itself.
        flash(_("Telegram was asked: the bot's updates come to this TGM."))
    return _back(bot_id)


@bp.post("/acknowledge")
@needs(Role.ADMIN)
def acknowledge(bot_id: ULID) -> ResponseReturnValue:
    """Choose when a button press is answered for the receiver."""
    form = AcknowledgeForm()
    if not form.validate_on_submit():
        return _page(bot_id), 422
    mode = Acknowledge(form.mode.data)
    receiving.set_acknowledge(current_team(), bot_id, mode, current_actor())
    flash(_("Saved."))
    return _back(bot_id)


@bp.post("/pause")
@needs(Role.ADMIN)
def pause(bot_id: ULID) -> ResponseReturnValue:
    """Hold the bot's deliveries; its updates are still received and kept."""
    receiving.pause(current_team(), bot_id, current_actor())
    flash(_("Deliveries are held. Updates are still received and kept."))
    return _back(bot_id)


@bp.post("/resume")
@needs(Role.ADMIN)
def resume(bot_id: ULID) -> ResponseReturnValue:
    """Deliver again."""
    receiving.resume(current_team(), bot_id, current_actor())
    flash(_("Deliveries go on."))
    return _back(bot_id)


@contextmanager
def _refusal_shown() -> Iterator[None]:
    """Show what Telegram refuses above the page that the button is on."""
    try:
        yield
    except (NotFound, Forbidden):
        raise
    except TgmError as error:
        flash(sentence(error), "error")


def _back(bot_id: ULID) -> ResponseReturnValue:
    return back(bot_id, "dashboard.webhooks.show")
