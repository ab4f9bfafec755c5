-- An index over the records costs as much as all the rest of adding one, for each lies in another place of it. So which
-- records belong to a conversation is listed for thousands of them at once: `listed` says up to which.
DROP INDEX record_conversation;

CREATE TABLE spoken (
    conversation BIGINT NOT NULL,
    seq          BIGINT NOT NULL,
    PRIMARY KEY (conversation, seq)
);

CREATE TABLE listed (
    seq BIGINT NOT NULL
);

INSERT INTO spoken SELECT conversation, seq FROM record WHERE conversation IS NOT NULL ORDER BY conversation, seq;
INSERT INTO listed SELECT coalesce(max(seq), 0) FROM record;

-- All of them, listed or not yet.
CREATE VIEW turn AS
    SELECT conversation, seq FROM spoken
    UNION ALL
    SELECT conversation, seq FROM record WHERE seq > (SELECT seq FROM listed) AND conversation IS NOT NULL;
