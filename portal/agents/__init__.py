"""The devices' side of the portal: enrolment, the channel for nudges, work, reports and telemetry."""
