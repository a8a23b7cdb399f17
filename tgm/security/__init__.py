"""Secrets and the rules about them. Knows neither Flask nor the database."""
