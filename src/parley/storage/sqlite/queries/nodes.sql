-- name: all
SELECT id, name, creator, created_at, config FROM node
WHERE ifnull(account_id, 0) = :account AND service = :service ORDER BY name;

-- name: find
SELECT id, name, creator, created_at, config FROM node
WHERE ifnull(account_id, 0) = :account AND service = :service AND name = :name;

-- name: listed
SELECT name, json_extract(config, '$.title') FROM node
LEFT JOIN node_affiliation AS known ON known.node_id = node.id AND known.address = :address
WHERE ifnull(account_id, 0) = :account AND service = :service AND name > :after
    AND ifnull(known.affiliation, 'none') <> 'outcast'
    AND (json_extract(config, '$.access_model') <> 'whitelist'
        OR known.affiliation IN ('owner', 'publisher', 'member'))
ORDER BY name LIMIT :limit;

-- name: count
SELECT count(*) FROM node WHERE ifnull(account_id, 0) = :account AND service = :service;

-- name: count_created
SELECT count(*) FROM node WHERE account_id IS NULL AND service = ? AND creator = ?;

-- name: create
INSERT INTO node (account_id, service, name, creator, created_at, config) VALUES (?, ?, ?, ?, ?, ?);

-- name: configure
UPDATE node SET config = ? WHERE id = ?;

-- name: delete
DELETE FROM node WHERE ifnull(account_id, 0) = :account AND service = :service AND name = :name;

-- name: move
INSERT INTO node_moved (account_id, service, name, uri) VALUES (?, ?, ?, ?);

-- name: moved
SELECT uri FROM node_moved WHERE ifnull(account_id, 0) = :account AND service = :service AND name = :name;

-- name: unmove
DELETE FROM node_moved WHERE ifnull(account_id, 0) = :account AND service = :service AND name = :name;

-- name: trim_moved
DELETE FROM node_moved WHERE ifnull(account_id, 0) = :account AND service = :service AND id <= (
    SELECT id FROM node_moved WHERE ifnull(account_id, 0) = :account AND service = :service
    ORDER BY id DESC LIMIT 1 OFFSET :keep
);

-- name: affiliations
SELECT address, affiliation FROM node_affiliation WHERE node_id = ? ORDER BY address;

-- name: put_affiliation
INSERT INTO node_affiliation (node_id, address, affiliation) VALUES (?, ?, ?)
ON CONFLICT (node_id, address) DO UPDATE SET affiliation = excluded.affiliation;

-- name: delete_affiliation
DELETE FROM node_affiliation WHERE node_id = ? AND address = ?;

-- name: affiliations_of
-- A cross join keeps its order: from the few of an address, not from the many of a service.
SELECT name, affiliation FROM node_affiliation CROSS JOIN node ON node.id = node_id
WHERE address = :address AND ifnull(account_id, 0) = :account AND service = :service ORDER BY name;

-- name: naming
SELECT DISTINCT node.id, ifnull(account_id, 0) FROM node JOIN (
    SELECT node_id FROM node_affiliation WHERE address = :address
    UNION SELECT node_id FROM node_subscription WHERE address = :address
) ON node_id = node.id ORDER BY node.id;

-- name: forget_affiliations
DELETE FROM node_affiliation WHERE address = ?;

-- name: forget_subscriptions
DELETE FROM node_subscription WHERE address = ?;

-- name: delete_ownerless
DELETE FROM node WHERE id = :id AND account_id IS NULL AND NOT EXISTS (
    SELECT 1 FROM node_affiliation WHERE node_id = :id AND affiliation = 'owner'
);

-- name: subscriptions
SELECT jid, state, options FROM node_subscription WHERE node_id = ? ORDER BY jid;

-- name: put_subscription
INSERT INTO node_subscription (node_id, jid, address, state, options) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (node_id, jid) DO UPDATE SET state = excluded.state, options = excluded.options;

-- name: delete_subscription
DELETE FROM node_subscription WHERE node_id = ? AND jid = ?;

-- name: has_subscriptions
SELECT 1 FROM node JOIN node_subscription ON node_id = node.id
WHERE ifnull(account_id, 0) = :account AND service = :service LIMIT 1;

-- name: subscriptions_of
SELECT name, jid, state, options FROM node_subscription CROSS JOIN node ON node.id = node_id
WHERE address = :address AND ifnull(account_id, 0) = :account AND service = :service ORDER BY name, jid;

-- name: temporary_subscriptions
SELECT ifnull(account_id, 0), ifnull(account.address, service), name, jid, state, options FROM node_subscription
CROSS JOIN node ON node.id = node_id LEFT JOIN account ON account.id = account_id
WHERE node_subscription.address = ? AND json_extract(options, '$.is_temporary') = 1 ORDER BY node_id, jid;

-- name: has_passing
SELECT EXISTS (SELECT 1 FROM node WHERE json_extract(config, '$.purge_offline') = 1)
    OR EXISTS (SELECT 1 FROM node_subscription WHERE json_extract(options, '$.is_temporary') = 1);

-- name: add_item
INSERT INTO node_item (node_id, id, created, publisher, published_at, payload) VALUES (?, ?, ?, ?, ?, ?);

-- name: stamp_item
UPDATE node_item SET created = position WHERE position = ?;

-- name: created
SELECT created FROM node_item WHERE node_id = ? AND id = ?;

-- name: delete_item
DELETE FROM node_item WHERE node_id = ? AND id = ?;

-- name: trim
DELETE FROM node_item WHERE node_id = :node AND position <= (
    SELECT position FROM node_item WHERE node_id = :node ORDER BY position DESC LIMIT 1 OFFSET :keep
) RETURNING id;

-- name: count_items
SELECT count(*) FROM node_item WHERE node_id = ?;

-- name: purged_offline
-- From the few nodes of this kind, however many there are.
SELECT node.name, node_item.id FROM node INDEXED BY node_purged_offline JOIN node_item ON node_id = node.id
WHERE json_extract(config, '$.purge_offline') = 1 AND ifnull(account_id, 0) = :account AND service = :service
    AND (publisher = :address OR substr(publisher, 1, length(:address) + 1) = :address || '/')
ORDER BY node.name, position;

-- name: marks
SELECT id, position, created, length(payload) FROM node_item
WHERE node_id = ? AND published_at >= ? ORDER BY position;

-- name: item
SELECT id, publisher, published_at, payload FROM node_item WHERE node_id = ? AND id = ?;

-- name: purge
DELETE FROM node_item WHERE node_id = ?;

-- name: expiring
SELECT id, json_extract(config, '$.item_expire_s') FROM node WHERE json_extract(config, '$.item_expire_s') > 0;

-- name: expire
DELETE FROM node_item WHERE node_id = ? AND published_at < ?;
