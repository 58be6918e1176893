-- Nodes of services that have a domain of their own stand beside those of accounts: their `account_id` is NULL and
-- `service` their domain, which is '' for an account's. `creator` is a bare address, `created_at` 0 when not known.
CREATE TABLE new_node (
    id         INTEGER PRIMARY KEY,
    account_id INTEGER REFERENCES account ON DELETE CASCADE,
    service    TEXT NOT NULL,
    name       TEXT NOT NULL,
    creator    TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    config     TEXT NOT NULL
) STRICT;

INSERT INTO new_node (id, account_id, service, name, creator, created_at, config)
SELECT node.id, account_id, '', name, ifnull(address, ''), 0, json_remove(config, '$.affiliations')
FROM node JOIN account ON account.id = account_id;

-- `created` is the position at which the id appeared first.
CREATE TABLE new_node_item (
    position     INTEGER PRIMARY KEY AUTOINCREMENT,
    node_id      INTEGER NOT NULL REFERENCES new_node ON DELETE CASCADE,
    id           TEXT NOT NULL,
    created      INTEGER NOT NULL,
    publisher    TEXT NOT NULL,
    published_at INTEGER NOT NULL,
    payload      BLOB NOT NULL,
    UNIQUE (node_id, id)
) STRICT;

INSERT INTO new_node_item (position, node_id, id, created, publisher, published_at, payload)
SELECT position, node_id, id, position, publisher, published_at, payload FROM node_item;

CREATE TABLE node_affiliation (
    node_id     INTEGER NOT NULL REFERENCES new_node ON DELETE CASCADE,
    address     TEXT NOT NULL,
    affiliation TEXT NOT NULL,
    PRIMARY KEY (node_id, address)
) STRICT, WITHOUT ROWID;

INSERT INTO node_affiliation (node_id, address, affiliation)
SELECT node.id, entry.key, entry.value FROM node, json_each(node.config, '$.affiliations') AS entry;

-- `address` is the bare address of `jid`; `options` is a JSON object.
CREATE TABLE node_subscription (
    node_id INTEGER NOT NULL REFERENCES new_node ON DELETE CASCADE,
    jid     TEXT NOT NULL,
    address TEXT NOT NULL,
    state   TEXT NOT NULL CHECK (state IN ('pending', 'subscribed')),
    options TEXT NOT NULL,
    PRIMARY KEY (node_id, jid)
) STRICT, WITHOUT ROWID;

CREATE TABLE node_moved (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER REFERENCES account ON DELETE CASCADE,
    service    TEXT NOT NULL,
    name       TEXT NOT NULL,
    uri        TEXT NOT NULL
) STRICT;

DROP TABLE node_item;
DROP TABLE node;
ALTER TABLE new_node RENAME TO node;
ALTER TABLE new_node_item RENAME TO node_item;

-- No account has the id 0.
CREATE UNIQUE INDEX node_by_name ON node (ifnull(account_id, 0), service, name);
CREATE INDEX node_by_account ON node (account_id) WHERE account_id IS NOT NULL;
CREATE INDEX node_by_creator ON node (service, creator) WHERE account_id IS NULL;
CREATE INDEX node_item_by_position ON node_item (node_id, position);
CREATE INDEX node_affiliation_by_address ON node_affiliation (address);
CREATE INDEX node_subscription_by_address ON node_subscription (address);
CREATE UNIQUE INDEX node_moved_by_name ON node_moved (ifnull(account_id, 0), service, name);
CREATE INDEX node_moved_by_account ON node_moved (account_id) WHERE account_id IS NOT NULL;
