//! The five roles of a database: each database has its own, since roles belong to the whole server.

/// Role names, all starting with `regress_`. All may log in; none is a superuser.
#[derive(Clone, Debug)]
pub struct Roles {
    /// Owns the tables: migrations run as this role. Not a member of any `tenant_*` role.
    pub owner: String,
    /// The application: member of `tenant_user`, reads and writes what the owner creates.
    pub app: String,
    /// Protects and manages: member of `tenant_admin`.
    pub admin: String,
    /// Takes dumps: BYPASSRLS, member of `pg_read_all_data`.
    pub backup: String,
    /// Has the application's rights on tables, and no membership.
    pub bystander: String,
}

impl Roles {
    pub(crate) fn of(database: &str) -> Roles {
        let name = |role: &str| format!("regress_{database}_{role}");
        Roles {
            owner: name("owner"),
            app: name("app"),
            admin: name("admin"),
            backup: name("backup"),
            bystander: name("bystander"),
        }
    }

    /// Creates the roles and what they may do; run in the database by a superuser.
    pub(crate) fn sql(&self, extension: bool) -> String {
        let Roles { owner, app, admin, backup, bystander } = self;
        let mut sql = format!(
            "create role {owner} login; create role {app} login; create role {admin} login;
             create role {bystander} login; create role {backup} login bypassrls;
             grant usage, create on schema public to {owner};
             alter default privileges for role {owner}
                grant select, insert, update, delete on tables to {app}, {bystander};
             alter default privileges for role {owner} grant usage on sequences to {app}, {bystander};"
        );
        // What a grant locks is the whole server's. So that two tests never wait for each other in a circle: ours
        // first, in the order that they were made, then PostgreSQL's own.
        if extension {
            sql += &format!("grant tenant_user to {app}; grant tenant_admin to {admin};");
        }
        sql + &format!("grant pg_read_all_data to {backup};")
    }
}
