create role odbc_acme login in role tenant_user;
select tenant.bind_role('odbc_acme', 'acme');
