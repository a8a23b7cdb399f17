"""The dashboard: the parent of every screen, its guard, and the home screen."""
