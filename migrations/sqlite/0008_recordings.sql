-- Recordings of calls, and for whom sound is sealed: its public keys, in order with commas; empty where it lies open.

CREATE TABLE recordings (
    call_id     TEXT PRIMARY KEY,
    ani         TEXT,
    at_unix_ms  INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    file        TEXT NOT NULL,
    sealed_to   TEXT NOT NULL
) STRICT;

CREATE INDEX recordings_by_time ON recordings (at_unix_ms);
CREATE INDEX recordings_by_ani ON recordings (ltrim(ani, '+'));

ALTER TABLE voicemails ADD COLUMN sealed_to TEXT NOT NULL DEFAULT '';
