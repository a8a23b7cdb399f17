"""The application for a WSGI server; `python wsgi.py` serves it with waitress."""

from tgm import create_app
from tgm.database import migrate
from tgm.logs import configure
from tgm.server import serve

app = create_app()
configure(app)
migrate(app)

if __name__ == "__main__":
    serve(app)
