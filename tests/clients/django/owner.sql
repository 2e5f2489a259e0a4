create table shop_forgotten (tenant_id text, id bigint primary key);
