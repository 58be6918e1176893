-- What ends when somebody goes offline is looked for whenever somebody does, and there is little of it.
CREATE INDEX node_purged_offline ON node (service) WHERE json_extract(config, '$.purge_offline') = 1;
CREATE INDEX node_subscription_temporary ON node_subscription (address)
    WHERE json_extract(options, '$.is_temporary') = 1;
