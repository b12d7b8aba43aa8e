-- What callers said that no intent took: theirs, so it goes with the call's record.

CREATE TABLE unmatched (
    call_id TEXT NOT NULL,
    -- The turn, from 0.
    turn    BIGINT NOT NULL,
    -- Since 1970, UTC.
    hour    BIGINT NOT NULL,
    dnis    TEXT NOT NULL,
    -- What the call came to be about.
    intent  TEXT NOT NULL,
    stage   TEXT NOT NULL,
    -- In small letters, without punctuation, numbers hidden.
    words   TEXT NOT NULL,
    PRIMARY KEY (call_id, turn)
);

-- With all that a report reads.
CREATE INDEX unmatched_by_hour ON unmatched (hour, words, dnis, intent, stage);
