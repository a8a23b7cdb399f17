"""Endpoints and replays on the command line."""

import sys
from datetime import UTC, datetime

import click
from ulid import ULID

from tgm.audit.service import COMMAND_LINE
from tgm.auth import service as people
from tgm.bots import service as bots
from tgm.cli.frame import Group, answer, application, chosen_team, iso, table, team_option
from tgm.shared.errors import N_, NotFound
from tgm.shared.ids import parse_id
from tgm.webhook import endpoints, replay
from tgm.webhook.models import Delivery, Endpoint, State

_STATES = click.Choice([state.value for state in State])


class Moment(click.ParamType):  # type: ignore[type-arg]
    """A time in ISO 8601; in UTC where it names no zone."""

    name = "time"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return an aware time."""
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            self.fail("Please write the time as 2026-01-31T13:45, in UTC.", param, ctx)
        return found if found.tzinfo else found.replace(tzinfo=UTC)


@click.group(cls=Group)
def webhook() -> None:
    """Say where a bot's updates go, and deliver again."""


@webhook.command()
@click.argument("bot_id")
@click.argument("url")
@click.option("--name", help="The endpoint's name; its host unless given.")
@click.option(
    "--events", multiple=True, metavar="KIND", help="Such as message; repeatable. All unless given."
)
def add(bot_id: str, url: str, name: str | None, events: tuple[str, ...]) -> None:
    """Add an endpoint and print its secret, once. The first one switches receiving on."""
    with application():
        bot = bots.anywhere(bot_id)
        kinds = [kind.strip() for words in events for kind in words.split(",") if kind.strip()]
        added = endpoints.add(
            bot.team_id, bot.id, url, name=name, kinds=kinds or None, actor=COMMAND_LINE
        )
        secret, made = added.secret.value, added.endpoint
        answer(
            {"id": str(made.id), "secret": secret, "name": made.name, "warning": added.warning},
            f"{secret}\n\nThis is the secret that signs deliveries to {made.name}."
            f" It is not shown again. The endpoint's id: {made.id}"
            + (f"\nWarning: {added.warning}" if added.warning else ""),
        )


@webhook.command("list")
@click.argument("bot_id", required=False)
@team_option
def list_(bot_id: str | None, team: str | None) -> None:
    """List the endpoints of a bot, or of all bots of a team."""
    with application():
        if bot_id is not None:
            found = endpoints.of_bot(bots.anywhere(bot_id).id)
        elif team is None and not people.has_users():
            found = []
        else:
            found = endpoints.of_team(chosen_team(team).id)
        rows = [_row(endpoint) for endpoint in found]
        columns = ("id", "name", "url", "state", "events", "bot_id")
        cells = [[_cell(row[column]) for column in columns] for row in rows]
        heads = [column.upper().replace("_", " ") for column in columns]
        answer({"endpoints": rows}, table(heads, cells) if rows else "No endpoints yet.")


@webhook.command()
@click.argument("endpoint_id", metavar="ID")
def pause(endpoint_id: str) -> None:
    """Hold an endpoint's deliveries; updates are kept for it."""
    with application():
        team_id, found = _endpoint(endpoint_id)
        paused = endpoints.pause(team_id, found, COMMAND_LINE)
        answer(_row(paused), f"Paused {paused.name}.")


@webhook.command()
@click.argument("endpoint_id", metavar="ID")
def resume(endpoint_id: str) -> None:
    """Deliver to an endpoint again; what waited follows at a set pace."""
    with application():
        team_id, found = _endpoint(endpoint_id)
        resumed = endpoints.resume(team_id, found, COMMAND_LINE)
        answer(_row(resumed), f"Resumed {resumed.name}.")


@webhook.command()
@click.argument("endpoint_id", metavar="ID")
def remove(endpoint_id: str) -> None:
    """Delete an endpoint with its deliveries. The updates stay, and receiving stays on."""
    with application():
        team_id, found = _endpoint(endpoint_id)
        name = endpoints.get(team_id, found).name
        endpoints.remove(team_id, found, COMMAND_LINE)
        answer({"id": str(found), "name": name, "state": "removed"}, f"Removed {name}.")


