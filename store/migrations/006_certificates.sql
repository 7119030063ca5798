-- What client certificates of devices needs.
select 1;
