"""Killing the serving process again and again, and counting what is lost: nothing may be."""
