"""Teams: made with the first user, found by name or id; and the rule that each keeps an owner."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from ulid import ULID

from tgm.audit.service import Actor, record
from tgm.auth.models import Membership, Team, User
from tgm.auth.person import TeamPlace
from tgm.auth.roles import Role
from tgm.database import take_turns, writing
from tgm.extensions import db
from tgm.shared.clock import utcnow
from tgm.shared.errors import N_, Conflict, Forbidden, Invalid, NotFound
from tgm.shared.ids import parse_id

LONGEST_NAME = 64
FIRST_NAME = "Team"


def add_team(name: str, actor: Actor) -> Team:
    """Make a further team, without people. Raises Invalid, and Conflict for a taken name."""
    with writing() as session:
        take_turns(session, "teams")
        if session.scalar(select(Team.id).where(Team.name == name.strip())) is not None:
            raise Conflict(N_("There is a team “%(team)s” already."), team=name.strip())
        team = make_team(session, name)
        record(session, actor, "team.added", team_id=team.id, subject_id=team.id, subject_name=name)
        return team


def list_teams() -> Sequence[Team]:
    """Return every team, by name."""
    return db.session.scalars(select(Team).order_by(Team.name)).all()


def find_team(text: str) -> Team:
    """Return the team with this name or id. Raises NotFound."""
    team_id = parse_id(text)
    condition = Team.id == team_id if team_id is not None else Team.name == text
    team = db.session.scalar(select(Team).where(condition))
    if team is None:
        raise NotFound(N_("There is no team “%(team)s”."), team=text)
    return team


def only_team() -> Team:
    """Return the only team. Raises Conflict when there is none yet, or more than one."""
    teams = list_teams()
    if not teams:
        raise Conflict(N_("There is no team yet. Add the first user, who makes it: user add."))
    if len(teams) > 1:
        names = ", ".join(team.name for team in teams)
        raise Conflict(
            N_("There are several teams: choose one with --team (%(names)s)."), names=names
        )
    return teams[0]


def make_team(session: Session, name: str) -> Team:
    """Add a team to the transaction. Raises Invalid."""
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise Invalid(
            N_("A team's name has 1 to %(longest)s characters."),
            field="team_name",
            longest=LONGEST_NAME,
        )
    team = Team(name=name, created_at=utcnow())
    session.add(team)
    session.flush()
    return team


def join(session: Session, team_id: ULID, user: User, role: Role) -> None:
    """Add a place to the transaction. Raises Conflict when the user has one in this team."""
    if session.get(Membership, (team_id, user.id)) is not None:
        raise Conflict(
            N_("%(email)s belongs to this team already."), field="email", email=user.email
        )
    session.add(Membership(team_id=team_id, user_id=user.id, role=role, created_at=utcnow()))
    session.flush()


def place_in(session: Session, team_id: ULID, user_id: ULID) -> tuple[User, Membership]:
    """Return a user and their place in this team, for a change. Raises NotFound.

    The team's row is locked first, so that two changes of its owners take turns; SQLite's writers
    do so anyway.
    """
    session.get(Team, team_id, with_for_update=True)
    user = session.get(User, user_id)
    place = session.get(Membership, (team_id, user_id), populate_existing=True)
    if user is None or place is None:
        raise NotFound(N_("There is no such person in this team."))
    return user, place


def keep_an_owner(session: Session, place: Membership) -> None:
    """Call before an owner's place goes or changes. Raises Conflict for a team's last owner."""
    if place.role is not Role.OWNER:
        return
    owners = session.scalar(
        select(func.count())
        .select_from(Membership)
        .where(Membership.team_id == place.team_id, Membership.role == Role.OWNER)
    )
    if owners == 1:
        raise Conflict(N_("A team needs an owner: make somebody else one first."), field="role")


def only_owners_touch_owners(by: TeamPlace, *roles: Role) -> None:
    """Raise Forbidden where one of the roles is the owner's, and `by` is no owner."""
    if Role.OWNER in roles and by.role is not Role.OWNER:
        raise Forbidden(N_("Only an owner can make, change or remove an owner."))
