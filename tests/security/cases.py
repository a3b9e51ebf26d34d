"""Which tests attack the running system in which way: the cases of rogue agents (1-24), of users (31-33) and of a
portal or a way in wrong hands (40-45), by their numbers.

In: nothing. Out: `COVERED`, tests by case as `file::test`; `WAITING`, cases or parts of them without a test, with the
reason. Invariant: every number is in one of the two, and every test named exists; `test_cases` holds that.
"""

from __future__ import annotations

from collections.abc import Mapping

DOOR, WORK = "tests/portal/agents/test_door.py", "tests/portal/agents/test_work.py"
TRAILS = "tests/portal/agents/test_trails.py"
BATCHES, CHANNEL = "tests/portal/agents/test_batches.py", "tests/portal/agents/test_channel.py"
ORDERS, CORE, FILES = "tests/agent/test_orders.py", "tests/agent/test_core.py", "tests/agent/test_files.py"
CONTROL, SCHEDULER = "tests/storage/control", "tests/portal/schedules/test_scheduler.py"
PINNING, RUNNER, SECRETS = "tests/agent/test_pinning.py", "tests/agent/test_runner.py", "tests/agent/test_secrets.py"
OURS, STOLEN = "tests/security/test_rogue_agent.py", "tests/security/test_portal_in_wrong_hands.py"

NUMBERS = (*range(1, 25), 31, 32, 33, *range(40, 47))

