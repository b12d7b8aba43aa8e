-- What is promised to callers who need a person, and who takes them. Times are UTC, in milliseconds since 1970.

-- Who is there; what they can do stands in intents/desk.toml, and is repeated here for other systems to read.
CREATE TABLE agents (
    name          TEXT PRIMARY KEY,
    state         TEXT NOT NULL CHECK (state IN ('signed_out', 'ready', 'busy', 'away')),
    why           TEXT,
    at_unix_ms    INTEGER NOT NULL
) STRICT;

CREATE TABLE agent_skills (
    agent TEXT NOT NULL REFERENCES agents (name) ON DELETE CASCADE,
    skill TEXT NOT NULL,
    level INTEGER NOT NULL CHECK (level BETWEEN 1 AND 10),
    PRIMARY KEY (agent, skill)
) STRICT;

-- Places in queues. The node holds the caller's sound; whoever claims an entry serves it.
CREATE TABLE queue_entries (
    call_id            TEXT PRIMARY KEY,
    queue              TEXT NOT NULL,
    node               TEXT NOT NULL,
    ani                TEXT,
    since_unix_ms      INTEGER NOT NULL,
    -- The time of arrival, moved forward by priority: the least is served first.
    rank_ms            INTEGER NOT NULL,
    state              TEXT NOT NULL CHECK (state IN ('waiting', 'claimed', 'over')),
    claimed_by         TEXT,
    claim_until_unix_ms INTEGER,
    outcome            TEXT,
    agent              TEXT,
    waited_ms          INTEGER,
    ended_unix_ms      INTEGER
) STRICT;

CREATE INDEX queue_entries_open ON queue_entries (queue, rank_ms) WHERE state <> 'over';
CREATE INDEX queue_entries_by_node ON queue_entries (node) WHERE state <> 'over';
CREATE INDEX queue_entries_by_ani ON queue_entries (ani);

-- Promises to call back: one open one for each number.
CREATE TABLE callbacks (
    call_id             TEXT PRIMARY KEY,
    number              TEXT NOT NULL,
    -- The number's digits: two promises with the same are one.
    same_as             TEXT NOT NULL,
    queue               TEXT NOT NULL,
    since_unix_ms       INTEGER NOT NULL,
    promised_unix_ms    INTEGER NOT NULL,
    window_from_unix_ms INTEGER NOT NULL,
    window_until_unix_ms INTEGER,
    attempts            INTEGER NOT NULL,
    state               TEXT NOT NULL CHECK (state IN ('waiting', 'in_hand', 'over')),
    due_unix_ms         INTEGER,
    outcome             TEXT,
    claimed_by          TEXT,
    claim_until_unix_ms INTEGER
) STRICT;

CREATE UNIQUE INDEX callbacks_open ON callbacks (same_as) WHERE state <> 'over';
CREATE INDEX callbacks_due ON callbacks (due_unix_ms) WHERE state <> 'over';

-- Messages. The sound lies in a file of its own, whole before the row is written.
CREATE TABLE voicemails (
    call_id       TEXT PRIMARY KEY,
    queue         TEXT NOT NULL,
    ani           TEXT,
    at_unix_ms    INTEGER NOT NULL,
    duration_ms   INTEGER NOT NULL,
    file          TEXT NOT NULL,
    sha256        TEXT NOT NULL,
    transcript    TEXT,
    announced     INTEGER NOT NULL DEFAULT 0 CHECK (announced IN (0, 1)),
    heard_unix_ms INTEGER,
    claimed_by          TEXT,
    claim_until_unix_ms INTEGER
) STRICT;

CREATE INDEX voicemails_new ON voicemails (at_unix_ms) WHERE announced = 0;
CREATE INDEX voicemails_by_ani ON voicemails (ani);

-- Who did what: signing in, erasing, reading a message. Holds no caller's data.
CREATE TABLE audit (
    id         INTEGER PRIMARY KEY,
    at_unix_ms INTEGER NOT NULL,
    who        TEXT NOT NULL,
    what       TEXT NOT NULL,
    subject    TEXT NOT NULL
) STRICT;

CREATE INDEX audit_by_time ON audit (at_unix_ms);
