"""Small things every layer may use: the clock, ids, column types, errors. Imports no feature."""
