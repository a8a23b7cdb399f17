"""Who is asking: the signed-in person, the team at hand, and what their role allows. HTTP layer."""

from collections.abc import Callable
from typing import ParamSpec, cast

from flask import request, session
from flask.typing import ResponseReturnValue
from flask_login import current_user
from ulid import ULID

from tgm.audit.service import Actor
from tgm.auth import service
from tgm.auth.roles import Role
from tgm.auth.service import Person, TeamPlace
from tgm.shared.clock import utcnow
from tgm.shared.errors import N_, Forbidden
from tgm.shared.ids import parse_id

# Where the cookie keeps the session's token.
TOKEN = "token"  # noqa: S105 - a name

P = ParamSpec("P")
View = Callable[P, ResponseReturnValue]


def current_person() -> Person:
    """Return who is signed in. Only for views behind the dashboard's guard."""
    return cast(Person, current_user)


def current_place() -> TeamPlace:
    """Return the team at hand and the person's role in it.

    The session remembers which team was chosen; a person who has left it falls back to their first.
    """
    places = current_person().places
    if not places:
        raise Forbidden(N_("You belong to no team. Ask an owner to invite you."))
    chosen = parse_id(str(session.get("team_id", "")))
    return next((place for place in places if place.team_id == chosen), places[0])


def place_at_hand() -> TeamPlace | None:
    """Return the current place, None where nobody is signed in or the person has no team."""
    if not current_user.is_authenticated or not current_person().places:
        return None
    return current_place()


def current_team() -> ULID:
    """Return the id of the team at hand."""
    return current_place().team_id


def current_actor() -> Actor:
    """Return who acts, for the audit log."""
    return Actor(current_person().email, request.remote_addr)


def may(role: Role) -> bool:
    """Tell whether the person may do what `role` may, in the team at hand. For templates too."""
    return current_place().role.may(role)


def needs(role: Role) -> Callable[[View[P]], View[P]]:
    """Guard a dashboard view: the person's role in the team at hand must include `role`.

    Put it directly above the function, below the route. A test asks every dashboard view that
    changes something for it.
    """

    def guard(view: View[P]) -> View[P]:
        def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
            if not may(role):
                raise Forbidden(N_("Your role does not allow this."))
            return view(*args, **kwargs)

        guarded.__name__ = view.__name__
        guarded.__doc__ = view.__doc__
        guarded.needed_role = role  # type: ignore[attr-defined]
        return guarded

    return guard


def load_person(cookie_id: str) -> Person | None:
    """Flask-Login's loader: `cookie_id` is what `Person.get_id` returned at sign-in.

    The cookie alone is not enough: the session that its token names must not have ended.
    """
    person = service.person_with(str(session.get(TOKEN, "")), utcnow())
    return person if person is not None and person.get_id() == cookie_id else None


def person_by_password(cookie_id: str) -> Person | None:
    """Return who has given the right password and no code yet, None where that no longer counts."""
    found = parse_id(cookie_id.partition(".")[0])
    person = service.person(found) if found is not None else None
    return person if person is not None and person.get_id() == cookie_id else None
