-- name: confidentiality
SELECT confidentiality FROM conversation WHERE first = ? AND second = ?;

-- name: raise_confidentiality
INSERT INTO conversation (first, second, confidentiality) VALUES (?, ?, ?)
ON CONFLICT (first, second) DO UPDATE SET confidentiality = excluded.confidentiality
WHERE excluded.confidentiality > confidentiality;
