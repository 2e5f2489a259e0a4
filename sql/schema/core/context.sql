-- The tenant of a transaction: the way in, and the readers that policies call.

create function tenant.enter(id uuid) returns text language sql volatile parallel unsafe
    begin atomic select tenant.enter(id::text); end;
revoke all on function tenant.enter(uuid) from public;
grant execute on function tenant.enter(uuid) to tenant_user;

create function tenant.enter(id bigint) returns text language sql volatile parallel unsafe
    begin atomic select tenant.enter(id::text); end;
revoke all on function tenant.enter(bigint) from public;
grant execute on function tenant.enter(bigint) to tenant_user;

-- A client whose statement had an outdated plan rolls back, begins again and sends the statement once more: without
-- anybody noticing, where the transaction had only read.
create function tenant.begin_anew() returns void language plpgsql volatile parallel unsafe as $$
begin
    if not tenant.left_nothing() then
        raise exception using errcode = 'serialization_failure',
            message = 'the transaction cannot be begun anew: the one before it has written, or does not see each commit',
            hint = 'Run the whole transaction again.';
    end if;
end $$;
comment on function tenant.begin_anew() is 'For a client that begins a transaction again in place of one that failed: refuses (40001) unless tenant.left_nothing().';
revoke all on function tenant.begin_anew() from public;
grant execute on function tenant.begin_anew() to tenant_user;
