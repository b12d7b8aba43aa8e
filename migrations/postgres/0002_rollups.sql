-- The figures added up once more, so that a report of years reads some rows a day. Written in the transaction that
-- writes the figures by hour; what is at the edges of a report, and no whole day of UTC, is read by hour.

CREATE TABLE hour_figures (
    hour        BIGINT NOT NULL,
    disposition TEXT NOT NULL,
    calls       BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    handoffs    BIGINT NOT NULL,
    callbacks   BIGINT NOT NULL,
    repeated    BIGINT NOT NULL,
    ratings     BIGINT NOT NULL,
    rating_sum  BIGINT NOT NULL,
    PRIMARY KEY (hour, disposition)
);

CREATE TABLE day_call_figures (
    -- Since 1970, UTC.
    day         BIGINT NOT NULL,
    dnis        TEXT NOT NULL,
    intent      TEXT NOT NULL,
    stage       TEXT NOT NULL,
    disposition TEXT NOT NULL,
    calls       BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    handoffs    BIGINT NOT NULL,
    callbacks   BIGINT NOT NULL,
    repeated    BIGINT NOT NULL,
    ratings     BIGINT NOT NULL,
    rating_sum  BIGINT NOT NULL,
    PRIMARY KEY (day, dnis, intent, stage, disposition)
);

CREATE TABLE day_turn_figures (
    day      BIGINT NOT NULL,
    intent   TEXT NOT NULL,
    stage    TEXT NOT NULL,
    decision TEXT NOT NULL,
    turns    BIGINT NOT NULL,
    PRIMARY KEY (day, intent, stage, decision)
);

CREATE TABLE day_queue_figures (
    day       BIGINT NOT NULL,
    queue     TEXT NOT NULL,
    outcome   TEXT NOT NULL,
    within    BIGINT NOT NULL,
    entries   BIGINT NOT NULL,
    waited_ms BIGINT NOT NULL,
    handled   BIGINT NOT NULL,
    handle_ms BIGINT NOT NULL,
    PRIMARY KEY (day, queue, outcome, within)
);

INSERT INTO hour_figures
SELECT hour, disposition, CAST(sum(calls) AS BIGINT), CAST(sum(duration_ms) AS BIGINT), CAST(sum(handoffs) AS BIGINT), CAST(sum(callbacks) AS BIGINT), CAST(sum(repeated) AS BIGINT), CAST(sum(ratings) AS BIGINT),
       CAST(sum(rating_sum) AS BIGINT)
FROM call_figures GROUP BY 1, 2;

INSERT INTO day_call_figures
SELECT hour / 24, dnis, intent, stage, disposition, CAST(sum(calls) AS BIGINT), CAST(sum(duration_ms) AS BIGINT), CAST(sum(handoffs) AS BIGINT), CAST(sum(callbacks) AS BIGINT),
       CAST(sum(repeated) AS BIGINT), CAST(sum(ratings) AS BIGINT), CAST(sum(rating_sum) AS BIGINT)
FROM call_figures GROUP BY 1, 2, 3, 4, 5;

INSERT INTO day_turn_figures
SELECT hour / 24, intent, stage, decision, CAST(sum(turns) AS BIGINT) FROM turn_figures GROUP BY 1, 2, 3, 4;

INSERT INTO day_queue_figures
SELECT hour / 24, queue, outcome, within, CAST(sum(entries) AS BIGINT), CAST(sum(waited_ms) AS BIGINT), CAST(sum(handled) AS BIGINT), CAST(sum(handle_ms) AS BIGINT)
FROM queue_figures GROUP BY 1, 2, 3, 4;
