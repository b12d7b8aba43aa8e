-- The same tables as in ../sqlite, for several machines. Dates and JSON are text, as there.

CREATE TABLE customers (
    id       BIGINT PRIMARY KEY,
    name     TEXT NOT NULL,
    phone    TEXT NOT NULL UNIQUE CHECK (phone ~ '^[0-9]+$'),
    postcode TEXT,
    born_on  TEXT CHECK (born_on IS NULL OR born_on ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$'),
    pin_hash TEXT
);

CREATE TABLE orders (
    number      TEXT PRIMARY KEY CHECK (number ~ '^[0-9]+$'),
    customer_id BIGINT NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
    item        TEXT NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('processing', 'shipped', 'delivered', 'cancelled')),
    placed_on   TEXT NOT NULL CHECK (placed_on ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$'),
    expected_on TEXT CHECK (expected_on IS NULL OR expected_on ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$'),
    carrier     TEXT
);

CREATE INDEX orders_by_customer ON orders (customer_id, placed_on);

CREATE TABLE calls (
    id                 TEXT PRIMARY KEY,
    started_at_unix_ms BIGINT NOT NULL,
    duration_ms        BIGINT NOT NULL,
    ani                TEXT,
    dnis               TEXT,
    intent             TEXT,
    slots              TEXT NOT NULL,
    turns              TEXT NOT NULL,
    disposition        TEXT NOT NULL,
    cause              TEXT NOT NULL,
    stage              TEXT NOT NULL,
    reference          TEXT,
    rating             BIGINT CHECK (rating BETWEEN 1 AND 5),
    callback           TEXT,
    look_ups           TEXT NOT NULL
);

CREATE INDEX calls_by_start ON calls (started_at_unix_ms);
-- By digits alone: a caller's number comes with and without its leading +.
CREATE INDEX calls_by_ani ON calls (ltrim(ani, '+'), started_at_unix_ms);

CREATE TABLE handoffs (
    call_id    TEXT PRIMARY KEY REFERENCES calls (id) ON DELETE CASCADE,
    skill      TEXT NOT NULL,
    reason     TEXT NOT NULL,
    intent     TEXT,
    facts      TEXT NOT NULL,
    last_heard TEXT
);

CREATE TABLE wrong_proofs (
    account    TEXT NOT NULL,
    ani        TEXT,
    at_unix_ms BIGINT NOT NULL
);

CREATE INDEX wrong_proofs_by_time ON wrong_proofs (at_unix_ms);

-- What is promised to callers who need a person, and who takes them. Times are UTC, in milliseconds since 1970.

-- Who is there; what they can do stands in intents/desk.toml, and is repeated here for other systems to read.
CREATE TABLE agents (
    name          TEXT PRIMARY KEY,
    state         TEXT NOT NULL CHECK (state IN ('signed_out', 'ready', 'busy', 'away')),
    why           TEXT,
    at_unix_ms    BIGINT NOT NULL
);

CREATE TABLE agent_skills (
    agent TEXT NOT NULL REFERENCES agents (name) ON DELETE CASCADE,
    skill TEXT NOT NULL,
    level BIGINT NOT NULL CHECK (level BETWEEN 1 AND 10),
    PRIMARY KEY (agent, skill)
);

-- Places in queues. The node holds the caller's sound; whoever claims an entry serves it.
CREATE TABLE queue_entries (
    call_id            TEXT PRIMARY KEY,
    queue              TEXT NOT NULL,
    node               TEXT NOT NULL,
    ani                TEXT,
    since_unix_ms      BIGINT NOT NULL,
    -- The time of arrival, moved forward by priority: the least is served first.
    rank_ms            BIGINT NOT NULL,
    state              TEXT NOT NULL CHECK (state IN ('waiting', 'claimed', 'over')),
    claimed_by         TEXT,
    claim_until_unix_ms BIGINT,
    outcome            TEXT,
    agent              TEXT,
    waited_ms          BIGINT,
    ended_unix_ms      BIGINT
);

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
    since_unix_ms       BIGINT NOT NULL,
    promised_unix_ms    BIGINT NOT NULL,
    window_from_unix_ms BIGINT NOT NULL,
    window_until_unix_ms BIGINT,
    attempts            BIGINT NOT NULL,
    state               TEXT NOT NULL CHECK (state IN ('waiting', 'in_hand', 'over')),
    due_unix_ms         BIGINT,
    outcome             TEXT,
    claimed_by          TEXT,
    claim_until_unix_ms BIGINT
);

CREATE UNIQUE INDEX callbacks_open ON callbacks (same_as) WHERE state <> 'over';
CREATE INDEX callbacks_due ON callbacks (due_unix_ms) WHERE state <> 'over';

-- Messages. The sound lies in a file of its own, whole before the row is written.
CREATE TABLE voicemails (
    call_id       TEXT PRIMARY KEY,
    queue         TEXT NOT NULL,
    ani           TEXT,
    at_unix_ms    BIGINT NOT NULL,
    duration_ms   BIGINT NOT NULL,
    file          TEXT NOT NULL,
    sha256        TEXT NOT NULL,
    transcript    TEXT,
    announced     BIGINT NOT NULL DEFAULT 0 CHECK (announced IN (0, 1)),
    heard_unix_ms BIGINT,
    claimed_by          TEXT,
    claim_until_unix_ms BIGINT
);

CREATE INDEX voicemails_new ON voicemails (at_unix_ms) WHERE announced = 0;
CREATE INDEX voicemails_by_ani ON voicemails (ani);

-- Who did what: signing in, erasing, reading a message. Holds no caller's data.
CREATE TABLE audit (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at_unix_ms BIGINT NOT NULL,
    who        TEXT NOT NULL,
    what       TEXT NOT NULL,
    subject    TEXT NOT NULL
);

CREATE INDEX audit_by_time ON audit (at_unix_ms);

-- Figures by hour, counted as records are written, so that a report reads hundreds of rows and not a million
-- records. They hold no caller's data, and outlive the records.

CREATE TABLE call_figures (
    -- Since 1970, UTC.
    hour        BIGINT NOT NULL,
    dnis        TEXT NOT NULL,
    intent      TEXT NOT NULL,
    stage       TEXT NOT NULL,
    disposition TEXT NOT NULL,
    calls       BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    handoffs    BIGINT NOT NULL,
    callbacks   BIGINT NOT NULL,
    -- Calls after which the same number called about the same within a week.
    repeated    BIGINT NOT NULL,
    ratings     BIGINT NOT NULL,
    rating_sum  BIGINT NOT NULL,
    PRIMARY KEY (hour, dnis, intent, stage, disposition)
);

CREATE TABLE turn_figures (
    hour     BIGINT NOT NULL,
    dnis     TEXT NOT NULL,
    intent   TEXT NOT NULL,
    stage    TEXT NOT NULL,
    decision TEXT NOT NULL,
    turns    BIGINT NOT NULL,
    PRIMARY KEY (hour, dnis, intent, stage, decision)
);

CREATE TABLE queue_figures (
    hour        BIGINT NOT NULL,
    queue       TEXT NOT NULL,
    outcome     TEXT NOT NULL,
    -- Waited at most so many seconds: 5, 10, 20, 30, 60, 120, 300, 600, 1800, or longer (0).
    within      BIGINT NOT NULL,
    entries     BIGINT NOT NULL,
    waited_ms   BIGINT NOT NULL,
    -- Of calls that agents are done with: talking and writing up.
    handled     BIGINT NOT NULL,
    handle_ms   BIGINT NOT NULL,
    PRIMARY KEY (hour, queue, outcome, within)
);
