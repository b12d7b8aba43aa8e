-- The agent whom a number spoke to last.

CREATE INDEX queue_entries_answered ON queue_entries (same_as, ended_unix_ms) WHERE outcome = 'answered';
