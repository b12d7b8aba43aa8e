-- What is kept of each call, written once, when it has ended.

CREATE TABLE calls (
    id                 TEXT PRIMARY KEY,
    started_at_unix_ms INTEGER NOT NULL,
    duration_ms        INTEGER NOT NULL,
    ani                TEXT,
    dnis               TEXT,
    intent             TEXT,
    -- JSON: slot name to value.
    slots              TEXT NOT NULL CHECK (json_valid(slots)),
    -- JSON: the turns in order.
    turns              TEXT NOT NULL CHECK (json_valid(turns)),
    disposition        TEXT NOT NULL,
    cause              TEXT NOT NULL
) STRICT;

CREATE INDEX calls_by_start ON calls (started_at_unix_ms);

-- What a person got with the caller.
CREATE TABLE handoffs (
    call_id    TEXT PRIMARY KEY REFERENCES calls (id) ON DELETE CASCADE,
    skill      TEXT NOT NULL,
    reason     TEXT NOT NULL,
    intent     TEXT,
    -- JSON: fact to value.
    facts      TEXT NOT NULL CHECK (json_valid(facts)),
    last_heard TEXT
) STRICT;
