"""The audit log: who did what, to which bot, key, person or setting, from where."""
