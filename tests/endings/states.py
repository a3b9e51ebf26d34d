"""Which tests produce each state of an execution and each reason that a device gives.

In: nothing. Out: `STATES` and `REASONS`, each with its tests as `file::test`: with a real agent in a process of its own
(`agent`), with a real script by the runner alone (`script`), or by a part of the agent (`part`), where nothing that is
whole brings it about. Invariant: every state and every reason of the code is here, and every test named exists;
`test_states` holds that. Beside these the simulation meets every state, with faults of every kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from storage.control.states import State

ENDINGS, UNLIKELY = "tests/endings/test_endings.py", "tests/endings/test_unlikely.py"
PROCESS, CAMPAIGNS = "tests/portal/agents/test_agent_process.py", "tests/portal/agents/test_campaigns.py"
POLICIES, STOLEN = "tests/portal/agents/test_policies.py", "tests/security/test_portal_in_wrong_hands.py"
RUNNER, ACCOUNTS, SECRETS = "tests/agent/test_runner.py", "tests/agent/test_accounts.py", "tests/agent/test_secrets.py"
ORDERS, LOCAL, HOSTS = "tests/agent/test_orders.py", "tests/agent/test_local_schedules.py", "tests/agent/test_hosts.py"
OWN_WAYS, TAMPERED = (
    f"{ENDINGS}::test_scripts_end_in_their_own_ways",
    f"{ENDINGS}::test_what_was_tampered_with_on_the_way",
)


@dataclass(frozen=True)
class Shown:
    """The tests that produce something."""

    agent: tuple[str, ...] = ()
    script: tuple[str, ...] = ()
    part: tuple[str, ...] = ()


STATES: Mapping[State, Shown] = {
    State.WAITING_ON_DEVICE: Shown((f"{ENDINGS}::test_a_device_that_is_away",)),
    State.IN_PROGRESS: Shown((f"{ENDINGS}::test_a_contact_that_is_lost_and_found",)),
    State.WAITING_ON_USER: Shown((f"{CAMPAIGNS}::test_a_person_answers_in_a_terminal",)),
    State.SUCCESS: Shown((f"{PROCESS}::test_a_run_comes_back_with_its_output", OWN_WAYS)),
    State.FAILURE: Shown((OWN_WAYS,)),
    State.CANCELLED: Shown((f"{PROCESS}::test_a_cancel_ends_the_script", f"{ENDINGS}::test_a_cancel_that_comes_first")),
    State.INTERRUPTED: Shown(
        (
            f"{PROCESS}::test_a_killed_agent_says_interrupted_and_never_starts_again",
            f"{PROCESS}::test_a_stopped_agent_ends_its_script_and_says_so",
        )
    ),
    State.LOST_CONTACT: Shown((f"{ENDINGS}::test_a_contact_that_is_lost_and_found",)),
    State.EXPIRED: Shown((f"{ENDINGS}::test_an_order_that_is_too_late", f"{ENDINGS}::test_a_device_that_is_away")),
    State.NO_SCRIPT: Shown((OWN_WAYS,)),
    State.OLD_COLLECTOR: Shown(
        (f"{ENDINGS}::test_an_action_of_a_newer_portal", f"{ENDINGS}::test_a_language_of_a_newer_portal")
    ),
    State.POLICY_DENIED: Shown((f"{POLICIES}::test_disabled_runs_nothing", TAMPERED)),
}

REASONS: Mapping[str, Shown] = {
    # whether an order may run
    "the content is not the version that the order names": Shown((f"{STOLEN}::test_content_that_was_swapped",)),
    "the order expired before this device could start it": Shown((f"{ENDINGS}::test_an_order_that_is_too_late",)),
    "this device runs no scripts: its execution policy is disabled": Shown(
        (f"{POLICIES}::test_disabled_runs_nothing",)
    ),
    "no trusted author signed this version of the action": Shown(
        (f"{STOLEN}::test_orders_signed_with_the_stolen_key", f"{STOLEN}::test_an_author_of_the_attackers_own")
    ),
    "a newer version of the action ran here before; this one must be signed anew (`muster actions sign`)": Shown(
        (f"{STOLEN}::test_an_old_version_that_was_signed_once",)
    ),
    "the action has no input {}": Shown((TAMPERED,)),
    "the value of input {} holds a NUL character": Shown((TAMPERED,)),
    "the inputs together are larger than {} bytes": Shown((TAMPERED,)),
    "the value of input {} is not one that the action allows": Shown(
        (f"{STOLEN}::test_values_that_the_author_did_not_allow",)
    ),
    "the order lacks the secret {}, which was not granted to the action": Shown((OWN_WAYS,)),
    "this version of the agent cannot read the action: {}": Shown((f"{ENDINGS}::test_an_action_of_a_newer_portal",)),
    "this version of the agent runs no {} on {}": Shown((f"{ENDINGS}::test_a_language_of_a_newer_portal",)),
    "the action has no script for {}": Shown((OWN_WAYS,)),
    # logged, and nothing is reported: only somebody between the two could send these
    "the order is for another device": Shown(part=(f"{ORDERS}::test_orders_of_others_are_ignored",)),
    "the order is not signed by the pinned portal key": Shown(part=(f"{ORDERS}::test_nothing_signed_can_be_changed",)),
    "it is for another device": Shown(part=(f"{LOCAL}::test_what_our_portal_did_not_say_is_only_logged",)),
    "it is not signed by the pinned portal key": Shown(
        part=(f"{LOCAL}::test_what_our_portal_did_not_say_is_only_logged",)
    ),
    "the content is not the version that the schedule names": Shown(
        part=(f"{LOCAL}::test_what_may_not_run_is_reported",)
    ),
    # the agent
    "cancelled before it started": Shown((f"{ENDINGS}::test_a_cancel_that_comes_first",)),
    "stopped before it started": Shown(part=(f"{UNLIKELY}::test_a_local_turn_that_is_stopped_before_it_starts",)),
    "the agent stopped {}; the script was ended and is not run again": Shown(
        (f"{ENDINGS}::test_a_contact_that_is_lost_and_found",),
        part=(f"{UNLIKELY}::test_a_crash_between_the_intent_and_the_start",),
    ),
    "the agent stopped before the script's end was known; it was ended and is not run again": Shown(
        part=(f"{LOCAL}::test_a_crash_after_the_intent_is_interrupted_and_not_run_again",)
    ),
    "the agent was stopped while the script ran; it was ended": Shown(
        (f"{PROCESS}::test_a_stopped_agent_ends_its_script_and_says_so",)
    ),
    "the agent failed to run the script: {}": Shown(part=(f"{UNLIKELY}::test_an_agent_that_fails_says_so",)),
    # the script
    "the script ended with exit code {}{}": Shown((OWN_WAYS,), (f"{RUNNER}::test_exit_code_and_standard_error",)),
    "the script was killed by signal {}{}": Shown((OWN_WAYS,), (f"{RUNNER}::test_killed_by_its_own_signal",)),
    "timed out after {} s; the script and its processes were killed{}": Shown(
        (OWN_WAYS,), (f"{RUNNER}::test_timeout_kills_what_ignores_it",)
    ),
    "cancelled while it ran; the script and its processes were killed": Shown(
        (f"{PROCESS}::test_a_cancel_ends_the_script",), (f"{RUNNER}::test_cancel",)
    ),
    "the script had more than {} processes; all were killed{}": Shown(
        script=(f"{RUNNER}::test_many_processes_are_ended",)
    ),
    "the process that watched over the script was killed; how the script ended is not known": Shown(
        script=(f"{RUNNER}::test_a_killed_supervisor_is_said",)
    ),
    "the script could not be written: {}": Shown((f"{ENDINGS}::test_a_folder_in_which_nothing_can_be_written",)),
    "the script could not be started: {}": Shown(script=(f"{RUNNER}::test_a_missing_interpreter_is_said",)),
    "there is no script": Shown(part=(f"{UNLIKELY}::test_a_job_without_a_script",)),
    # its outputs
    "output {} is not declared": Shown((OWN_WAYS,), (f"{RUNNER}::test_wrong_outputs_are_said",)),
    "output {} is declared as {} and was written as {}": Shown(script=(f"{RUNNER}::test_wrong_outputs_are_said",)),
    "output {} {}": Shown(script=(f"{RUNNER}::test_wrong_outputs_are_said",)),
    "output {} makes the outputs larger than {} bytes": Shown(
        script=(f"{UNLIKELY}::test_outputs_that_are_too_much_together",)
    ),
    "the script wrote more outputs than are read": Shown(script=(f"{RUNNER}::test_a_flood_of_outputs_is_said",)),
    "the outputs are not in the form that the output functions write": Shown(
        script=(f"{RUNNER}::test_garbage_on_the_pipe",)
    ),
    # its account and its secrets
    "the service account {} does not exist on this device": Shown((OWN_WAYS,)),
    "{}nobody is logged in": Shown(part=(f"{ACCOUNTS}::test_a_user_is_exactly_one_person",)),
    "{}it needs exactly one person, and {} are logged in ({})": Shown(
        part=(f"{ACCOUNTS}::test_a_user_is_exactly_one_person",)
    ),
    "the agent may not change accounts: it is not the system, and cannot become {}": Shown(
        part=(f"{ACCOUNTS}::test_who_is_not_the_system_changes_no_account",)
    ),
    "this version of the agent runs nothing as {}": Shown(part=(f"{ACCOUNTS}::test_what_no_account_is",)),
    "the secret {} is not sealed for this device and run": Shown(
        script=(f"{SECRETS}::test_a_script_whose_secret_does_not_open_never_starts",)
    ),
    "this device has no key to open secrets with": Shown(
        part=(f"{UNLIKELY}::test_a_device_without_a_key_opens_no_secret",)
    ),
    "this system has no files in memory to hand secrets over in": Shown(
        part=(f"{UNLIKELY}::test_a_system_without_files_in_memory",)
    ),
    # a simulated device
    "not simulated: the action says nothing of what a simulated device answers": Shown(
        part=(f"{PROCESS}::test_a_pool_of_simulated_devices", f"{HOSTS}::test_simulated_devices_answer")
    ),
    "not simulated: {}": Shown(part=(f"{UNLIKELY}::test_a_simulation_that_is_not_of_its_form",)),
}
