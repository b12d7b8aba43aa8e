-- The figures added up once more, so that a report of years reads some rows a day. Written in the transaction that
-- writes the figures by hour; what is at the edges of a report, and no whole day of UTC, is read by hour.

CREATE TABLE hour_figures (
    hour        INTEGER NOT NULL,
    disposition TEXT NOT NULL,
    calls       INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    handoffs    INTEGER NOT NULL,
    callbacks   INTEGER NOT NULL,
    repeated    INTEGER NOT NULL,
    ratings     INTEGER NOT NULL,
    rating_sum  INTEGER NOT NULL,
    PRIMARY KEY (hour, disposition)
) STRICT, WITHOUT ROWID;

CREATE TABLE day_call_figures (
    -- Since 1970, UTC.
    day         INTEGER NOT NULL,
    dnis        TEXT NOT NULL,
    intent      TEXT NOT NULL,
    stage       TEXT NOT NULL,
    disposition TEXT NOT NULL,
    calls       INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    handoffs    INTEGER NOT NULL,
    callbacks   INTEGER NOT NULL,
    repeated    INTEGER NOT NULL,
    ratings     INTEGER NOT NULL,
    rating_sum  INTEGER NOT NULL,
    PRIMARY KEY (day, dnis, intent, stage, disposition)
) STRICT, WITHOUT ROWID;

CREATE TABLE day_turn_figures (
    day      INTEGER NOT NULL,
    intent   TEXT NOT NULL,
    stage    TEXT NOT NULL,
    decision TEXT NOT NULL,
    turns    INTEGER NOT NULL,
    PRIMARY KEY (day, intent, stage, decision)
) STRICT, WITHOUT ROWID;

CREATE TABLE day_queue_figures (
    day       INTEGER NOT NULL,
    queue     TEXT NOT NULL,
    outcome   TEXT NOT NULL,
    within    INTEGER NOT NULL,
    entries   INTEGER NOT NULL,
    waited_ms INTEGER NOT NULL,
    handled   INTEGER NOT NULL,
    handle_ms INTEGER NOT NULL,
    PRIMARY KEY (day, queue, outcome, within)
) STRICT, WITHOUT ROWID;

INSERT INTO hour_figures
SELECT hour, disposition, sum(calls), sum(duration_ms), sum(handoffs), sum(callbacks), sum(repeated), sum(ratings),
       sum(rating_sum)
FROM call_figures GROUP BY 1, 2;

INSERT INTO day_call_figures
SELECT hour / 24, dnis, intent, stage, disposition, sum(calls), sum(duration_ms), sum(handoffs), sum(callbacks),
       sum(repeated), sum(ratings), sum(rating_sum)
FROM call_figures GROUP BY 1, 2, 3, 4, 5;

INSERT INTO day_turn_figures
SELECT hour / 24, intent, stage, decision, sum(turns) FROM turn_figures GROUP BY 1, 2, 3, 4;

INSERT INTO day_queue_figures
SELECT hour / 24, queue, outcome, within, sum(entries), sum(waited_ms), sum(handled), sum(handle_ms)
FROM queue_figures GROUP BY 1, 2, 3, 4;
