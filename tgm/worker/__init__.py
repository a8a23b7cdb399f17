"""The background: runs jobs beside the server. Knows none of them."""
