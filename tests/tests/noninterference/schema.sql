-- What both worlds have: tables in the shape that protection wants, and everything that can stand around a table.
create table currency (code text primary key, rate int not null);
insert into currency values ('eur', 1), ('usd', 2), ('yen', 150);

create table customers (
    tenant_id text, id int, email text not null, name text, balance int not null default 0 check (balance > -1000),
    code text references currency, primary key (tenant_id, id), unique (tenant_id, email));
create index on customers (balance);

create table orders (
    tenant_id text, id int, customer_id int, total int not null check (total < 100000), note text,
    primary key (tenant_id, id),
    foreign key (tenant_id, customer_id) references customers (tenant_id, id) on delete cascade);
create index on orders (tenant_id, total);
create index on orders (total);
create index on orders (customer_id);

create table payments (
    tenant_id text, id int, customer_id int, order_id int, amount int not null, primary key (tenant_id, id),
    foreign key (tenant_id, customer_id) references customers (tenant_id, id) deferrable,
    foreign key (tenant_id, order_id) references orders (tenant_id, id) on delete set null (order_id));

create table events (
    tenant_id text, id int, at int not null, kind text, amount int, primary key (tenant_id, id, at)
) partition by range (at);
create table events_early partition of events for values from (0) to (100);
create table events_later partition of events for values from (100) to (200);
create table events_rest partition of events default;
create index on events (amount);

create table visits (tenant_id text, id int, page text, seconds int, primary key (tenant_id, id))
    partition by hash (tenant_id);
create table visits_0 partition of visits for values with (modulus 2, remainder 0);
create table visits_1 partition of visits for values with (modulus 2, remainder 1);

create table machines (tenant_id text, id int, label text, power int, primary key (tenant_id, id));
create table robots (arms int, primary key (tenant_id, id)) inherits (machines);

-- `raw` is a number and `n` is not zero, in every row of the tenants that are watched; not so in the others'.
create table facts (tenant_id text, id int, raw text not null, n int not null, primary key (tenant_id, id));
create index on facts (raw);

create table ledger (company bigint, id int, amount int, memo text, primary key (company, id));
create table files (owner_id uuid, id int, bytes int, path text, primary key (owner_id, id), unique (owner_id, path));
create table predefined (tenant_id text, id int, code text, rank int, unique (tenant_id, id)); -- rows of nobody are everybody's
create index on predefined (rank);
create table audit (tenant_id text, what text, key int);

-- People belong to several tenants: some to one, one to all of them.
create table people (id int primary key, name text, age int);
create index on people (age);
create table belonging (tenant_id text, id int references people, primary key (tenant_id, id));
create view colleagues with (security_barrier = true) as select p.id, p.name, p.age from people p join belonging b on b.id = p.id;

create view rich with (security_invoker = true) as select id, name, balance from customers where balance > 100;
create view owed as select c.id, c.name, sum(o.total) as total from customers c join orders o on o.customer_id = c.id
    group by c.id, c.name;
create view cheap with (security_barrier = true) as select id, total, note from orders where total < 500;

create function total_of(customer int) returns bigint language sql stable as
    'select coalesce(sum(total), 0) from orders where customer_id = customer';
create function orders_of(customer int) returns table (id int, total int) language sql stable as
    'select id, total from orders where customer_id = customer';
-- Would tell what it is given before the policy is asked, if the planner let it.
create function peek(value text) returns boolean language plpgsql cost 0.0001 parallel safe as
    $$ begin raise notice 'seen: %', value; return true; end $$;
create function describe(customer int) returns text language plpgsql stable as $$
declare found record;
begin
    select name, balance into strict found from customers where id = customer;
    return found.name || ' has ' || found.balance;
exception when no_data_found then return 'nobody';
end $$;
create function transfer(giver int, taker int, amount int) returns int language plpgsql as $$
declare moved int;
begin
    update customers set balance = balance - amount where id = giver;
    update customers set balance = balance + amount where id = taker;
    get diagnostics moved = row_count;
    raise notice '% moved to % customers', amount, moved;
    return moved;
exception when check_violation then
    raise warning 'customer % is too poor', giver;
    return -1;
end $$;
-- With the rights of the tables' owner, for whom the policies are in force as well.
create function counted() returns bigint language sql stable security definer set search_path = public as
    'select count(*) from orders';

create function before_customer() returns trigger language plpgsql as $$
begin
    if new.balance = 666 then raise exception 'customer % is refused', new.id using hint = 'Take 665.'; end if;
    new.name := coalesce(new.name, 'anonymous');
    return new;
end $$;
create trigger before_customer before insert or update on customers for each row execute function before_customer();
create function after_order() returns trigger language plpgsql as $$
begin
    delete from audit where what = tg_op and key = coalesce(new.id, old.id);
    insert into audit (what, key) values (tg_op, coalesce(new.id, old.id));
    return null;
end $$;
create trigger after_order after insert or update or delete on orders for each row execute function after_order();
create function after_payments() returns trigger language plpgsql as $$
begin
    raise notice '% payments of %', (select count(*) from fresh), (select sum(amount) from fresh);
    return null;
end $$;
create trigger after_payments after insert on payments referencing new table as fresh
    for each statement execute function after_payments();

select tenant.protect('belonging'), tenant.protect('belongs');
select tenant.protect_by_membership('people', through => 'belonging');
select tenant.protect_by_membership('folk', 'belongs', 'key', 'key');
select tenant.protect_schema('public', shared_rows => '{predefined, coffers}');
select tenant.protect('ledger', 'company'), tenant.protect('files', 'owner_id');
select tenant.share('currency', 'the same for everybody');
