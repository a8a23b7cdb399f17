"""The Doctor's local checks: rules about what TGM sees itself. Pure.

What a name leads to is looked up here, and may be another address for Telegram.
"""

from collections.abc import Iterator
from datetime import timedelta

from tgm.shared.errors import N_
from tgm.telegram.catalog import UPDATE_KINDS
from tgm.webhook.findings import (
    Base,
    Facts,
    Finding,
    Leads,
    Receiver,
    Receiving,
    Repair,
    Source,
    Verdict,
)
from tgm.webhook.models import Mode

# Where Telegram's own servers post to.
PORTS = (443, 80, 88, 8443)
LATE = timedelta(minutes=1)
_HERE = Source.LOCAL
_BECAUSE = {
    "gone": N_("It is paused: it answered 410, so it no longer wants updates."),
    "failing": N_("It is paused: nothing has reached it for three days."),
    "key": N_("It is paused: no API key of its program works any more."),
    "person": N_("Somebody has paused it: its updates wait."),
}


def examine(facts: Facts) -> Iterator[Finding]:
    """Yield what there is to say, without an order."""
    if facts.is_disabled:
        text = N_("It is disabled: its calls are refused, and its deliveries wait.")
        yield Finding(_HERE, Verdict.ATTENTION, N_("The bot"), text, repairs=(Repair.ENABLE,))
    yield from _receiving(facts.receiving)
    yield from _address(facts)
    if facts.receiving is not None:
        yield from _not_asked_for(facts.receiving, facts.receivers)
    yield _lag(facts)
    for receiver in facts.receivers:
        yield _receiver(receiver)
    if not facts.receivers:
        yield _nobody(facts.receiving)


def _receiving(receiving: Receiving | None) -> Iterator[Finding]:
    what = N_("Receiving")
    if receiving is None:
        text = N_("TGM does not receive this bot's updates.")
        yield Finding(_HERE, Verdict.ATTENTION, what, text, repairs=(Repair.RECEIVE,))
        return
    if receiving.problem_text is not None:
        text = N_("Something was wrong when TGM looked last.")
        said, at = receiving.problem_text, receiving.checked_at
        again = (Repair.REGISTER,)
        yield Finding(_HERE, Verdict.ATTENTION, what, text, said=said, at=at, repairs=again)
    elif receiving.mode is Mode.WEBHOOK:
        yield Finding(_HERE, Verdict.GOOD, what, N_("Switched on, by webhook."))
    else:
        yield Finding(_HERE, Verdict.GOOD, what, N_("Switched on, by polling."))
    if receiving.is_held:
        text = N_("They are paused: updates are kept, and delivered once you resume.")
        held = (Repair.RESUME,)
        yield Finding(_HERE, Verdict.ATTENTION, N_("Deliveries"), text, repairs=held)


def _address(facts: Facts) -> Iterator[Finding]:
    what, base = N_("This TGM's public address"), facts.base
    uses_it = facts.receiving is not None and facts.receiving.mode is Mode.WEBHOOK
    repairs: tuple[Repair, ...] = (Repair.SET_BASE_URL,)
    if uses_it:
        repairs = (Repair.SET_BASE_URL, Repair.USE_POLLING)
    if base is None and uses_it:
        text = N_("WEBHOOK_BASE_URL is not set any more: Telegram posts to an old address.")
        yield Finding(_HERE, Verdict.ATTENTION, what, text, repairs=repairs)
    elif base is None:
        text = N_("WEBHOOK_BASE_URL is not set, so TGM receives by polling, which is fine.")
        yield Finding(_HERE, Verdict.NOTE, what, text)
    else:
        yield from _of_base(base, what, facts.own_server, repairs)


def _of_base(
    base: Base, what: str, own_server: bool, repairs: tuple[Repair, ...]
) -> Iterator[Finding]:
    wrong, params = list(_wrong(base)), {"url": base.url, "port": base.port}
    for verdict, text in wrong:
        judged = Verdict.NOTE if own_server else verdict
        yield Finding(_HERE, judged, what, text, params, repairs=repairs)
    if not wrong:
        text = N_("%(url)s: HTTPS, a port that Telegram posts to, and no private address.")
        yield Finding(_HERE, Verdict.GOOD, what, text, params)
    elif own_server:
        text = N_(
            "TELEGRAM_API_BASE_URL leads to a server of your own. A Bot API server that runs with"
            " --local posts to plain HTTP, any port and private addresses too."
        )
        yield Finding(_HERE, Verdict.NOTE, N_("Your Bot API server"), text)


