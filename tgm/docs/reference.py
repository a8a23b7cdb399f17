"""One line about every address and every table, for the reference page.

The addresses themselves come from the application. Tests compare both tables with what is there.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from werkzeug.routing import Rule

from tgm.shared.errors import N_

CALLS = (
    ("GET, POST", "/api/v1/bots/{botId}/{method}", N_("Calls a method of the Bot API.")),
    ("GET", "/api/v1/bots/{botId}/file/{file_path}", N_("Downloads a file that getFile named.")),
    ("GET", "/api/v1/bots/{botId}/jobs/{jobId}", N_("Tells how a queued call stands.")),
)

ADDRESSES = {
    "home": N_("Leads to the home screen."),
    "auth.sign_in": N_("Sign-in with e-mail address and password."),
    "auth.second_step": N_("The second step of signing in: a code."),
    "auth.sign_out": N_("Ends this session."),
    "auth.setup": N_("The first set-up, by the link that TGM prints; 404 once it is done."),
    "auth.invite": N_("Accepts an invitation to a team."),
    "auth.language": N_("Remembers the language that was chosen."),
    "auth.theme": N_("Remembers whether pages are light or dark."),
    "docs.index": N_("The API documentation."),
    "docs.reference": N_("This page."),
    "docs.api": N_("Every method and what it takes, with a way to try it out."),
    "dropin.call": N_("Methods and files at Telegram's own addresses, for libraries."),
    "openapi.describe": N_("The same for programs, as an OpenAPI document."),
    "dashboard.home": N_("The home screen: bots, API keys and what to do first."),
    "dashboard.bots.index": N_("The team's bots."),
    "dashboard.bots.add": N_("Adds a bot by BotFather's token."),
    "dashboard.bots.detail": N_("A bot, with the id that programs call it by."),
    "dashboard.bots.photo": N_("A bot's photo, as Telegram has it; 404 where it has none."),
    "dashboard.bots.doctor": N_("Asks Telegram and this installation how a bot fares."),
    "dashboard.bots.settings": N_("What can be changed about a bot."),
    "dashboard.bots.rename": N_("Gives a bot another name."),
    "dashboard.bots.disable": N_("Refuses every call for a bot from now on."),
    "dashboard.bots.enable": N_("Lets a bot's calls pass again."),
    "dashboard.bots.pace": N_("Chooses whether a bot's calls keep to Telegram's pace."),
    "dashboard.libraries.show": N_("How a program written with a library calls the bot."),
    "dashboard.moving.show": N_(
        "Moves a bot to another Bot API server, and shows how far that is."
    ),
    "dashboard.moving.state": N_("How far the move is, for the page that looks again by itself."),
    "dashboard.moving.again": N_("Goes on with a move at once."),
    "dashboard.moving.back": N_("Turns a move back."),
    "dashboard.moving.leave_behind": N_("Goes on with a move without the old server's answer."),
    "dashboard.bots.token": N_("Replaces a bot's token by another of the same bot."),
    "dashboard.bots.delete": N_("Deletes a bot, after its name was typed."),
    "dashboard.keys.index": N_("The team's API keys."),
    "dashboard.keys.new": N_("Makes an API key and shows it, once."),
    "dashboard.keys.detail": N_("An API key's rights, state and last use."),
    "dashboard.keys.edit": N_("Changes an API key's name and rights."),
    "dashboard.keys.rotate": N_("Makes a successor; the old key works on for a chosen time."),
    "dashboard.keys.revoke": N_("Revokes an API key for ever."),
    "dashboard.requests.index": N_("The request log; the filter stands in the address."),
    "dashboard.requests.detail": N_("One call."),
    "dashboard.requests.of_bot": N_("The calls for one bot."),
    "dashboard.people.index": N_("The team's people and open invitations."),
    "dashboard.people.invite": N_("Makes an invitation and shows its link, once."),
    "dashboard.people.revoke": N_("Makes an invitation's link useless."),
    "dashboard.people.role": N_("Gives a person another role."),
    "dashboard.people.remove": N_("Removes a person from the team."),
    "dashboard.people.sign_out": N_("Ends all sessions of a person."),
    "dashboard.account.index": N_("Your own account."),
    "dashboard.account.password": N_("Changes your password; your other sessions end."),
    "dashboard.account.two_step": N_("Turns two-step sign-in on."),
    "dashboard.account.two_step_off": N_("Turns two-step sign-in off."),
    "dashboard.account.recovery_codes": N_("Makes new recovery codes."),
    "dashboard.account.end_session": N_("Ends one of your sessions."),
    "dashboard.account.sign_out_elsewhere": N_("Ends all your sessions but this one."),
    "dashboard.account.sign_out_everywhere": N_("Ends all your sessions, this one too."),
    "dashboard.account.choose_team": N_("Chooses which of your teams is shown."),
    "dashboard.configuration.index": N_("The settings in force, and what this installation keeps."),
    "dashboard.audit.index": N_("The audit log: who did what."),
    "dashboard.webhooks.show": N_("How a bot receives, its endpoints, and what waits."),
    "dashboard.webhooks.activate": N_(
        "Adds the first endpoint, switches receiving on and shows the secret, once."
    ),
    "dashboard.webhooks.choose": N_("Chooses the kinds of update that Telegram sends."),
    "dashboard.webhooks.check": N_("Asks Telegram how the bot's webhook stands."),
    "dashboard.webhooks.use_webhook": N_("Lets Telegram send the updates to TGM."),
    "dashboard.webhooks.use_polling": N_("Lets TGM fetch the updates from Telegram."),
    "dashboard.webhooks.take_back": N_("Takes a bot back that another program receives for."),
    "dashboard.webhooks.hand_back": N_("Stops receiving and leaves the bot to another program."),
    "dashboard.webhooks.pause": N_("Holds a bot's deliveries; updates are still kept."),
    "dashboard.webhooks.resume": N_("Lets a bot's deliveries go on."),
    "dashboard.webhooks.acknowledge": N_("Chooses when button presses are answered."),
    "dashboard.webhooks.endpoints.add": N_("Adds an endpoint and shows its secret, once."),
    "dashboard.webhooks.endpoints.edit": N_("Changes an endpoint's name, URL and filter."),
    "dashboard.webhooks.endpoints.pause": N_("Holds an endpoint's deliveries."),
    "dashboard.webhooks.endpoints.resume": N_("Lets an endpoint's deliveries go on."),
    "dashboard.webhooks.endpoints.remove": N_("Deletes an endpoint with its deliveries."),
    "dashboard.webhooks.endpoints.rotate_secret": N_("Makes a new secret and shows it, once."),
    "dashboard.webhooks.endpoints.test": N_("Sends a test update to an endpoint."),
    "dashboard.webhooks.endpoints.try_now": N_("Delivers at once what waits for its next try."),
    "dashboard.deliveries.index": N_(
        "Deliveries, the newest first; the filter stands in the address."
    ),
    "dashboard.deliveries.of_bot": N_("The deliveries of one bot."),
    "dashboard.deliveries.send_test": N_("Sends a test update to a chosen endpoint."),
    "dashboard.deliveries.detail": N_("A delivery: the update, each attempt, the signature."),
    "dashboard.deliveries.replay_one": N_("Delivers an update to its endpoint again."),
    "dashboard.deliveries.replay_all": N_("Delivers all that match the filter again."),
    "dashboard.deliveries.progress": N_("How far a replay is."),
    "dashboard.testsend.index": N_("Calls any method by hand; the address can fill the form."),
    "dashboard.testsend.send": N_("Makes the call, through the proxy's policy and log."),
    "dashboard.testsend.form": N_("Shows the form again in another shape."),
    "dashboard.testsend.chats": N_("Finds chats that were seen in updates, by name or id."),
    "dashboard.testsend.show_preview": N_("Shows what a formatted text will look like."),
    "dashboard.testsend.again": N_("Makes one of your last 20 calls again."),
    "dashboard.testsend.save": N_("Keeps a call as a template of the team."),
    "dashboard.testsend.forget": N_("Deletes a template."),
    "webhook.take": N_("Takes updates from Telegram; the place is a secret of each bot."),
    "proxy.call": N_("Takes everything below this address; what is no call gets 404 or 405."),
}

TABLES = {
    "teams": N_("Teams, which own bots and API keys."),
    "users": N_("People: e-mail address, password hash, sealed secret of two-step sign-in."),
    "memberships": N_("Who belongs to which team, in which role."),
    "invitations": N_("Open invitations; of the link only a hash."),
    "recovery_codes": N_("Unused recovery codes, as hashes."),
    "sessions": N_("Where people are signed in; of the cookie's token only a hash."),
    "audit_entries": N_("The audit log: who did what to what, from where."),
    "bots": N_("Bots, with their sealed tokens."),
    "bot_moves": N_("Bots on their way to another Bot API server, and how far they are."),
    "bot_photos": N_("The bots' photos, and when Telegram is asked for each again."),
    "api_keys": N_("API keys: hash, last four characters, rights, expiry, last use."),
    "api_key_bots": N_("Which bots an API key may use, where it may not use all."),
    "revision": N_("One number that grows with every change of a bot or key."),
    "receptions": N_("How TGM receives each bot's updates; of its secrets only hashes."),
    "endpoints": N_("Where updates go: URL, filter, sealed secret, state."),
    "consumers": N_("How far each program has come with each bot's updates."),
    "updates": N_("Updates as Telegram sent them, byte for byte."),
    "deliveries": N_("Each update's way to each endpoint, and where it stands."),
    "attempts": N_("Each try to deliver: time, status, answer, signature."),
    "chats": N_("The chats that each bot got updates from: name, kind, last time."),
    "send_templates": N_("Calls that were saved by name, without files and secrets."),
    "send_history": N_("Each person's last 20 calls by hand, without files and secrets."),
    "request_log": N_("One row for each call, without its body."),
    "request_figures": N_("How many calls there were, in steps of time, for charts."),
    "delivery_figures": N_("How attempts to deliver ended, in steps of time, for charts."),
    "send_jobs": N_("Calls that are queued, and for a day how they ended."),
    "idempotency": N_("Answers remembered for an Idempotency-Key, for 24 hours."),
}

_PLACE = re.compile(r"<(?:\w+:)?(\w+)>")


@dataclass(frozen=True)
class Address:
    """An address as people write it, with its verbs and the description in English."""

    verbs: str
    path: str
    endpoint: str
    text: str

    @property
    def audience(self) -> str:
        """Whom it serves: `programs`, `screens` (who has signed in) or `public`."""
        blueprint = self.endpoint.partition(".")[0]
        kinds = {"proxy": "programs", "webhook": "programs", "dashboard": "screens"}
        return kinds.get(blueprint, "public")


def addresses(rules: Iterable[Rule]) -> dict[str, list[Address]]:
    """Return what is said of the rules, by audience and path, without the pages' own files."""
    found: dict[str, list[Address]] = {"programs": [], "screens": [], "public": []}
    for rule in sorted(rules, key=written):
        if not is_file(rule):
            text = ADDRESSES.get(rule.endpoint, "")
            address = Address(_verbs(rule), written(rule), rule.endpoint, text)
            found[address.audience].append(address)
    return found


def is_file(rule: Rule) -> bool:
    """Tell whether the rule serves the pages' own styles and scripts."""
    return str(rule.endpoint).endswith("static")


def written(rule: Rule) -> str:
    """Return a rule's path with its places as `{name}`."""
    return _PLACE.sub(r"{\1}", rule.rule)


def _verbs(rule: Rule) -> str:
    return ", ".join(sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}))
