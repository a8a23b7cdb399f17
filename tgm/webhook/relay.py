"""The relay's parts, held together: what takes updates in, and what delivers them."""

from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import Engine

from tgm.keys.snapshot import Snapshot
from tgm.proxy import counting as calls
from tgm.proxy.sending import Sending
from tgm.security.outbound import Outbound
from tgm.security.vault import Vault
from tgm.settings import Settings
from tgm.shared.clock import utcnow
from tgm.shared.notes import Notes
from tgm.telegram.client import TelegramClient
from tgm.webhook import counting, outcomes, presses
from tgm.webhook.acknowledge import Acknowledger
from tgm.webhook.answers import Calls
from tgm.webhook.commits import Commits
from tgm.webhook.delivery import Deliverer, Hooks
from tgm.webhook.dispatcher import Dispatcher
from tgm.webhook.inbox import Inbox
from tgm.webhook.intake import Intake
from tgm.webhook.leases import Leases
from tgm.webhook.owners import Owner
from tgm.webhook.polling import Pollers, Tools
from tgm.webhook.receptions import Receptions
from tgm.webhook.retention import Retention
from tgm.webhook.storing import Stored
from tgm.worker.loop import Job


class Relay:
    """One for each process. What only takes updates in works at once; `start` begins the rest."""

    def __init__(
        self,
        *,
        settings: Settings,
        vault: Vault,
        telegram: TelegramClient,
        snapshot: Snapshot,
        reader: Engine,
        writer: Engine,
        sending: Sending,
        hears: Callable[[Collection[str]], None] = lambda _bot_ids: None,
        notes: Notes | None = None,
    ) -> None:
        """`hears` is told of the bots that new updates have come for, from the writing thread.

        `notes` are shared with the other processes that serve.
        """
        self._hears = hears
        self._sending = sending
        sending.may_answer = partial(outcomes.may_answer, reader)
        self._snapshot = snapshot
        self._settings, self._vault, self._telegram = settings, vault, telegram
        self._engines = reader, writer
        self.outbound = Outbound(settings.webhook_allowed_networks)
        self.receptions = Receptions(snapshot, reader)
        self.acknowledger = Acknowledger(
            telegram=telegram,
            vault=vault,
            snapshot=snapshot,
            receptions=self.receptions,
            own=sending.own,
            notes=notes,
            delivered=partial(presses.delivered, reader),
        )
        self._commits = Commits(writer)
        self.inbox = Inbox(self._commits, self._stored)
        self.intake = Intake(self.receptions, self.inbox)
        self._retention = Retention(
            writer,
            reader,
            days=settings.update_retention_days,
            gigabytes=settings.update_retention_gb,
        )
        self._pollers: Pollers | None = None
        self._dispatcher: Dispatcher | None = None

    def start(self) -> None:
        """Begin to poll and to deliver, and take back what dead workers of this box had claimed."""
        reader, writer = self._engines
        owner = Owner(Path(self._settings.instance_path))
        deliverer = Deliverer(
            reader,
            self._commits,
            owner=owner.id,
            settings=self._settings,
            vault=self._vault,
            outbound=self.outbound,
            calls=Calls(self._telegram, self._vault, self._snapshot, self._sending.own),
            hooks=Hooks(self.acknowledger.after_delivery, self.acknowledger.answered),
        )
        leases = Leases(reader, writer, owner.id)
        self._dispatcher = Dispatcher(deliverer, owner, bury=leases.free)
        self._dispatcher.start()
        tools = Tools(leases, self._vault, self._telegram, self.inbox)
        self._pollers = Pollers(tools)
        self._pollers.start()

    def wake(self) -> None:
        """Say that something is due; does nothing where another process delivers."""
        if self._dispatcher is not None:
            self._dispatcher.wake()

    def wake_pollers(self) -> None:
        """Say that a bot is to be polled, or no longer."""
        if self._pollers is not None:
            self._pollers.wake()

    def jobs(self) -> list[Job]:
        """Return what the background does beside: purging, in small steps."""
        _, writer = self._engines
        keep = timedelta(days=self._settings.update_retention_days)
        return [
            Job("purge updates", 5, lambda: self._retention.purge(utcnow())),
            Job(
                "purge delivery figures",
                60,
                lambda: calls.purge(writer, counting.figures, utcnow(), keep),
            ),
            Job("tell what became of queued answers", 3, self._tell),
        ]

    def _tell(self) -> None:
        ended = self._sending.ended_answers(utcnow() - outcomes.TOLD)
        if ended:
            outcomes.tell(*self._engines, ended)

    def stop(self) -> None:
        """Stop in the order that loses nothing: no more intake, then deliveries under way."""
        if self._pollers is not None:
            self._pollers.stop()
        self.inbox.stop()
        if self._dispatcher is not None:
            self._dispatcher.stop()
        self.acknowledger.stop()
        self.outbound.close()

    def _stored(self, stored: Sequence[Stored]) -> None:
        # The worker first: a slow acknowledgement must not delay a delivery.
        if self._dispatcher is not None:
            self._dispatcher.arrived([one.seq for one in stored])
        self._hears({one.bot_id for one in stored})
        self.acknowledger.at_once(stored)
