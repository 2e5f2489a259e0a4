-- A copy of the shop in test mode.
\set shop :DBNAME
\c postgres
create database test_alchemy template :"shop";
alter database test_alchemy set pg_tenant.test_mode = on;
