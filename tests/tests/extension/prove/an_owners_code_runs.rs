//! The proof does not run what the owners of the tables wrote with the rights of the superuser who asks for it.

use super::fixture::proof;
use pg_tenant_tests::database;

/// Everything that an INSERT, a SELECT and their plans run of a table. `spy` says whom it runs as, tries to become the
/// superuser again, and says so once more.
const TABLES: &str = "
    create function spy(note text) returns text language plpgsql as $$ begin
        raise log 'spy: % ran as %', note, current_user;
        begin reset role; exception when others then null; end;
        begin set role postgres; exception when others then null; end;
        begin prepare planted as select 1; exception when others then null; end;
        raise log 'spy: % ran as %', note, current_user;
        return 'x'; end $$;
    create function spy_is(note text) returns boolean language plpgsql immutable as $$ begin
        raise log 'spy: % ran as %', note, current_user; return true; end $$;
    create domain spied as text check (spy('domain') = value or value <> '');
    create table parents (tenant_id uuid, id text primary key default spy('default'), d spied not null);
    create table children (tenant_id uuid, id int primary key, parent text references parents, note text not null,
        g boolean generated always as (spy_is('generated')) stored, check (spy_is('check')));
    create index on children (id) where spy_is('predicate');
    create index on children (spy_is('expression'));
    create view shown as select id, spy('view') as v from children;
    create function spy_trigger() returns trigger language plpgsql as $$ begin perform spy('trigger'); return new; end $$;
    create trigger t before insert on children for each row execute function spy_trigger();
    alter table children enable always trigger t;";

#[tokio::test]
async fn as_the_superuser_who_proves() {
    let db = database("proves").await;
    let (owner, boss) = (db.protector().await, db.superuser().await);
    owner.run(TABLES).await;
    owner.run("select tenant.protect('parents'), tenant.protect('children')").await;
    let (name, said) = (db.roles.owner.clone(), db.cluster().log().len());
    // The hole: what it does by itself, a superuser's insert does.
    boss.run(
        "begin; insert into parents (tenant_id, d) values ('aaaaaaaa-0000-4000-8000-00000000000a', 'd'); rollback",
    )
    .await;
    let log = db.cluster().log();
    assert!(log[said..].contains("spy: default ran as postgres"), "the hole");
    boss.run("deallocate all").await;

    let said = log.len();
    assert_eq!(proof(&boss, "mutate => true", "passed is false").await, [""; 0]);
    let log = db.cluster().log();
    let ran: Vec<_> = log[said..].lines().filter_map(|line| line.split("spy: ").nth(1)).collect();
    let as_boss: Vec<_> = ran.iter().filter(|line| line.ends_with("ran as postgres")).collect();
    assert!(as_boss.is_empty(), "{as_boss:?}");
    for note in ["default", "domain", "generated", "check", "expression", "trigger"] {
        assert!(ran.iter().any(|line| line.starts_with(&format!("{note} ran as {name}"))), "{note}: {ran:?}");
    }
    assert!(ran.iter().any(|line| line.starts_with("view ran as tenant_user")), "{ran:?}");
    assert_eq!(boss.value("select count(*) from pg_prepared_statements").await.as_deref(), Some("0"));
}
