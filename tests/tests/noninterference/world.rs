//! Two databases: for the tenants that are watched the same rows, for the others different ones.

use pg_tenant_tests::{Cluster, Database, Session};

use crate::lane::Lane;
use crate::{told, vaults};

/// Two databases of one server, copies of each other until the rows came.
pub struct Worlds {
    db: Database<'static>,
    other: String,
    /// Reads of what PostgreSQL tells of others, where that is hidden.
    pub told: Vec<String>,
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum World {
    /// Strangers with many rows, such that casts and divisions fail on them.
    Crowded,
    /// Other strangers, with few rows.
    Sparse,
}

/// A tenant of both worlds that nobody may enter.
pub const FROZEN: &str = "frozen";
/// A tenant that has rows in the crowded world alone.
const STRANGER: &str = "2001";
/// The tenant with which sessions work beside those that are watched.
pub const BUSY: &str = "2002";

impl Worlds {
    /// `plant` is run in both worlds, by a superuser and without guards, before the rows come.
    pub async fn new(name: &str, lanes: &[Lane], plant: &str) -> Worlds {
        let db = pg_tenant_tests::database(name).await;
        let owner = db.protector().await;
        owner.run(concat!(include_str!("vaults.sql"), include_str!("schema.sql"))).await;
        for tenant in lanes.iter().map(|lane| lane.tenant).chain([STRANGER, BUSY, FROZEN]) {
            owner.run(&format!("select tenant.create('{tenant}')")).await;
        }
        owner.run(&format!("select tenant.suspend('{FROZEN}', 'unpaid')")).await;
        let superuser = db.superuser().await;
        for lane in lanes.iter().filter(|lane| lane.bound) {
            let role = lane.role(&db.roles.app);
            let create = format!("create role {role} login in role tenant_user, {}", db.roles.app);
            superuser.run(&format!("{create}; select tenant.bind_role('{role}', '{}')", lane.tenant)).await;
        }
        for lane in lanes {
            // For EXPLAIN: where the plans are the same, more is compared.
            let role = lane.role(&db.roles.app);
            superuser.run(&format!("alter role {role} set pg_tenant.side_channels = allow")).await;
        }
        superuser.run(&format!("set pg_tenant.guards = off; {plant}")).await;
        drop((owner, superuser));
        let worlds = Worlds { other: format!("{}_other", db.name), db, told: Vec::new() };
        let server = Cluster::shared().superuser().await;
        Cluster::shared().until_left(&worlds.db.name).await;
        server.run(&format!("create database {} template {}", worlds.other, worlds.db.name)).await;
        for world in [World::Crowded, World::Sparse] {
            worlds.connect(world, "postgres").await.run(&rows(world, lanes)).await;
        }
        worlds
    }

    /// From the next login on lanes are hidden what tells of others, and read it.
    pub async fn hide(&mut self, lanes: &[Lane]) {
        let superuser = self.superuser(World::Sparse).await;
        for lane in lanes {
            let role = lane.role(&self.db.roles.app);
            superuser.run(&format!("alter role {role} reset pg_tenant.side_channels")).await;
        }
        self.told = told::reads(&superuser).await;
    }

    /// A session of a lane.
    pub async fn enter(&self, world: World, lane: &Lane) -> Session {
        self.connect(world, &lane.role(&self.db.roles.app)).await
    }

    /// A superuser's.
    pub async fn superuser(&self, world: World) -> Session {
        self.connect(world, "postgres").await
    }

