-- Without preload there are no hooks and no settings: refuse to install.
\echo Use "create extension pg_tenant" to load this file. \quit
do $$
begin
    if not coalesce((select context = 'superuser' from pg_catalog.pg_settings where name = 'pg_tenant.id'), false) then
        raise exception using
            errcode = 'TN010',
            message = 'pg_tenant is not preloaded',
            detail = 'Its hooks are not in place, so nothing of it could be relied on.',
            hint = 'Add pg_tenant to shared_preload_libraries in postgresql.conf and restart the server.';
    end if;
end
$$;
