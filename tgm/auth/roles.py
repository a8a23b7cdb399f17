"""What each role may do."""

from enum import StrEnum


class Role(StrEnum):
    """A user's role in a team, from the least to the most.

    A viewer reads; a member also sends and replays; an admin also manages bots, keys and people; an
    owner also makes and removes owners.
    """

    VIEWER = "viewer"
    MEMBER = "member"
    ADMIN = "admin"
    OWNER = "owner"

    def may(self, needed: "Role") -> bool:
        """Tell whether this role includes what `needed` may do."""
        order = list(Role)
        return order.index(self) >= order.index(needed)
