"""The test send: call any method by hand, and see the answer."""

from collections.abc import Sequence
from dataclasses import replace

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from ulid import ULID
from werkzeug.exceptions import RequestEntityTooLarge

from tgm.auth.access import current_person, current_place, current_team, may, needs, place_at_hand
from tgm.auth.roles import Role
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.errors import sentence
from tgm.extensions import runtime
from tgm.settings import MEBIBYTE
from tgm.shared.errors import N_, Conflict, Invalid, TgmError
from tgm.shared.ids import new_id, parse_id
from tgm.telegram import catalog
from tgm.testsend import draft as drafts
from tgm.testsend import fields, forms, keyboard, service
from tgm.testsend.compose import Call
from tgm.testsend.draft import Draft
from tgm.testsend.preview import preview
from tgm.testsend.screen import Screen
from tgm.testsend.service import Sent

bp = Blueprint("testsend", __name__, url_prefix="/test-send")

_FIRST = "sendMessage"


@bp.url_value_preprocessor
def take_files(_endpoint: str | None, _values: object) -> None:
    """Let who may send send files: other screens take less. Comes before the form is read."""
    if current_user.is_authenticated and place_at_hand() is not None and may(Role.MEMBER):
        request.max_content_length = runtime.settings.max_body_bytes


@bp.errorhandler(RequestEntityTooLarge)
def too_large(_error: RequestEntityTooLarge) -> ResponseReturnValue:
    """Say how large a file may be; with a script, beside the form that still holds everything."""
    most = runtime.settings.max_upload_bytes // MEBIBYTE
    text = _("The file is too large: %(most)s MB at most.", most=most)
    if _is_part():
        shown = render_template("testsend/_refused.html", sentence=text)
        return shown, 413, {"HX-Retarget": "#send-error", "HX-Reswap": "innerHTML"}
    return render_template("error.html", code=413, sentence=text), 413


@bp.get("")
@needs(Role.MEMBER)
def index() -> ResponseReturnValue:
    """Show the form: empty, or filled with a template or one of the last calls."""
    team = current_team()
    own = bots.of_team(team)
    if not own:
        return render_template("testsend/none.html")
    sent, template_name = None, ""
    bot_id = parse_id(request.args.get("bot", ""))
    if (past_id := parse_id(request.args.get("past", ""))) is not None:
        row = service.past(current_person(), team, past_id)
        sent, bot_id = Sent(row, row.answer or ""), row.bot_id
        draft = drafts.of(row.method, row.parameters, row.left_out)
    elif (template_id := parse_id(request.args.get("template", ""))) is not None:
        template = service.template(team, template_id)
        draft, template_name = drafts.of(template.method, template.parameters), template.name
        bot_id = template.bot_id or bot_id
    else:
        draft = _fresh(request.args.get("method", ""), request.args.get("chat", ""))
    bot = bots.get(team, bot_id) if bot_id else _first(own)
    screen = Screen(own, bot, draft, sent=sent, template_name=template_name, opened=template_name)
    return _page(screen)


@bp.post("")
@needs(Role.MEMBER)
def send() -> ResponseReturnValue:
    """Make the call. Without a script, the answer is on the page that follows."""
    screen, uploads = _posted(), forms.uploads(request.files)
    if request.form.get("do") == "enter" and not _is_part() and screen.has_new_name:
        # Enter in the field for a template's name: no message may go out for that.
        return save()
    if screen.draft.body is None and request.form.get("shown") != screen.draft.method:
        # Another method was chosen, and its fields have not been seen yet.
        return _page(screen)
    parameters, wrong = screen.draft.parameters(uploads)
    screen.complain(wrong)
    if screen.is_grave and request.form.get("sure") != "yes":
        screen.complain({"sure": Invalid(N_("Please confirm that you mean it."), field="sure")})
    if screen.errors:
        return _page(screen), 422
    call = Call(str(screen.bot.id), screen.draft.method, parameters, uploads)
    screen.sent = service.send(current_person(), current_place(), call, forms.once(request.form))
    shown_later = url_for(".index", past=screen.sent.row.id)
    if _is_part():
        return _page(screen), 200, {"HX-Replace-Url": shown_later}
    # An answer that is not kept can be shown now only.
    return _page(screen) if screen.sent.row.answer is None else redirect(shown_later, 303)


@bp.post("/form")
@needs(Role.MEMBER)
def form() -> ResponseReturnValue:
    """Show the form again after a change of its shape; what was typed stays."""
    screen = _posted()
    do = request.form.get("do", "")
    if "pick" in request.form:
        texts = {**screen.draft.texts, "chat_id": request.form["pick"]}
        screen.draft = replace(screen.draft, texts=texts)
    elif do == "find":
        screen.chat_search = screen.draft.texts.get("chat_id", "")
    elif do in {"json", "fields"}:
        wanted = screen.draft.as_json if do == "json" else screen.draft.as_form
        screen.draft, wrong = wanted()
        screen.complain(wrong)
    elif do == "row":
        rows = keyboard.with_row(screen.rows)
        screen.draft = replace(screen.draft, rows=rows)
    elif (row := keyboard.row_of(do)) is not None:
        rows = keyboard.with_button(screen.rows, row)
        screen.draft = replace(screen.draft, rows=rows)
    status = 422 if screen.errors else 200
    return _page(screen), status, {"HX-Replace-Url": screen.address} if _is_part() else {}


