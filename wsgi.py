"""The application for a WSGI server; `python wsgi.py` serves it with waitress."""

import sys

if __name__ == "__main__":
    from tgm.cli import main

    sys.exit(main(["serve"]))
else:
    from tgm import create_app
    from tgm.database import migrate
    from tgm.logs import configure
    from tgm.settings import Settings

    settings = Settings.load()
    configure(settings.log_level)
    app = create_app(settings)
    migrate(app)
