-- Times are UTC; beside them the line's zone when the call arrived, by its IANA name.

ALTER TABLE calls ADD COLUMN zone TEXT;
