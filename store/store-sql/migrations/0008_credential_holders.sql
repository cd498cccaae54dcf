-- Which of the two objects of a client holds it. What was there belonged to the application; keys of machines have no
-- application, and go with their principal whatever stands here.
ALTER TABLE credentials ADD COLUMN holder TEXT NOT NULL DEFAULT 'application';
