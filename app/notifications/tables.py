"""Tables of the notifications room: names of every guard.

All of them are written under a condition, so all is raw SQL and there is no model.
"""

CONSTRAINTS = (
    "inbox_item_seq",
    "push_address_kind",
    "push_address_environment",
    "push_address_state",
    "push_address_dead",
    "push_address_suspects",
    "push_dispatch_priority",
    "push_dispatch_state",
    "push_dispatch_reason",
    "push_dispatch_stamps",
    "push_dispatch_lease",
    "notification_preference_channels",
    "notification_preference_mandatory",
    "notification_preference_threshold",
    "notification_settings_quiet",
    "inbox_item_once",
    "inbox_item_newest",
    "inbox_item_unread",
    "push_address_device_once",
    "push_address_value_once",
    "push_address_customer",
    "push_dispatch_once",
    "push_dispatch_due",
    "push_dispatch_shown",
    "push_dispatch_forward",
    "push_address_dead_is_final",
)
