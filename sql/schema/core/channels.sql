-- NOTIFY channels that all tenants share, for example to wake a worker. An administrator declares them. A tenant's
-- notification carries no payload, or its tenant id where that was declared.

create table tenant.channels (
    channel text primary key check (channel <> '' and octet_length(channel) < 64),
    payload text not null default 'none' check (payload in ('none', 'tenant')),
    reason text not null,
    allowed_at timestamptz not null default now(),
    allowed_by name not null default current_user
);
comment on table tenant.channels is 'Channels that tenants may NOTIFY beside their own, what is sent on them, and why.';
grant select, delete on tenant.channels to tenant_admin;
grant insert (channel, payload, reason), update (payload, reason) on tenant.channels to tenant_admin;
select pg_catalog.pg_extension_config_dump('tenant.channels', '');

-- Each change needs a reason and is written to the journal. pg_restore is exempt: it restores the journal as well.
create function tenant_internal.channel_changed() returns trigger
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if current_setting('row_security') = 'off' and (select rolsuper from pg_roles where rolname = current_user) then
        return null;
    end if;
    if tg_op <> 'DELETE' then
        perform tenant_internal.require_reason(new.reason), tenant_internal.require_plain('the channel', new.channel);
    end if;
    insert into tenant.journal (action, object, reason, detail) values (
        case tg_op when 'DELETE' then 'disallow_channel' else 'allow_channel' end, coalesce(new.channel, old.channel),
        coalesce(nullif(current_setting('tenant.reason', true), ''), new.reason),
        case when tg_op <> 'DELETE' then jsonb_build_object('payload', new.payload) end);
    return null;
end
$$;
revoke all on function tenant_internal.channel_changed() from public;

create function tenant.allow_channel(channel text, reason text, payload text default 'none') returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
begin
    perform tenant_internal.give_reason(reason);
    if payload is null or payload not in ('none', 'tenant') then
        raise exception using
            errcode = '22023',
            message = format('a channel has no payload of the kind %L', payload),
            detail = 'What a tenant writes there itself would be heard by whoever listens, for every tenant.',
            hint = 'payload => ''none'' sends an empty one, payload => ''tenant'' the id of the tenant.';
    end if;
    insert into tenant.channels as c (channel, payload, reason)
        values (allow_channel.channel, allow_channel.payload, allow_channel.reason)
        on conflict on constraint channels_pkey do update set payload = excluded.payload, reason = excluded.reason;
end
$$;
comment on function tenant.allow_channel is 'Lets tenants NOTIFY a channel that all share. TN029 no reason.';
revoke all on function tenant.allow_channel(text, text, text) from public;
grant execute on function tenant.allow_channel(text, text, text) to tenant_admin;

create function tenant.disallow_channel(channel text, reason text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp set tenant.reason = '' as $$
begin
    perform tenant_internal.give_reason(reason);
    delete from tenant.channels c where c.channel = disallow_channel.channel;
    if not found then
        raise exception using
            errcode = 'TN028',
            message = format('channel %s is not allowed', quote_ident(channel)),
            detail = 'tenant.channels has no such channel.',
            hint = 'select * from tenant.channels; lists those that are.';
    end if;
end
$$;
comment on function tenant.disallow_channel is 'Takes back what allow_channel gave. TN028 not allowed, TN029 no reason.';
revoke all on function tenant.disallow_channel(text, text) from public;
grant execute on function tenant.disallow_channel(text, text) to tenant_admin;

create trigger channel_changed after insert or update or delete on tenant.channels
    for each row execute function tenant_internal.channel_changed();
