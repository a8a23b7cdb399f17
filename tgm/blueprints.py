"""One table of everything that answers: address, blueprint, guard, form tokens or not."""

from dataclasses import dataclass
from typing import Literal

from flask import Blueprint, Flask, redirect, url_for
from flask.typing import ResponseReturnValue

from tgm.audit.views import bp as audit
from tgm.auth.account_views import bp as account
from tgm.auth.people_views import bp as people
from tgm.auth.views import bp as auth
from tgm.bots.views import bp as bots
from tgm.configuration.views import bp as configuration
from tgm.dashboard.views import bp as dashboard
from tgm.docs.views import bp as docs
from tgm.docs.views import description
from tgm.dropin.api import bp as dropin
from tgm.dropin.views import bp as libraries
from tgm.extensions import csrf
from tgm.keys.views import bp as keys
from tgm.proxy.api import bp as proxy
from tgm.proxy.views import bp as requests
from tgm.testsend.views import bp as testsend
from tgm.webhook.delivery_views import bp as deliveries
from tgm.webhook.ingress import bp as webhook
from tgm.webhook.moving_views import bp as moving
from tgm.webhook.views import bp as webhooks


@dataclass(frozen=True)
class Mount:
    """A blueprint and what stands before it.

    `guard` is `sign-in` (a session), `key` (an API key), `secret` (Telegram's secret token) or
    `public`; `csrf` is off only where no cookie is looked at.
    """

    prefix: str
    blueprint: Blueprint
    guard: Literal["sign-in", "key", "secret", "public"]
    csrf: bool = True


# Screens nest under the dashboard, whose one `before_request` guards them all.
SCREENS = (
    *(bots, webhooks, moving, libraries, deliveries, keys, requests, testsend),
    *(people, account, audit, configuration),
)
for screen in SCREENS:
    dashboard.register_blueprint(screen)

MOUNTS = (
    Mount("/auth", auth, "public"),
    Mount("/dashboard", dashboard, "sign-in"),
    Mount("/docs", docs, "public"),
    Mount("", description, "public"),
    Mount("/api/v1/bots", proxy, "key", csrf=False),
    Mount("/api/v1/tg-webhook", webhook, "secret", csrf=False),
    Mount("", dropin, "key", csrf=False),
)


def home() -> ResponseReturnValue:
    """Lead from the bare address to the dashboard."""
    return redirect(url_for("dashboard.home"))


def init_app(app: Flask) -> None:
    """Register them all."""
    app.add_url_rule("/", "home", home)
    for mount in MOUNTS:
        app.register_blueprint(mount.blueprint, url_prefix=mount.prefix)
        if not mount.csrf:
            csrf.exempt(mount.blueprint)
