"""The steps that bring an older control database to the newest schema; each is a file under `versions/`."""
