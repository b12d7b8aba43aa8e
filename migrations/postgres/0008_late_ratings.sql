-- A caller may say how it was after the call's record was written: that is told, too.

ALTER TABLE outbox DROP CONSTRAINT outbox_news_check;
ALTER TABLE outbox ADD CONSTRAINT outbox_news_check CHECK (news IN ('voicemail', 'call', 'rating', 'wrap_up'));
