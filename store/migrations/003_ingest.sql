-- What the ingest path needs.
select 1;