COVERED: Mapping[int, tuple[str, ...]] = {
    1: (
        f"{DOOR}::test_one_device_cannot_speak_for_another",
        f"{WORK}::test_messages_of_another_form_are_refused_and_counted",
        f"{BATCHES}::test_hostile_rows_are_refused_with_a_reason",
        "tests/agent/test_wire.py::test_any_bytes_are_a_message_or_a_decoding_error",
    ),
    2: (
        f"{OURS}::test_bombs_of_every_kind_leave_memory_as_it_was",
        f"{DOOR}::test_bodies_are_bounded",
        f"{BATCHES}::test_hostile_envelopes_are_refused",
    ),
    3: (f"{OURS}::test_unknown_words_cost_only_their_message",),
    4: (f"{OURS}::test_no_name_of_an_agent_becomes_a_path",),
    5: (
        f"{OURS}::test_markup_of_an_agent_is_text_in_every_view",
        "tests/portal/test_pages.py::test_data_cannot_leave_its_script",
    ),
    6: ("tests/engine/test_formats.py::test_every_start_of_a_formula_is_guarded",),
    7: (
        "tests/muster/test_shown.py::test_control_characters_are_shown_as_escapes",
        "tests/agent/campaigns/test_presenters.py::test_control_signs_do_not_reach_a_terminal",
    ),
    9: (f"{OURS}::test_stored_values_are_no_syntax", f"{DOOR}::test_strangers"),
    10: (f"{OURS}::test_only_json_is_read",),
    11: (f"{OURS}::test_only_json_is_read", f"{OURS}::test_bombs_of_every_kind_leave_memory_as_it_was"),
    12: (
        f"{BATCHES}::test_hostile_rows_are_refused_with_a_reason",
        "tests/storage/tables/test_validate.py::test_portal_and_import_may_set_what_the_server_decides",
        "tests/portal/test_claims.py::test_what_a_target_rests_on",
        "tests/portal/test_runs.py::test_a_query_target_is_exactly_its_devices",
    ),
    13: (
        f"{WORK}::test_forged_reports_move_nothing",
        f"{WORK}::test_a_run_that_was_never_handed_out_cannot_be_reported",
        f"{WORK}::test_only_the_devices_of_a_run_get_its_order",
    ),
    14: (f"{OURS}::test_an_empty_success_is_seen", f"{BATCHES}::test_hostile_envelopes_are_refused"),
    15: (
        f"{CONTROL}/test_executions.py::test_device_clocks_do_not_move_ours",
        f"{BATCHES}::test_hostile_rows_are_refused_with_a_reason",
        f"{DOOR}::test_a_wrong_clock_is_told_the_time",
        "tests/agent/test_local_schedules.py::test_a_clock_that_is_set_back_holds_up_nothing",
    ),
    16: (
        f"{DOOR}::test_a_repeated_request_is_refused",
        f"{DOOR}::test_what_was_signed_before_the_start_is_refused",
        f"{CORE}::test_a_repeated_order_is_let_be_at_every_stage",
        f"{ORDERS}::test_expiry_is_by_the_portals_time",
        f"{PINNING}::test_who_was_removed_never_comes_back",
    ),
    17: (
        f"{ORDERS}::test_an_older_signature_never_runs_again",
        f"{STOLEN}::test_an_old_version_that_was_signed_once",
    ),
    18: (
        f"{CONTROL}/test_enrolment.py::test_a_revoked_device_stays_out",
        f"{CONTROL}/test_enrolment.py::test_the_same_machine_enrols_anew_as_the_next_generation",
        f"{CONTROL}/test_erasure.py::test_a_device_that_is_erased_does_not_come_back_by_its_key",
        "tests/storage/tables/test_erasing.py::test_who_comes_again_is_somebody_new",
    ),
    19: (
        f"{TRAILS}::test_who_came_before_has_to_come_again_and_shows",
        f"{TRAILS}::test_orders_are_for_who_came_last",
        f"{TRAILS}::test_two_batches_under_one_number",
        f"{TRAILS}::test_a_copied_machine_beside_the_first",
        f"{TRAILS}::test_a_machine_that_was_set_back",
        f"{CONTROL}/test_trails.py::test_no_history_of_one_machine_holds_it_and_no_second_one_stays_hidden",
    ),
    20: (f"{CHANNEL}::test_a_revoked_device_is_out_within_two_seconds",),
    21: (
        f"{CONTROL}/test_enrolment.py::test_a_key_enrols_once",
        f"{DOOR}::test_refused_enrolments",
        f"{DOOR}::test_guessing_keys_is_slowed_down",
    ),
    22: (
        f"{CHANNEL}::test_strangers_get_no_channel",
        f"{CHANNEL}::test_who_does_not_show_that_it_is_there_is_let_go",
        f"{CHANNEL}::test_more_than_can_be_greeted_are_told_when_to_come_again",
        f"{CHANNEL}::test_a_person_is_served_while_a_device_is_silent_in_the_middle_of_its_request",
    ),
    23: (f"{OURS}::test_a_flood_of_wrong_tokens_holds_nobody_up",),
    24: ("tests/portal/test_access.py::test_guessing_is_slowed_down",),
    31: (
        "tests/portal/test_access.py::test_a_disabled_account_is_out",
        "tests/portal/test_domains.py::test_a_disabled_account_is_nobody",
        f"{SCHEDULER}::test_an_owner_who_may_not_any_more",
    ),
    32: (
        "tests/portal/test_trust.py::test_a_draft_runs_only_where_it_is_asked_for",
        f"{CONTROL}/test_authors.py::test_an_action_is_a_draft_until_a_living_author_signs_it",
        f"{ORDERS}::test_a_signature_is_for_one_action_version_and_serial",
        f"{CONTROL}/test_schedules.py::test_a_schedule_that_changed_while_its_query_ran_does_not_fire",
    ),
    33: (
        "tests/portal/actions/test_plans.py::test_a_guard_stops_a_run_before_anything_is_stored",
        f"{SCHEDULER}::test_guards_and_queries_without_devices",
        f"{CONTROL}/test_progress.py::test_limits_hold_for_those_who_join",
    ),
    40: (
        f"{STOLEN}::test_orders_signed_with_the_stolen_key",
        f"{STOLEN}::test_an_author_of_the_attackers_own",
        f"{STOLEN}::test_content_that_was_swapped",
        f"{STOLEN}::test_values_that_the_author_did_not_allow",
    ),
    41: (
        "tests/portal/agents/test_tls.py::test_nobody_stands_in_the_middle",
        "tests/portal/agents/test_tls.py::test_the_key_is_pinned_and_follows_what_was_told",
        f"{PINNING}::test_a_chain_that_does_not_begin_at_the_pinned_key_leads_nowhere",
        "tests/portal/agents/test_rotation.py::test_every_device_follows",
    ),
    42: (f"{OURS}::test_a_name_from_the_wire_calls_nothing", f"{CHANNEL}::test_whoever_breaks_the_protocol_is_let_go"),
    43: (
        f"{FILES}::test_a_link_is_not_followed",
        f"{FILES}::test_folders_must_be_private",
        "tests/agent/test_accounts.py::test_links_are_not_followed",
        "tests/portal/agents/test_agent_process.py::test_the_state_folder_is_private",
    ),
    44: (f"{RUNNER}::test_inputs_arrive_as_they_are", f"{ORDERS}::test_parameters_are_checked_here_too"),
    45: (
        f"{SECRETS}::test_what_a_script_writes_does_not_show_it",
        f"{SECRETS}::test_it_is_nowhere_while_the_script_runs",
        "tests/portal/agents/test_secrets_on_the_way.py::test_a_script_has_it_and_nothing_else",
    ),
}  # fmt: skip

WAITING: Mapping[int, str] = {
    5: "e-mail does not exist yet",
    7: "there is no terminal in the console yet; logs are JSON",
    8: "there are no templates that data could get into: webhooks carry JSON, and there is no e-mail",
    32: "nobody approves runs yet; what an author signed is what runs, and an edit makes it a draft",
    46: "there is no remote console yet",
}
