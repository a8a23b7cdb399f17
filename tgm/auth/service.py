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
    "remove",
    "remove_user",
    "renew_recovery_codes",
    "reseal",
    "reset_password",
    "revoke",
    "set_up",
    "sign_out_everywhere",
    "signed_in",
    "signed_out",
    "turn_off_totp",
]
