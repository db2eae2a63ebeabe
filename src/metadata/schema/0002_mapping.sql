-- Collections that a store keeps otherwise than their users see them.
CREATE TABLE mapping (
  store       TEXT NOT NULL,
  collection  TEXT NOT NULL,
  source      TEXT NOT NULL,  -- the schema that users see
  mapping     TEXT NOT NULL,
  PRIMARY KEY (store, collection)
) WITHOUT ROWID;
