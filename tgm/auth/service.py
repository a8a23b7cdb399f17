"""What the rest of the program may ask of people; each concern has a module of its own."""

from tgm.auth.account import (
    change_password,
    disable_totp,
    renew_recovery_codes,
    reset_password,
    sign_out_everywhere,
    turn_off_totp,
)
from tgm.auth.invitations import (
    Offer,
    invite,
    join_as,
    join_as_new,
    look_up,
    open_invitations,
    revoke,
)
from tgm.auth.people import (
    UserRow,
    add_user,
    change_role,
    has_users,
    list_users,
    remove,
    remove_user,
    set_up,
)
from tgm.auth.person import Person, TeamPlace, person
from tgm.auth.sessions import end as end_session
from tgm.auth.sessions import end_all_of as end_sessions_of
from tgm.auth.sessions import end_others as end_other_sessions
from tgm.auth.sessions import of_user as sessions_of
from tgm.auth.sessions import person_with
from tgm.auth.signin import check_password, check_second_step, signed_in, signed_out
from tgm.auth.teams import add_team, find_team, list_teams, only_team
from tgm.auth.totp import reseal

__all__ = [
    "Offer",
    "Person",
    "TeamPlace",
    "UserRow",
    "add_team",
    "add_user",
    "change_password",
    "change_role",
    "check_password",
    "check_second_step",
    "disable_totp",
    "end_other_sessions",
    "end_session",
    "end_sessions_of",
    "find_team",
    "has_users",
    "invite",
    "join_as",
    "join_as_new",
    "list_teams",
    "list_users",
    "look_up",
    "only_team",
    "open_invitations",
    "person",
    "person_with",
    "remove",
    "remove_user",
    "renew_recovery_codes",
    "reseal",
    "reset_password",
    "revoke",
    "sessions_of",
    "set_up",
    "sign_out_everywhere",
    "signed_in",
    "signed_out",
    "turn_off_totp",
]
