grant select on orders to odbc_acme;
