-- What is still to be told of calls and messages, and what was, and how agents wrote calls up.

CREATE TABLE outbox (
    -- Names the news among all: whoever is told twice knows that it is the same.
    key                  TEXT PRIMARY KEY,
    news                 TEXT NOT NULL CHECK (news IN ('voicemail', 'call', 'wrap_up')),
    call_id              TEXT NOT NULL,
    -- A [[notify]] of intents/desk.toml.
    target               TEXT NOT NULL,
    created_unix_ms      BIGINT NOT NULL,
    due_unix_ms          BIGINT NOT NULL,
    attempts             BIGINT NOT NULL,
    state                TEXT NOT NULL CHECK (state IN ('waiting', 'in_hand', 'told', 'given_up')),
    claimed_by           TEXT,
    claim_until_unix_ms  BIGINT,
    announced_at_unix_ms BIGINT,
    -- Why the last attempt failed; never a caller's number or words.
    error                TEXT
);

CREATE INDEX outbox_due ON outbox (due_unix_ms, key) WHERE state IN ('waiting', 'in_hand');
CREATE INDEX outbox_by_call ON outbox (call_id);

CREATE TABLE wrap_ups (
    call_id     TEXT PRIMARY KEY REFERENCES calls (id) ON DELETE CASCADE,
    agent       TEXT NOT NULL,
    disposition TEXT NOT NULL,
    remark      TEXT NOT NULL,
    at_unix_ms  BIGINT NOT NULL
);

-- The outbox knows who was told of a message.
DROP INDEX voicemails_new;
ALTER TABLE voicemails DROP COLUMN announced;
ALTER TABLE voicemails DROP COLUMN claimed_by;
ALTER TABLE voicemails DROP COLUMN claim_until_unix_ms;
