-- What client certificates of devices needs: the SHA-256 of the leaf's DER bytes.
alter table device add column cert_sha256 bytea check (octet_length(cert_sha256) = 32),
    add constraint device_cert_sha256_key unique (cert_sha256);
