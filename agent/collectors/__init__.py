"""What a device tells of itself: one module a subject, all of one form (`base.Collector`)."""
