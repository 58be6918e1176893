-- name: all
SELECT terms FROM partner ORDER BY domain;

-- name: find
SELECT terms FROM partner WHERE domain = ?;

-- name: put
INSERT INTO partner (domain, terms) VALUES (:domain, :terms)
ON CONFLICT (domain) DO UPDATE SET terms = excluded.terms;

-- name: note
INSERT INTO partner_change (domain, at, by, action, terms) VALUES (:domain, :at, :by, :action, :terms);

-- name: history
SELECT id, at, by, action, terms FROM partner_change ORDER BY id DESC LIMIT :limit;

-- name: history_of
SELECT id, at, by, action, terms FROM partner_change WHERE domain = :domain ORDER BY id DESC LIMIT :limit;
