-- What is wrong with a quarantined payload by codes and what goes into their sentences, so that it can be read
-- in any language; rows of before have their English detail alone.
alter table quarantine add column faults jsonb not null default '[]';
