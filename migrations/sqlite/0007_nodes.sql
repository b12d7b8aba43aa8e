-- One queue over all nodes: as for PostgreSQL, which tells of changes by itself.

CREATE TABLE nodes (
    name         TEXT PRIMARY KEY,
    beat_unix_ms INTEGER NOT NULL
) STRICT;

ALTER TABLE agents ADD COLUMN held_by TEXT;
ALTER TABLE agents ADD COLUMN held_for TEXT;
ALTER TABLE agents ADD COLUMN held_unix_ms INTEGER;
ALTER TABLE agents ADD COLUMN rung_unix_ms INTEGER;

ALTER TABLE queue_entries ADD COLUMN language TEXT;
ALTER TABLE queue_entries ADD COLUMN entered_unix_ms INTEGER;
ALTER TABLE queue_entries ADD COLUMN prefers TEXT;
ALTER TABLE queue_entries ADD COLUMN kept_until_unix_ms INTEGER;
ALTER TABLE queue_entries ADD COLUMN call_back INTEGER NOT NULL DEFAULT 0 CHECK (call_back IN (0, 1));
ALTER TABLE queue_entries ADD COLUMN same_as TEXT;
CREATE INDEX queue_entries_by_number ON queue_entries (same_as) WHERE state <> 'over';

CREATE TABLE handle_times (
    id         INTEGER PRIMARY KEY,
    queue      TEXT NOT NULL,
    ring_ms    INTEGER NOT NULL,
    handle_ms  INTEGER NOT NULL
) STRICT;
CREATE INDEX handle_times_by_queue ON handle_times (queue, id);
