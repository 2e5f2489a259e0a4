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

-- Objects that are in the schema already would be found before PostgreSQL's own by the code below, and the owner of the
-- schema could replace the code.
do $$
begin
    if exists (select from pg_catalog.pg_namespace n join pg_catalog.pg_roles r on r.oid = n.nspowner
            where n.nspname = 'tenant' and not r.rolsuper) then
        raise exception using
            errcode = 'TN038',
            message = 'schema "tenant" belongs to a role that is not a superuser',
            detail = 'Its owner could exchange what the extension puts there.',
            hint = 'alter schema tenant owner to current_user; or drop it.';
    end if;
    if exists (select from pg_catalog.pg_depend where refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
            and refobjid = 'tenant'::pg_catalog.regnamespace
            and not (classid = 'pg_catalog.pg_extension'::pg_catalog.regclass)) then
        raise exception using
            errcode = 'TN038',
            message = 'schema "tenant" is not empty',
            detail = 'What is there would stand before PostgreSQL''s own functions.',
            hint = 'drop schema tenant cascade; create extension pg_tenant;';
    end if;
    if exists (select from pg_catalog.pg_namespace where nspname = 'tenant_internal') then
        raise exception using
            errcode = 'TN038',
            message = 'schema "tenant_internal" exists already',
            detail = 'The extension makes it, so that nobody else''s function is in it.',
            hint = 'drop schema tenant_internal cascade; create extension pg_tenant;';
    end if;
end
$$;
