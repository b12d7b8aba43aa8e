-- Figures by hour, counted as records are written, so that a report reads hundreds of rows and not a million
-- records. They hold no caller's data, and outlive the records.

CREATE TABLE call_figures (
    -- Since 1970, UTC.
    hour        INTEGER NOT NULL,
    dnis        TEXT NOT NULL,
    intent      TEXT NOT NULL,
    stage       TEXT NOT NULL,
    disposition TEXT NOT NULL,
    calls       INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    handoffs    INTEGER NOT NULL,
    callbacks   INTEGER NOT NULL,
    -- Calls after which the same number called about the same within a week.
    repeated    INTEGER NOT NULL,
    ratings     INTEGER NOT NULL,
    rating_sum  INTEGER NOT NULL,
    PRIMARY KEY (hour, dnis, intent, stage, disposition)
) STRICT, WITHOUT ROWID;

CREATE TABLE turn_figures (
    hour     INTEGER NOT NULL,
    dnis     TEXT NOT NULL,
    intent   TEXT NOT NULL,
    stage    TEXT NOT NULL,
    decision TEXT NOT NULL,
    turns    INTEGER NOT NULL,
    PRIMARY KEY (hour, dnis, intent, stage, decision)
) STRICT, WITHOUT ROWID;

CREATE TABLE queue_figures (
    hour        INTEGER NOT NULL,
    queue       TEXT NOT NULL,
    outcome     TEXT NOT NULL,
    -- Waited at most so many seconds: 5, 10, 20, 30, 60, 120, 300, 600, 1800, or longer (0).
    within      INTEGER NOT NULL,
    entries     INTEGER NOT NULL,
    waited_ms   INTEGER NOT NULL,
    -- Of calls that agents are done with: talking and writing up.
    handled     INTEGER NOT NULL,
    handle_ms   INTEGER NOT NULL,
    PRIMARY KEY (hour, queue, outcome, within)
) STRICT, WITHOUT ROWID;

INSERT INTO call_figures
SELECT started_at_unix_ms / 3600000, coalesce(dnis, ''), coalesce(c.intent, ''), stage, disposition, count(*),
       sum(duration_ms), count(h.call_id), count(callback), 0, count(rating), coalesce(sum(rating), 0)
FROM calls c LEFT JOIN handoffs h ON h.call_id = c.id
GROUP BY 1, 2, 3, 4, 5;

INSERT INTO turn_figures
SELECT c.started_at_unix_ms / 3600000, coalesce(c.dnis, ''), coalesce(c.intent, ''),
       coalesce(json_extract(t.value, '$.stage'), 'preparation'), coalesce(json_extract(t.value, '$.decision'), ''), count(*)
FROM calls c, json_each(c.turns) t
GROUP BY 1, 2, 3, 4, 5;

-- A caller who rings back is looked for by digits alone: the number comes with and without its leading +.
DROP INDEX calls_by_ani;
CREATE INDEX calls_by_ani ON calls (ltrim(ani, '+'), started_at_unix_ms);