    async fn connect(&self, world: World, role: &str) -> Session {
        let name = if world == World::Crowded { &self.db.name } else { &self.other };
        Session::connect(&Cluster::shared().config(name, role)).await
    }
}

/// The rows come in another order in each world, and lie elsewhere.
fn rows(world: World, lanes: &[Lane]) -> String {
    let watched: Vec<String> = lanes
        .iter()
        .map(|lane| fill(lane.tenant, lane.uuid, 1, 40, false) + ";" + &vaults::watched(lane, lanes))
        .collect();
    let stranger = |tenant: &str, from, to| {
        fill(tenant, tenant.len() > 30, from, to, true) + ";" + &vaults::hidden(tenant, lanes, (from, to))
    };
    let uuid = |n: u32| format!("00000000-0000-4000-8000-{n:012}");
    let work = match world {
        World::Crowded => {
            let create = format!("select tenant.create('{}'), tenant.create('2003');", uuid(9));
            let before = stranger(STRANGER, 1, 1500) + &stranger(&uuid(9), 1, 600);
            create
                + &before
                + &watched.concat()
                + &stranger(STRANGER, 1501, 2000)
                + &stranger("2003", 1, 40)
                + &stranger(BUSY, 1, 60)
        }
        World::Sparse => {
            let watched: String = watched.into_iter().rev().collect();
            format!("select tenant.create('{}');", uuid(8)) + &watched + &stranger(&uuid(8), 1, 3)
        }
    };
    format!(
        "set session_replication_role = replica; {} {work} reset session_replication_role; {} analyze;",
        vaults::SHARED,
        vaults::IN_ORDER
    )
}

/// The rows `from` to `to` of one tenant; with `poison` on which what is harmless for others fails.
fn fill(tenant: &str, uuid: bool, from: u32, to: u32, poison: bool) -> String {
    let (series, salt) = (format!("from generate_series({from}, {to}) i;"), if poison { 7 } else { 1 });
    let (raw, n) = if poison { ("'secret ' || i", "i % 2") } else { ("(i * 3 % 50)::text", "1 + i % 5") };
    let last = if uuid {
        format!("insert into files select '{tenant}', i, i * {salt} % 300, 'path/' || i {series}")
    } else {
        format!("insert into ledger select {tenant}, i, i * {salt} % 90, 'memo ' || i {series}")
    };
    let t = format!("'{tenant}'");
    let domain = if poison && tenant != STRANGER { tenant } else { "example.org" };
    // Keys that are one for all, and the same in both worlds; strangers know those who are watched, too.
    let person = format!("('x' || substr(md5({t}), 1, 6))::bit(24)::int % 20000 * 100000 + 10 + i");
    let elsewhere = if poison {
        format!("insert into belonging select {t}, id from people on conflict do nothing;")
    } else {
        "".into()
    };
    format!(
        "insert into customers select {t}, i, 'c' || i || '@{domain}', 'name ' || i * {salt} % 13, i * {salt} * 37 % 400,
            (array['eur', 'usd', null])[1 + i % 3] {series}
         insert into orders select {t}, i, 1 + (i * 7 + {salt}) % {to}, i * {salt} * 91 % 1000, nullif('note ' || i % 9, 'note 0')
            {series}
         insert into payments select {t}, i, 1 + i * 3 % {to}, nullif(i % {to}, 0), i * {salt} % 70 {series}
         insert into events select {t}, i, i * 11 % 250, 'kind ' || i % 4, i * {salt} % 60 {series}
         insert into visits select {t}, i, 'page ' || i % 6, i * {salt} % 600 {series}
         insert into machines select {t}, i, 'label ' || i % 5, i * {salt} % 80 {series}
         insert into robots select {t}, 1000 + i, 'robot ' || i % 5, i * {salt} % 80, i % 3 {series}
         insert into facts select {t}, i, {raw}, {n} {series}
         insert into predefined select {t}, i, 'code ' || i % 7, i * {salt} % 90 {series}
         insert into people select {person}, 'person ' || i * {salt} % 13, i * {salt} * 3 % 80 {series}
         insert into belonging select {t}, {person} {series}
         insert into people values (7, 'everybody', 77) on conflict do nothing;
         insert into belonging values ({t}, 7) on conflict do nothing;
         {elsewhere}
         {last}"
    )
}
