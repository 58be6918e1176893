-- name: has_versions
SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_version';

-- name: create_versions
CREATE TABLE schema_version (
    version    INTEGER PRIMARY KEY,
    name       TEXT NOT NULL,
    applied_at INTEGER NOT NULL
) STRICT;

-- name: version
SELECT coalesce(max(version), 0) FROM schema_version;

-- name: add_version
INSERT INTO schema_version (version, name, applied_at) VALUES (?, ?, ?);

-- name: checkpoint
PRAGMA wal_checkpoint(PASSIVE);
