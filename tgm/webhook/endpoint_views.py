"""The screens of a bot's endpoints."""

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from ulid import ULID

from tgm.auth.access import current_actor, current_team, needs
from tgm.auth.roles import Role
from tgm.bots import service as bots
from tgm.bots.returning import back
from tgm.refusals import beside_form
from tgm.security.secret import Secret
from tgm.shared.errors import N_, NotFound
from tgm.webhook import endpoints, forgetting, hurrying, samples
from tgm.webhook.forms import EndpointForm, SureForm
from tgm.webhook.models import Endpoint

bp = Blueprint("endpoints", __name__, url_prefix="/endpoints")


@bp.route("/add", methods=["GET", "POST"])
@needs(Role.ADMIN)
def add(bot_id: ULID) -> ResponseReturnValue:
    """Add one more endpoint. The answer to the post is the only page that shows its secret."""
    bot = bots.get(current_team(), bot_id)
    form = EndpointForm()
    if form.validate_on_submit():
        with beside_form(form):
            added = endpoints.add(
                current_team(),
                bot_id,
                form.url.data or "",
                name=form.name.data or None,
                kinds=form.wanted_kinds(),
                actor=current_actor(),
            )
            return shown_once(bot_id, added.endpoint, added.secret, added.warning)
    return render_template("webhook/endpoint.html", bot=bot, form=form, endpoint=None), _status()


@bp.route("/<ulid:endpoint_id>/edit", methods=["GET", "POST"])
@needs(Role.ADMIN)
def edit(bot_id: ULID, endpoint_id: ULID) -> ResponseReturnValue:
    """Change an endpoint's name, address and filter."""
    bot, endpoint = bots.get(current_team(), bot_id), _get(bot_id, endpoint_id)
    endpoints.check_changeable(endpoint)
    form = EndpointForm.of(endpoint)
    if form.validate_on_submit():
        with beside_form(form):
            warning = endpoints.change(
                current_team(),
                endpoint_id,
                url=form.url.data or "",
                name=form.name.data or "",
                kinds=form.wanted_kinds(),
                takes_answers=bool(form.takes_answers.data),
                actor=current_actor(),
            )
            flash(_("The endpoint was changed."))
            if warning:
                flash(_(warning), "warning")
            return _back(bot_id)
    page = render_template("webhook/endpoint.html", bot=bot, form=form, endpoint=endpoint)
    return page, _status()


@bp.post("/<ulid:endpoint_id>/pause")
@needs(Role.ADMIN)
def pause(bot_id: ULID, endpoint_id: ULID) -> ResponseReturnValue:
    """Hold the endpoint's deliveries."""
    _get(bot_id, endpoint_id)
    endpoints.pause(current_team(), endpoint_id, current_actor())
    flash(_("The endpoint is paused: its updates wait."))
    return _back(bot_id)


@bp.post("/<ulid:endpoint_id>/resume")
@needs(Role.ADMIN)
def resume(bot_id: ULID, endpoint_id: ULID) -> ResponseReturnValue:
    """Deliver to the endpoint again, what has waited at a set pace."""
    _get(bot_id, endpoint_id)
    endpoints.resume(current_team(), endpoint_id, current_actor())
    flash(_("The endpoint gets its updates again; what has waited follows little by little."))
    return _back(bot_id)


@bp.post("/<ulid:endpoint_id>/try-now")
@needs(Role.MEMBER)
def try_now(bot_id: ULID, endpoint_id: ULID) -> ResponseReturnValue:
    """Deliver what waits for its next try at once."""
    _get(bot_id, endpoint_id)
    count = hurrying.try_now(current_team(), endpoint_id, current_actor())
    flash(
        ngettext(
            "%(num)d delivery is tried again now.", "%(num)d deliveries are tried again now.", count
        )
    )
    return _back(bot_id)


@bp.route("/<ulid:endpoint_id>/remove", methods=["GET", "POST"])
@needs(Role.ADMIN)
def remove(bot_id: ULID, endpoint_id: ULID) -> ResponseReturnValue:
    """Ask, then forget an endpoint and its deliveries."""
    bot, endpoint = bots.get(current_team(), bot_id), _get(bot_id, endpoint_id)
    if SureForm().validate_on_submit():
        endpoints.remove(current_team(), endpoint_id, current_actor())
        flash(_("The endpoint was removed."))
        return _back(bot_id)
    held = forgetting.held_of(endpoint_id)
    return render_template("webhook/remove.html", bot=bot, endpoint=endpoint, held=held), _status()


@bp.route("/<ulid:endpoint_id>/rotate-secret", methods=["GET", "POST"])
@needs(Role.ADMIN)
def rotate_secret(bot_id: ULID, endpoint_id: ULID) -> ResponseReturnValue:
    """Ask, then make a new secret. The answer to the post is the only page that shows it."""
    bot, endpoint = bots.get(current_team(), bot_id), _get(bot_id, endpoint_id)
    if SureForm().validate_on_submit():
        secret = endpoints.rotate_secret(current_team(), endpoint_id, current_actor())
        return shown_once(bot_id, endpoint, secret)
    return render_template("webhook/rotate.html", bot=bot, endpoint=endpoint), _status()


@bp.post("/<ulid:endpoint_id>/test")
@needs(Role.MEMBER)
def test(bot_id: ULID, endpoint_id: ULID) -> ResponseReturnValue:
    """Send a made-up update to the endpoint, and show what became of it."""
    _get(bot_id, endpoint_id)
    make = samples.button_press if request.form.get("what") == "button" else samples.message
    delivery = make(current_team(), endpoint_id, current_actor())
    return redirect(url_for("dashboard.deliveries.detail", delivery_id=delivery.id), 303)


def shown_once(
    bot_id: ULID, endpoint: Endpoint, secret: Secret, warning: str | None = None
) -> ResponseReturnValue:
    """Answer with an endpoint's secret. No browser may keep the page."""
    bot = bots.get(current_team(), bot_id)
    answer = make_response(
        render_template(
            "webhook/secret.html", bot=bot, endpoint=endpoint, secret=secret.value, warning=warning
        )
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _get(bot_id: ULID, endpoint_id: ULID) -> Endpoint:
    endpoint = endpoints.get(current_team(), endpoint_id)
    if endpoint.bot_id != bot_id:
        raise NotFound(N_("There is no such endpoint."))
    return endpoint


def _back(bot_id: ULID) -> ResponseReturnValue:
    return back(bot_id, "dashboard.webhooks.show")


def _status() -> int:
    return 422 if request.method == "POST" else 200
