"""The relay's parts for a test, until the application makes them itself."""

from types import SimpleNamespace

from flask import Flask

from tgm.database import WRITER
from tgm.extensions import csrf, db
from tgm.webhook import ingress
from tgm.webhook.acknowledge import Acknowledger
from tgm.webhook.inbox import Inbox
from tgm.webhook.leases import Leases
from tgm.webhook.polling import Pollers, Tools
from tgm.webhook.receptions import Receptions


def wire(app: Flask) -> None:
    old = app.extensions["tgm"]
    if hasattr(old, "inbox"):
        return
    new = SimpleNamespace(**vars(old))
    with app.app_context():
        reader, writer = db.engine, db.engines[WRITER]
    new.receptions = Receptions(old.snapshot, reader)
    new.acknowledger = Acknowledger(
        telegram=old.telegram, vault=old.vault, snapshot=old.snapshot, receptions=new.receptions
    )
    new.inbox = Inbox(writer, new.acknowledger.at_once)
    new.dispatcher = SimpleNamespace(wake=lambda: None)
    new.pollers = Pollers(Tools(Leases(reader, writer), old.vault, old.telegram, new.inbox))
    app.extensions["tgm"] = new
    if app._got_first_request:
        return
    app.register_blueprint(ingress.bp, url_prefix="/api/v1/tg-webhook")
    csrf.exempt(ingress.bp)
