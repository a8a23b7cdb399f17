"""People: users, their teams and roles, signing in, invitations."""
