-- Which desk a node goes by: nodes that share a queue have to agree.

ALTER TABLE nodes ADD COLUMN desk TEXT NOT NULL DEFAULT '';
