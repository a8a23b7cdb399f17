"""Which button presses have reached a receiver, whichever process has delivered them."""

from collections.abc import Collection

from sqlalchemy import Engine, Table, select

from tgm.webhook.models import Delivery, State

_deliveries: Table = Delivery.__table__  # type: ignore[assignment]


def delivered(reader: Engine, update_seqs: Collection[int]) -> set[int]:
    """Return which of these updates have been delivered somewhere."""
    query = select(_deliveries.c.update_seq).where(
        _deliveries.c.update_seq.in_(update_seqs), _deliveries.c.state == State.DELIVERED
    )
    with reader.connect() as connection:
        return set(connection.scalars(query))
