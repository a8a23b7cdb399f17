"""The settings in words: their groups, and what each one means. README has a table of them, too."""

from tgm.shared.errors import N_

SERVER, TELEGRAM, LIMITS, RETENTION, SECURITY = (
    N_("Server"),
    N_("Telegram and webhooks"),
    N_("Limits"),
    N_("Retention"),
    N_("Security"),
)
GROUPS = (SERVER, TELEGRAM, LIMITS, RETENTION, SECURITY)

# The group and the meaning of each option. A test asks that none is missing.
MEANINGS = {
    "HOST": (SERVER, N_("Address to listen on.")),
    "PORT": (SERVER, N_("Port to listen on.")),
    "THREADS": (
        SERVER,
        N_("Requests that can be worked on at once. A call that waits for Telegram needs none."),
    ),
    "PROCESSES": (SERVER, N_("Processes that serve together.")),
    "PIN_TO_CORE": (SERVER, N_("Whether each process keeps to one core of the processor.")),
    "INSTANCE_PATH": (SERVER, N_("Folder for the database and the keys.")),
    "DATABASE_URL": (SERVER, N_("Where the data are.")),
    "LOG_LEVEL": (SERVER, N_("How much is written to the log.")),
    "TELEGRAM_API_BASE_URL": (TELEGRAM, N_("Address of the Bot API.")),
    "TELEGRAM_PROXY_URL": (TELEGRAM, N_("HTTP proxy on the way to Telegram.")),
    "TELEGRAM_CA_FILE": (TELEGRAM, N_("Certificate authorities to trust for Telegram.")),
    "TELEGRAM_FILES_DIR": (
        TELEGRAM,
        N_("Folder where a local Bot API server keeps its files; downloads are read from there."),
    ),
    "TELEGRAM_TIMEOUT_SECONDS": (
        TELEGRAM,
        N_("Seconds that Telegram may be silent before a call ends with 502."),
    ),
    "WEBHOOK_BASE_URL": (
        TELEGRAM,
        N_("Public address where Telegram can send updates to. Without it bots are polled."),
    ),
    "RATE_LIMIT_PER_MINUTE": (
        LIMITS,
        N_("Calls per minute for an API key without a rate of its own."),
    ),
    "RATE_LIMIT_STORAGE_URI": (LIMITS, N_("Where calls are counted.")),
    "MAX_UPLOAD_MB": (LIMITS, N_("Largest file that a caller may send, in MB.")),
    "DELIVERIES_AT_ONCE": (
        LIMITS,
        N_("Deliveries to one endpoint that may be under way at once, each of another chat."),
    ),
    "DELIVERY_HOLD_MINUTES": (
        LIMITS,
        N_(
            "Minutes that a failing update holds back the later ones of its chat. With 0 they"
            " never go ahead of it."
        ),
    ),
    "DELIVERY_DRAIN_PER_SECOND": (
        LIMITS,
        N_("Deliveries per second that an endpoint gets of what waited while it was paused."),
    ),
    "REQUEST_LOG_DAYS": (RETENTION, N_("Days that the request log is kept.")),
    "UPDATE_RETENTION_DAYS": (RETENTION, N_("Days that updates and their deliveries are kept.")),
    "UPDATE_RETENTION_GB": (
        RETENTION,
        N_("Gigabytes that updates may take before the oldest go."),
    ),
    "SECRET_KEY": (SECURITY, N_("Signs sessions and forms.")),
    "ENCRYPTION_KEYS": (SECURITY, N_("Seal bot tokens and other secrets, the newest first.")),
    "TRUSTED_PROXIES": (
        SECURITY,
        N_("Reverse proxies that stand in front and set X-Forwarded-*."),
    ),
    "WEBHOOK_ALLOWED_NETWORKS": (
        SECURITY,
        N_("Private networks that endpoints may lie in; plain http is allowed there."),
    ),
}

# What stands for a default that is no plain value.
DEFAULTS = {
    "DATABASE_URL": N_("SQLite in the instance folder"),
    "SECRET_KEY": N_("made at the first start, kept in the instance folder"),
    "ENCRYPTION_KEYS": N_("made at the first start, kept in the instance folder"),
    "TELEGRAM_CA_FILE": N_("the usual ones"),
}
NONE = N_("none")
SET = N_("set")
