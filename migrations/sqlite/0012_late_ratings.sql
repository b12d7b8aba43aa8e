-- A caller may say how it was after the call's record was written: that is told, too.

CREATE TABLE outbox_new (
    -- Names the news among all: whoever is told twice knows that it is the same.
    key                  TEXT PRIMARY KEY,
    news                 TEXT NOT NULL CHECK (news IN ('voicemail', 'call', 'rating', 'wrap_up')),
    call_id              TEXT NOT NULL,
    -- A [[notify]] of intents/desk.toml.
    target               TEXT NOT NULL,
    created_unix_ms      INTEGER NOT NULL,
    due_unix_ms          INTEGER NOT NULL,
    attempts             INTEGER NOT NULL,
    state                TEXT NOT NULL CHECK (state IN ('waiting', 'in_hand', 'told', 'given_up')),
    claimed_by           TEXT,
    claim_until_unix_ms  INTEGER,
    announced_at_unix_ms INTEGER,
    -- Why the last attempt failed; never a caller's number or words.
    error                TEXT
) STRICT;

INSERT INTO outbox_new (key, news, call_id, target, created_unix_ms, due_unix_ms, attempts, state, claimed_by,
                        claim_until_unix_ms, announced_at_unix_ms, error)
SELECT key, news, call_id, target, created_unix_ms, due_unix_ms, attempts, state, claimed_by, claim_until_unix_ms,
       announced_at_unix_ms, error
FROM outbox;

DROP TABLE outbox;
ALTER TABLE outbox_new RENAME TO outbox;

CREATE INDEX outbox_due ON outbox (due_unix_ms, key) WHERE state IN ('waiting', 'in_hand');
CREATE INDEX outbox_by_call ON outbox (call_id);
