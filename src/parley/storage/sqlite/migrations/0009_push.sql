-- Push registrations (XEP-0357). Times are microseconds since the epoch, 0 for never.
CREATE TABLE push_registration (
    account_id INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    service    TEXT NOT NULL,
    node       TEXT NOT NULL,
    options    BLOB NOT NULL,
    resource   TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_ok_at INTEGER NOT NULL,
    last_error TEXT NOT NULL,
    refusals   INTEGER NOT NULL,
    PRIMARY KEY (account_id, service, node)
) STRICT, WITHOUT ROWID;

-- A device that is forgotten is woken no more.
CREATE TRIGGER device_deleted_ends_push AFTER DELETE ON device BEGIN
    DELETE FROM push_registration WHERE account_id = OLD.account_id AND resource = OLD.resource;
END;
