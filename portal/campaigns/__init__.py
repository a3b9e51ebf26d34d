"""Campaigns: questions to people, whom they are sent to, and what they said."""