@bp.get("/chats")
@needs(Role.MEMBER)
def chats() -> ResponseReturnValue:
    """List the chats of a bot by what is typed so far."""
    own = bots.of_team(current_team())
    bot = bots.get(current_team(), parse_id(request.args.get("bot", "")) or ULID())
    text = request.args.get("p-chat_id", "")
    screen = Screen(own, bot, Draft(_FIRST, {"chat_id": text}), chat_search=text)
    return render_template("testsend/_chats.html", screen=screen)


@bp.post("/preview")
@needs(Role.MEMBER)
def show_preview() -> ResponseReturnValue:
    """Show what a text will look like."""
    text = request.form.get("p-text") or request.form.get("p-caption") or ""
    shown = preview(text, request.form.get("p-parse_mode", ""))
    return render_template("testsend/_preview.html", preview=shown)


@bp.post("/again/<ulid:past_id>")
@needs(Role.MEMBER)
def again(past_id: ULID) -> ResponseReturnValue:
    """Make one of the last calls again; one with a file waits in the form for its file."""
    row = service.past(current_person(), current_team(), past_id)
    if row.left_out or row.method in fields.GRAVE:
        flash(_("Not everything of this call is kept. Please complete it, then send."), "info")
        return redirect(url_for(".index", past=row.id), 303)
    call = Call(str(row.bot_id), row.method, row.parameters)
    sent = service.send(current_person(), current_place(), call, forms.once(request.form))
    return redirect(url_for(".index", past=sent.row.id), 303)


@bp.post("/templates")
@needs(Role.MEMBER)
def save() -> ResponseReturnValue:
    """Keep what is typed as a template."""
    screen = _posted()
    parameters, wrong = screen.draft.parameters(is_whole=False)
    screen.complain(wrong)
    if not screen.errors:
        try:
            template = service.save(
                current_place(),
                screen.template_name,
                screen.bot.id,
                screen.draft.method,
                parameters,
                current_person().email,
            )
        except (Invalid, Conflict) as error:
            screen.complain({error.field or "template": error})
        else:
            flash(_("The template %(name)s was saved.", name=template.name))
            return redirect(url_for(".index", template=template.id), 303)
    return _page(screen), 422


@bp.route("/templates/<ulid:template_id>/delete", methods=["GET", "POST"])
@needs(Role.MEMBER)
def forget(template_id: ULID) -> ResponseReturnValue:
    """Delete a template, after asking."""
    if request.method == "GET":
        template = service.template(current_team(), template_id)
        return render_template("testsend/forget.html", template=template)
    name = service.forget(current_team(), template_id)
    flash(_("The template %(name)s was deleted.", name=name))
    return redirect(url_for(".index"), 303)


def _fresh(method: str, chat: str) -> Draft:
    name = forms.known_method(method) if method else _FIRST
    if name not in catalog.METHODS:
        return Draft(name if _is_method(name) else _FIRST, body="{}")
    return Draft(name, {"chat_id": chat} if chat else {})


def _is_method(name: str) -> bool:
    return name.isascii() and name.isalpha() and len(name) <= 64


def _first(own: Sequence[Bot]) -> Bot:
    return next((bot for bot in own if not bot.is_disabled), own[0])


def _posted() -> Screen:
    """Return the screen of the form that was posted. Raises NotFound for another team's bot."""
    team = current_team()
    bot = bots.get(team, parse_id(request.form.get("bot", "")) or ULID())
    draft = forms.posted(request.form, request.files)
    names = request.form.get("template", ""), request.form.get("opened", "")
    screen = Screen(bots.of_team(team), bot, draft, template_name=names[0], opened=names[1])
    if not _is_method(draft.method):
        error: TgmError = Invalid(N_("A method's name has letters only."), field="method")
        screen.errors["method"] = sentence(error)
    elif draft.method not in catalog.METHODS and draft.body is None:
        screen.draft = replace(draft, body="{}")
    return screen


def _page(screen: Screen) -> str:
    """Render the parts that change, or the page as a whole where no script asks."""
    return render_template(
        "testsend/_parts.html" if _is_part() else "testsend/index.html",
        screen=screen,
        label=forms.label,
        help=forms.HELP,
        Kind=fields.Kind,
        new_id=new_id,
        templates=service.templates(current_team()),
        history=service.history(current_person(), current_team()),
        secret=service.tells_secrets(screen.draft.method),
    )


def _is_part() -> bool:
    return request.headers.get("HX-Target") == "compose"