@webhook.command("rotate-secret")
@click.argument("endpoint_id", metavar="ID")
def rotate_secret(endpoint_id: str) -> None:
    """Make a new secret and print it, once. The old one signs beside it for 24 hours."""
    with application():
        team_id, found = _endpoint(endpoint_id)
        secret = endpoints.rotate_secret(team_id, found, COMMAND_LINE).value
        until = iso(endpoints.get(team_id, found).old_secret_until)
        answer(
            {"id": str(found), "secret": secret, "old_secret_until": until},
            f"{secret}\n\nThis is the new secret. It is not shown again."
            f" The old one signs beside it until {until}.",
        )


@webhook.command("replay")
@click.argument("delivery_id", required=False)
@click.option("--endpoint", metavar="ID", help="Deliveries to this endpoint.")
@click.option("--state", type=_STATES, help="Deliveries that stand so.")
@click.option("--kind", help="Updates of this kind, such as message.")
@click.option("--chat", type=click.IntRange(-(2**63), 2**63 - 1), help="Updates of this chat.")
@click.option("--since", type=Moment(), help="Updates that came in then or later.")
@click.option("--until", type=Moment(), help="Updates that came in before.")
@team_option
def replay_(
    delivery_id: str | None,
    endpoint: str | None,
    state: str | None,
    kind: str | None,
    chat: int | None,
    since: datetime | None,
    until: datetime | None,
    team: str | None,
) -> None:
    """Deliver again: one delivery, or all that match the options.

    Without --state, what is still on its way is left out: it arrives anyway.
    """
    options = (endpoint, state, kind, chat, since, until)
    is_filtered = any(option is not None for option in options)
    if (delivery_id is not None) == is_filtered:
        raise click.UsageError(
            "Name either a delivery, or what to look for: --endpoint, --state, …"
        )
    with application():
        if delivery_id is not None:
            return _replay_one(delivery_id)
        team_id, endpoint_id = (None, None) if endpoint is None else _endpoint(endpoint)
        wanted = replay.Filter(
            endpoint=endpoint_id,
            state=None if state is None else State(state),
            kind=kind,
            chat=chat,
            since=since,
            until=until,
        )
        return _replay_all(team_id or chosen_team(team).id, wanted)


def _replay_one(delivery_text: str) -> None:
    delivery_id = parse_id(delivery_text)
    if delivery_id is None:
        raise NotFound(N_("There is no such delivery."))
    made = replay.replay_one(replay.team_of(delivery_id), delivery_id, COMMAND_LINE)
    answer({"replayed": 1, **_delivery(made)}, f"Delivering again, as {made.id}.")


def _replay_all(team_id: ULID, wanted: replay.Filter) -> None:
    total = replay.matching(team_id, wanted)
    # On standard error, and only for a person: standard output is the answer's.
    shown = sys.stderr is not None and sys.stderr.isatty()
    with click.progressbar(
        length=total, label="Delivering again", file=sys.stderr, hidden=not shown
    ) as bar:

        def progress(done: int, _total: int) -> None:
            bar.update(done - bar.pos)

        made = replay.replay_all(team_id, wanted, COMMAND_LINE, on_progress=progress)
    answer({"replayed": made, "matched": total}, f"{made} deliveries are on their way again.")


def _endpoint(text: str) -> tuple[ULID, ULID]:
    """Return the team and the id of an endpoint. Raises NotFound."""
    endpoint_id = parse_id(text)
    if endpoint_id is None:
        raise NotFound(N_("There is no such endpoint."))
    return endpoints.team_of(endpoint_id), endpoint_id


def _row(endpoint: Endpoint) -> dict[str, object]:
    return {
        "id": str(endpoint.id),
        "bot_id": str(endpoint.bot_id),
        "name": endpoint.name,
        "url": endpoint.shown_url,
        "events": endpoint.kinds,
        "state": "paused" if endpoint.is_paused else "active",
        "paused_because": endpoint.paused_because,
        "last_error": endpoint.last_error,
        "created_at": iso(endpoint.created_at),
    }


def _delivery(delivery: Delivery) -> dict[str, object]:
    origin = delivery.origin_id
    return {"id": str(delivery.id), "origin_id": None if origin is None else str(origin)}


def _cell(value: object) -> object:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "all" if value is None else value
