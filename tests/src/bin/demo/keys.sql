-- After loading.
alter table partsupp add primary key (ps_partkey, ps_suppkey);
alter table customer add primary key (tenant_id, c_custkey);
alter table orders add primary key (tenant_id, o_orderkey),
    add foreign key (tenant_id, o_custkey) references customer;
alter table lineitem add primary key (tenant_id, l_orderkey, l_linenumber),
    add foreign key (tenant_id, l_orderkey) references orders;
analyze;
