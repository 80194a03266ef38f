-- The claim that made the placement, until somebody who put the blob under it has named it; then 0.
ALTER TABLE placements ADD COLUMN claim INTEGER NOT NULL DEFAULT 0;
