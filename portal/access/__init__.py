"""Who may come in: sign-in, sessions, API tokens, accounts, enrolment keys."""