def _wrong(base: Base) -> Iterator[tuple[Verdict, str]]:
    if base.scheme != "https":
        yield (
            Verdict.ATTENTION,
            N_("%(url)s is not HTTPS. Telegram posts to https:// only, so put TLS before TGM."),
        )
    if base.port not in PORTS:
        yield (
            Verdict.ATTENTION,
            N_("%(url)s uses port %(port)s. Telegram posts to 443, 80, 88 and 8443 only."),
        )
    if base.leads is Leads.PRIVATE:
        yield (
            Verdict.ATTENTION,
            N_(
                "%(url)s leads into a private network from here, and Telegram cannot reach that."
                " Use a public name, a tunnel, or polling."
            ),
        )
    elif base.leads is Leads.NOWHERE:
        yield Verdict.UNKNOWN, N_("The name in %(url)s leads nowhere from here.")


def _not_asked_for(receiving: Receiving, receivers: tuple[Receiver, ...]) -> Iterator[Finding]:
    what, choose = N_("Kinds of update asked for"), (Repair.CHOOSE_KINDS,)
    asked = set(receiving.kinds)
    left_out = [kind for kind in UPDATE_KINDS if kind not in asked]
    wanted = {kind for one in receivers for kind in one.kinds or ()}
    missing = [kind for kind in left_out if kind in wanted]
    if missing:
        text = N_("An endpoint waits for these, and TGM does not ask Telegram for them: %(kinds)s.")
        kinds = {"kinds": ", ".join(missing)}
        yield Finding(_HERE, Verdict.ATTENTION, what, text, kinds, repairs=choose)
    elif left_out:
        text = N_("TGM does not ask for these, so they never come: %(kinds)s.")
        kinds = {"kinds": ", ".join(left_out)}
        yield Finding(_HERE, Verdict.NOTE, what, text, kinds, repairs=choose)
    else:
        yield Finding(_HERE, Verdict.GOOD, what, N_("Every kind that there is."))


def _lag(facts: Facts) -> Finding:
    what = N_("Lag")
    if facts.lag is None:
        return Finding(_HERE, Verdict.GOOD, what, N_("No delivery waits."))
    lag = {"lag": facts.lag}
    if facts.lag < LATE:
        text = N_("The oldest delivery that is still open came %(lag)s ago.")
        return Finding(_HERE, Verdict.GOOD, what, text, lag)
    text = N_("The oldest delivery that is still open has waited for %(lag)s.")
    return Finding(_HERE, Verdict.ATTENTION, what, text, lag, repairs=(Repair.SEE_WAITING,))


def _receiver(one: Receiver) -> Finding:
    what, verdict, said = N_("Endpoint %(name)s"), Verdict.ATTENTION, one.last_error
    params = {"name": one.name, "host": one.host, "count": one.failing}
    repairs: tuple[Repair, ...]
    if one.refused is not None:
        text, repairs = one.refused, (Repair.CHANGE_ENDPOINT,)
    elif one.paused_because is not None:
        text = _BECAUSE.get(one.paused_because, _BECAUSE["person"])
        repairs = (Repair.RESUME_ENDPOINT, Repair.CHANGE_ENDPOINT)
    elif one.failing:
        text = N_("Deliveries to %(host)s that fail: %(count)s. TGM goes on trying.")
        repairs = (Repair.TRY_ENDPOINT, Repair.CHANGE_ENDPOINT, Repair.SEE_WAITING)
    elif one.warning is not None:
        text, repairs = one.warning, (Repair.CHANGE_ENDPOINT,)
    elif one.given_up:
        text, params["count"] = N_("Deliveries to %(host)s given up: %(count)s."), one.given_up
        verdict, repairs = Verdict.NOTE, (Repair.REPLAY_GIVEN_UP,)
    else:
        text, verdict, said = N_("Nothing fails at %(host)s."), Verdict.GOOD, None
        repairs = ()
    return Finding(
        _HERE, verdict, what, text, params, said, one.failing_since, repairs, endpoint_id=one.id
    )


def _nobody(receiving: Receiving | None) -> Finding:
    what, add = N_("Endpoints"), (Repair.ADD_ENDPOINT,)
    if receiving is None:
        text = N_("There is none: no program of yours gets this bot's updates.")
        return Finding(_HERE, Verdict.NOTE, what, text, repairs=add)
    text = N_("There is none: updates are received and kept, and go nowhere.")
    return Finding(_HERE, Verdict.ATTENTION, what, text, repairs=add)
