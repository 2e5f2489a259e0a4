//! A hardened key is the old one with the tenant in front: name, predicate, expressions, collation, included columns,
//! storage, deferrability, actions, comments, replica identity all stay.

use super::fixture::{A, keys, stage};
use pg_tenant_tests::Install;

/// What `keys` says of the tables before and after, line by line.
async fn becomes(name: &str, ddl: &str, lines: &[(&str, &str)]) {
    let (_db, owner) = stage(name).await;
    owner.run(ddl).await;
    let before = keys(&owner).await;
    owner.run("select tenant.protect_schema('public', harden => true)").await;
    let after = keys(&owner).await;
    for (was, is) in lines {
        assert!(before.contains(was), "{was} is not in\n{before}");
        assert!(after.contains(is), "{is} is not in\n{after}");
    }
}

#[tokio::test]
async fn of_an_index() {
    becomes(
        "of_an_index",
        "create table t (tenant_id uuid, id int not null, a text, b text, primary key (id) include (a) with (fillfactor = 80));
         create unique index part on t (lower(a) collate \"C\" text_pattern_ops desc nulls last, b) where id > 3;
         create unique index \"Od d USING btree (\" on t (b) include (tenant_id, a);
         create unique index whole on t (id);
         alter table t replica identity using index whole, cluster on whole;
         comment on index part is 'said';
         alter table t add constraint put_off unique (a) deferrable initially deferred;
         alter table t add unique nulls not distinct (b);
         comment on constraint put_off on t is 'it''s late'",
        &[
            ("t_pkey PRIMARY KEY (id) INCLUDE (a)", "t_pkey PRIMARY KEY (tenant_id, id) INCLUDE (a)"),
            ("(id) INCLUDE (a) WITH (fillfactor='80')", "(tenant_id, id) INCLUDE (a) WITH (fillfactor='80')"),
            (
                "part ON public.t USING btree (lower(a) COLLATE \"C\" text_pattern_ops DESC NULLS LAST, b) WHERE (id > 3)falsefalsetruesaid",
                "part ON public.t USING btree (tenant_id, lower(a) COLLATE \"C\" text_pattern_ops DESC NULLS LAST, b) WHERE (id > 3)falsefalsetruesaid",
            ),
            (
                "\"Od d USING btree (\" ON public.t USING btree (b) INCLUDE (tenant_id, a)",
                "\"Od d USING btree (\" ON public.t USING btree (tenant_id, b) INCLUDE (a)",
            ),
            ("whole ON public.t USING btree (id)truetruetrue", "whole ON public.t USING btree (tenant_id, id)truetruetrue"),
            (
                "put_off UNIQUE (a) DEFERRABLE INITIALLY DEFERRED it's late",
                "put_off UNIQUE (tenant_id, a) DEFERRABLE INITIALLY DEFERRED it's late",
            ),
            ("UNIQUE NULLS NOT DISTINCT (b)", "UNIQUE NULLS NOT DISTINCT (tenant_id, b)"),
        ],
    )
    .await;
}

#[tokio::test]
async fn of_a_reference() {
    becomes(
        "of_a_reference",
        "create table p (tenant_id uuid, id int primary key, a int, b int, unique (a, b));
         create table c (tenant_id uuid, x int, y int,
            constraint nulls foreign key (x) references p on delete set null,
            constraint one_null foreign key (x, y) references p (a, b) on delete set null (y),
            constraint defaults foreign key (x) references p on delete set default,
            constraint follows foreign key (x) references p on update cascade on delete restrict deferrable initially deferred,
            constraint whole foreign key (y, x) references p (a, b) match full);
         alter table c add constraint old foreign key (y) references p not valid;
         comment on constraint old on c is 'unchecked';
         create table n (tenant_id uuid, x int not null, y int not null, constraint all_there foreign key (x, y) references p (a, b) match full);
         create table own (tenant_id uuid, id int primary key, up int references own, long_name_of_a_column_that_is_referenced int
            constraint \"a constraint with a very long name, so that nothing can be added\" references own)",
        &[
            ("nulls FOREIGN KEY (x)", "nulls FOREIGN KEY (tenant_id, x) REFERENCES p(tenant_id, id) ON DELETE SET NULL (x)"),
            ("one_null FOREIGN KEY (x, y)", "one_null FOREIGN KEY (tenant_id, x, y) REFERENCES p(tenant_id, a, b) ON DELETE SET NULL (y)"),
            ("defaults FOREIGN KEY (x)", "defaults FOREIGN KEY (tenant_id, x) REFERENCES p(tenant_id, id) ON DELETE SET DEFAULT (x)"),
            (
                "follows FOREIGN KEY (x)",
                "follows FOREIGN KEY (tenant_id, x) REFERENCES p(tenant_id, id) ON UPDATE CASCADE ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED",
            ),
            // All or none of x and y: the tenant is always there, so a check says it.
            ("whole FOREIGN KEY (y, x)", "whole FOREIGN KEY (tenant_id, y, x) REFERENCES p(tenant_id, a, b) "),
            ("c whole", "c whole_match CHECK ((num_nulls(y, x) = ANY (ARRAY[0, 2]))) NO INHERIT"),
            ("old FOREIGN KEY (y) REFERENCES p(id) NOT VALID unchecked", "old FOREIGN KEY (tenant_id, y) REFERENCES p(tenant_id, id) NOT VALID unchecked"),
            ("all_there", "all_there FOREIGN KEY (tenant_id, x, y) REFERENCES p(tenant_id, a, b) MATCH FULL"),
            ("a constraint with a very long name", "own a constraint with a very long name, so that nothing can be adde FOREIGN KEY (tenant_id, "),
        ],
    )
    .await;
}

#[tokio::test]
async fn set_null_takes_the_tenant() {
    let (db, owner) = stage("set_null").await;
    owner
        .run(
            "create table p (tenant_id uuid, id int primary key);
             create table c (tenant_id uuid, p int references p on delete set null);
             select tenant.protect_schema('public', harden => true)",
        )
        .await;
    let app = db.app().await;
    app.inside(A, "insert into p (id) values (1); insert into c (p) values (1); delete from p").await;
    let row = app.inside(A, "select tenant_id, p from c").await;
    assert_eq!(row, [[Some(A.to_owned()), None]]);
}

#[tokio::test]
async fn of_what_18_brought() {
    if Install::current().is_before(18, "WITHOUT OVERLAPS") || Install::current().lacks("btree_gist") {
        return;
    }
    becomes(
        "eighteen_keys",
        "create extension btree_gist;
         create table p (tenant_id uuid, id int, during daterange, primary key (id, during without overlaps));
         create table c (tenant_id uuid, p int, during daterange, foreign key (p, period during) references p);
         create table q (tenant_id uuid, id int primary key);
         create table r (tenant_id uuid, q int, constraint loose foreign key (q) references q not enforced)",
        &[
            (
                "PRIMARY KEY (id, during WITHOUT OVERLAPS)",
                "p_pkey PRIMARY KEY (tenant_id, id, during WITHOUT OVERLAPS)",
            ),
            (
                "FOREIGN KEY (p, PERIOD during)",
                "FOREIGN KEY (tenant_id, p, PERIOD during) REFERENCES p(tenant_id, id, PERIOD during)",
            ),
            (
                "loose FOREIGN KEY (q) REFERENCES q(id) NOT ENFORCED",
                "loose FOREIGN KEY (tenant_id, q) REFERENCES q(tenant_id, id) NOT ENFORCED",
            ),
        ],
    )
    .await;
}
