"""Whether somebody does not want to be disturbed now, by what his desktop tells.

In: the environment of his session; programs that ask X and the session's bus. Out: the reason, or nothing. Invariant:
what a desktop does not tell counts as nothing to protect, and no look takes longer than its bound.
"""

from __future__ import annotations

import re
import shutil
import subprocess

LOOK_SECONDS = 2.0
BUS = ("busctl", "--user", "--no-pager", "--auto-start=no")
NOTIFICATIONS, SESSION = "org.freedesktop.Notifications", "org.gnome.SessionManager"
SAVERS = (
    ("org.freedesktop.ScreenSaver", "/org/freedesktop/ScreenSaver"),
    ("org.gnome.ScreenSaver", "/org/gnome/ScreenSaver"),
)
LOCKED, QUIET = "the screen is locked", "notifications are switched off (do not disturb)"
PRESENTING, FULL = "something keeps the screen on (a presentation or a film)", "a full-screen window is active"
ACTIVE = "_NET_ACTIVE_WINDOW"
IDLE = "8"  # SessionManager's flag of those who want no idle screen
LOOKS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    *(((*BUS, "call", name, path, name, "GetActive"), r"^b true", LOCKED) for name, path in SAVERS),
    (("loginctl", "show-session", "", "-p", "LockedHint"), r"LockedHint=yes", LOCKED),
    (
        (*BUS, "get-property", NOTIFICATIONS, "/org/freedesktop/Notifications", NOTIFICATIONS, "Inhibited"),
        r"^b true",
        QUIET,
    ),
    (("gsettings", "get", "org.gnome.desktop.notifications", "show-banners"), r"^false", QUIET),
    ((*BUS, "call", SESSION, "/org/gnome/SessionManager", SESSION, "IsInhibited", "u", IDLE), r"^b true", PRESENTING),
)


def protected(environment: dict[str, str], seconds: float = LOOK_SECONDS) -> str:
    """Why the person of this session is not to be disturbed; empty if nothing says so. No look takes longer
    than so many seconds."""
    for command, sign, reason in LOOKS:
        filled = [environment.get("XDG_SESSION_ID", "") if part == "" else part for part in command]
        if "" not in filled and re.search(sign, _said(filled, environment, seconds)):
            return reason
    return FULL if "DISPLAY" in environment and _full_screen(environment, seconds) else ""


def _full_screen(environment: dict[str, str], seconds: float) -> bool:
    active = re.search(
        r"(0x[0-9a-f]+)", _said(["xprop", "-root", "-f", ACTIVE, "32x", " $0\\n", ACTIVE], environment, seconds)
    )
    if active is None or int(active[1], 16) == 0:
        return False
    return "_NET_WM_STATE_FULLSCREEN" in _said(["xprop", "-id", active[1], "_NET_WM_STATE"], environment, seconds)


def _said(command: list[str], environment: dict[str, str], seconds: float) -> str:
    """What a program says, nothing if it is not there, fails or takes too long."""
    program = shutil.which(command[0], path=environment.get("PATH"))
    if program is None:
        return ""
    try:
        done = subprocess.run(
            [program, *command[1:]],
            env=environment,
            capture_output=True,
            timeout=seconds,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout[:4096].decode("utf-8", "replace").strip() if done.returncode == 0 else ""
