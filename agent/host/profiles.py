"""Simulated devices out of nothing but a seed and a number, for tests and for whoever has no estate.

In: a seed, a number. Out: a `Profile`. Invariant: device 17 of a seed is always the same device, however many there
are. A pool that goes with an estate makes its profiles from the estate instead (`muster.pool`).
"""

from __future__ import annotations

from agent.backoff import spread
from agent.host.base import Account, Binary, Cpu, Disk, Machine, Volume
from agent.host.fake import Profile, Program

GIB = 1 << 30
PLATFORMS = ("windows", "windows", "windows", "macos", "linux")
SYSTEMS = {
    "windows": "Windows 11 Pro 24H2 (64 bits)",
    "macos": "macOS 15.4 (arm64)",
    "linux": "Ubuntu 24.04 LTS (x86_64)",
}
MODELS = {
    "windows": (("Lenovo", "ThinkPad T14 Gen 5"), ("Dell", "Latitude 5450"), ("HP", "EliteBook 840 G11")),
    "macos": (("Apple", "MacBook Air (M3)"), ("Apple", "MacBook Pro (M4)")),
    "linux": (("Dell", "Precision 3680"), ("Lenovo", "ThinkStation P3")),
}
PROGRAMS = {
    "windows": (
        ("chrome.exe", 0.06, 900),
        ("outlook.exe", 0.03, 450),
        ("teams.exe", 0.05, 800),
        ("svchost.exe", 0.02, 120),
    ),
    "macos": (("Safari", 0.04, 700), ("Mail", 0.01, 250), ("WindowServer", 0.05, 300)),
    "linux": (("firefox", 0.06, 850), ("gnome-shell", 0.03, 350), ("systemd", 0.001, 14)),
}
SYSTEM_PROGRAMS = {"svchost.exe", "WindowServer", "systemd"}


def profile(seed: int, number: int) -> Profile:
    """One simulated device."""
    key = f"{seed}/{number}"
    platform = PLATFORMS[int(spread(key, "platform") * len(PLATFORMS))]
    maker, model = MODELS[platform][int(spread(key, "model") * len(MODELS[platform]))]
    disk = (256, 512, 1024)[int(spread(key, "disk") * 3)] * GIB
    place = "C:" if platform == "windows" else "/"
    logical = (4, 8, 12, 16)[int(spread(key, "cpu") * 4)]
    machine = Machine(
        name=f"sim-{seed}-{number:04d}",
        platform=platform,
        os_name=SYSTEMS[platform],
        os_build=None,
        architecture="arm64" if platform == "macos" else "x64",
        memory=(8, 16, 32)[int(spread(key, "memory") * 3)] * GIB,
        kind="desktop" if platform == "linux" else "laptop",
        manufacturer=maker,
        model=model,
        machine_serial=f"SN{seed:04d}{number:06d}",
        cpus=(Cpu("Simulated processor", 2.8, logical // 2, logical),),
        disks=(Disk("Simulated disk", disk, True, "ssd"),),
        volumes=(Volume(place, disk, round(disk * (0.02 + 0.7 * spread(key, "free"))), True),),
    )
    person = Account("1000", f"person{number}", "local_user", f"Person {number}")
    programs = tuple(_program(name, share, memory) for name, share, memory in PROGRAMS[platform])
    return Profile(
        key, number, machine, f"10.{number // 60_000 % 250}.{number // 250 % 250}.{number % 250 + 1}", person, programs
    )


def _program(name: str, share: float, memory: int) -> Program:
    return Program(Binary(f"sim:{name}", name, 4 << 20, "1.0.0"), share, memory << 20, name in SYSTEM_PROGRAMS)
