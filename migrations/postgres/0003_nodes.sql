-- One queue over all nodes: who waits where and in what order, who has which agent, and which nodes live.

-- Lives of processes. One that has not been heard of for a while is dead, and loses what it holds.
CREATE TABLE nodes (
    name         TEXT PRIMARY KEY,
    beat_unix_ms BIGINT NOT NULL
);

-- Who has a call with them, for which call, and since when that is as it is.
ALTER TABLE agents ADD COLUMN held_by TEXT;
ALTER TABLE agents ADD COLUMN held_for TEXT;
ALTER TABLE agents ADD COLUMN held_unix_ms BIGINT;
ALTER TABLE agents ADD COLUMN rung_unix_ms BIGINT;
CREATE INDEX agents_held ON agents (held_by) WHERE held_by IS NOT NULL;

ALTER TABLE queue_entries ADD COLUMN language TEXT;
-- When the place was taken; a kept place came before.
ALTER TABLE queue_entries ADD COLUMN entered_unix_ms BIGINT;
ALTER TABLE queue_entries ADD COLUMN prefers TEXT;
ALTER TABLE queue_entries ADD COLUMN kept_until_unix_ms BIGINT;
ALTER TABLE queue_entries ADD COLUMN call_back BIGINT NOT NULL DEFAULT 0 CHECK (call_back IN (0, 1));
-- The number's digits, as in callbacks.
ALTER TABLE queue_entries ADD COLUMN same_as TEXT;
CREATE INDEX queue_entries_by_number ON queue_entries (same_as) WHERE state <> 'over';

-- The last handle times, from which waits are told.
CREATE TABLE handle_times (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue      TEXT NOT NULL,
    ring_ms    BIGINT NOT NULL,
    handle_ms  BIGINT NOT NULL
);
CREATE INDEX handle_times_by_queue ON handle_times (queue, id);

-- Whoever changes one of these wakes the nodes, which listen to the channel 'attendant'; the table is what is said.
CREATE FUNCTION attendant_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('attendant', TG_TABLE_NAME);
    RETURN NULL;
END $$;
CREATE TRIGGER agents_changed AFTER INSERT OR UPDATE OR DELETE ON agents
    FOR EACH STATEMENT EXECUTE FUNCTION attendant_changed();
CREATE TRIGGER queue_entries_changed AFTER INSERT OR UPDATE OR DELETE ON queue_entries
    FOR EACH STATEMENT EXECUTE FUNCTION attendant_changed();
CREATE TRIGGER callbacks_changed AFTER INSERT OR UPDATE OR DELETE ON callbacks
    FOR EACH STATEMENT EXECUTE FUNCTION attendant_changed();
