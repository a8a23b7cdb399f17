"""The relay: every update is kept, then delivered signed, in order and retried."""
