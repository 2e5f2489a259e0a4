-- The tenant of a transaction: the way in, and the readers that policies call.

create function tenant.enter(id uuid) returns text language sql volatile parallel unsafe
    begin atomic select tenant.enter(id::text); end;
revoke all on function tenant.enter(uuid) from public;
grant execute on function tenant.enter(uuid) to tenant_user;

create function tenant.enter(id bigint) returns text language sql volatile parallel unsafe
    begin atomic select tenant.enter(id::text); end;
revoke all on function tenant.enter(bigint) from public;
grant execute on function tenant.enter(bigint) to tenant_user;
