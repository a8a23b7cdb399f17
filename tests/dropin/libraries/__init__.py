"""Small programs, one for each library, written as its documentation says.

Each takes the same steps; `tests.dropin.test_libraries` runs it against Telegram's stand-in and
against TGM, and compares. What a program is given and what it says is in `steps`, and for Node in
`steps.mjs`.
"""
