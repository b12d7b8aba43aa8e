-- What the dialogue leaves of a call beside its turns.

ALTER TABLE calls ADD COLUMN stage TEXT NOT NULL DEFAULT 'preparation';
ALTER TABLE calls ADD COLUMN reference TEXT;
ALTER TABLE calls ADD COLUMN rating INTEGER CHECK (rating BETWEEN 1 AND 5);
-- JSON: number, reason, intent.
ALTER TABLE calls ADD COLUMN callback TEXT CHECK (callback IS NULL OR json_valid(callback));
-- JSON: the look-ups in order, secrets left out.
ALTER TABLE calls ADD COLUMN look_ups TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(look_ups));

-- A caller who rings back is looked for by number and time.
CREATE INDEX calls_by_ani ON calls (ani, started_at_unix_ms);

-- What callers prove who they are with.
ALTER TABLE customers ADD COLUMN postcode TEXT;
ALTER TABLE customers ADD COLUMN born_on TEXT CHECK (born_on IS NULL OR born_on IS date(born_on));
-- Argon2, in the PHC string format; never the PIN.
ALTER TABLE customers ADD COLUMN pin_hash TEXT;

-- Wrong answers, for the lock-out. They are kept only as long as one looks for them.
CREATE TABLE wrong_proofs (
    account    TEXT NOT NULL,
    ani        TEXT,
    at_unix_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX wrong_proofs_by_time ON wrong_proofs (at_unix_ms);
