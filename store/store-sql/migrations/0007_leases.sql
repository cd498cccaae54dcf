-- Who alone may write a blob or remove a container for a while: `["id", seconds, ends, breaking]`.
ALTER TABLE containers ADD COLUMN lease TEXT;
ALTER TABLE blobs ADD COLUMN lease TEXT;
