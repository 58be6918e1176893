-- name: all
SELECT DISTINCT digest FROM upload WHERE state = 'complete' ORDER BY digest;
