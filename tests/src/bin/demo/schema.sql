-- The tables of TPC-H. What belongs to a customer has a tenant; keys and references carry it.
create table region (r_regionkey bigint primary key, r_name text, r_comment text);
create table nation (n_nationkey bigint primary key, n_name text, n_regionkey bigint, n_comment text);
create table part (p_partkey bigint primary key, p_name text, p_mfgr text, p_brand text, p_type text, p_size integer,
    p_container text, p_retailprice numeric, p_comment text);
create table supplier (s_suppkey bigint primary key, s_name text, s_address text, s_nationkey bigint, s_phone text,
    s_acctbal numeric, s_comment text);
create table partsupp (ps_partkey bigint, ps_suppkey bigint, ps_availqty integer, ps_supplycost numeric, ps_comment text);
create table customer (tenant_id uuid not null, c_custkey bigint, c_name text, c_address text, c_nationkey bigint,
    c_phone text, c_acctbal numeric, c_mktsegment text, c_comment text);
create table orders (tenant_id uuid not null, o_orderkey bigint, o_custkey bigint, o_orderstatus text,
    o_totalprice numeric, o_orderdate date, o_orderpriority text, o_clerk text, o_shippriority integer, o_comment text);
create table lineitem (tenant_id uuid not null, l_orderkey bigint, l_partkey bigint, l_suppkey bigint,
    l_linenumber integer, l_quantity bigint, l_extendedprice numeric, l_discount numeric, l_tax numeric,
    l_returnflag text, l_linestatus text, l_shipdate date, l_commitdate date, l_receiptdate date, l_shipinstruct text,
    l_shipmode text, l_comment text);
