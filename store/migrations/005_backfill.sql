-- What bulk back-fill needs.
select 1;
