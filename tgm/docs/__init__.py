"""The public pages that explain the product."""
