-- What presence and silence needs.
select 1;
