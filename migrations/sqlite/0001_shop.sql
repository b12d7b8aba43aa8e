-- Who calls, and what they ordered.

CREATE TABLE customers (
    id    INTEGER PRIMARY KEY,
    name  TEXT NOT NULL,
    -- Digits only, as the caller's number arrives without its leading +.
    phone TEXT NOT NULL UNIQUE CHECK (phone <> '' AND phone NOT GLOB '*[^0-9]*')
) STRICT;

CREATE TABLE orders (
    -- Digits, kept as text: an order number may begin with 0.
    number      TEXT PRIMARY KEY CHECK (number <> '' AND number NOT GLOB '*[^0-9]*'),
    customer_id INTEGER NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
    item        TEXT NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('processing', 'shipped', 'delivered', 'cancelled')),
    -- Dates: ISO 8601, YYYY-MM-DD.
    placed_on   TEXT NOT NULL CHECK (placed_on IS date(placed_on)),
    -- When it should arrive; when it did, once it is delivered.
    expected_on TEXT CHECK (expected_on IS NULL OR expected_on IS date(expected_on)),
    carrier     TEXT
) STRICT;

CREATE INDEX orders_by_customer ON orders (customer_id, placed_on);
