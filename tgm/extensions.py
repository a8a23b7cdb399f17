"""The extensions: made here once, bound to an application in `create_app`."""

from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, cast

from flask import current_app
from flask_babel import Babel
from flask_bootstrap import Bootstrap5
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import LoginManager
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from htmx_flask import Htmx
from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase
from ulid import ULID
from werkzeug.local import LocalProxy

from tgm.shared.types import UlidType, UtcDateTime

if TYPE_CHECKING:
    from tgm.runtime import Runtime


class Base(DeclarativeBase):
    """The base of every table. Constraints are named, so that migrations can drop them."""

    type_annotation_map: ClassVar = {ULID: UlidType, datetime: UtcDateTime}
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        },
        info={"bind_key": None},
    )


db = SQLAlchemy(metadata=Base.metadata)
csrf = CSRFProtect()
login_manager = LoginManager()
# The proxy hits this limiter's own strategy directly: the decorator costs several times as much,
# and its automatic headers would rewrite Telegram's Retry-After.
limiter = Limiter(key_func=get_remote_address, strategy="fixed-window", headers_enabled=False)
htmx = Htmx()
babel = Babel()
bootstrap = Bootstrap5()

# What the running application holds beside Flask's own: vault, Telegram client, snapshot, limits.
runtime = cast("Runtime", LocalProxy(lambda: current_app.extensions["tgm"]))
