//! What changes something, after a question: a reason, which goes into the journal, and Enter.

use ratatui::crossterm::event::KeyCode;

use crate::live::{Database, Fault, Look, text};

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    pub kind: Kind,
    pub tenant: String,
    pub value: String,
    pub reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Suspend,
    Resume,
    ReadOnly,
    /// How long its statements may take, or how many transactions it has, at once (`c8`) or a second (`t50`).
    Limit,
}

/// Asked before anything is done.
pub struct Question {
    kind: Kind,
    tenant: String,
    /// Of a limit: how much, which is asked for first.
    value: Option<String>,
    /// What is being typed.
    typed: String,
}

/// What a reason has at most.
const LONGEST: usize = 200;

impl Question {
    pub fn of(letter: char, tenant: String) -> Option<Question> {
        let kind = match letter {
            's' => Kind::Suspend,
            'u' => Kind::Resume,
            'o' => Kind::ReadOnly,
            'l' => Kind::Limit,
            _ => return None,
        };
        Some(Question { kind, tenant, value: None, typed: String::new() })
    }

    fn asks_value(&self) -> bool {
        self.kind == Kind::Limit && self.value.is_none()
    }

    pub fn text(&self) -> String {
        let (tenant, typed) = (&self.tenant, &self.typed);
        let what = match self.kind {
            Kind::Suspend => format!("Suspend {tenant}?"),
            Kind::Resume => format!("Make {tenant} active?"),
            Kind::ReadOnly => format!("Make {tenant} read-only?"),
            Kind::Limit if self.asks_value() => {
                return format!(
                    "{tenant}: 500 = ms a statement, c8 = 8 transactions at once, t50 = 50 a second: {typed}_"
                );
            }

            Kind::Limit => format!("Limit {tenant}?"),
        };
        format!("{what} Reason (Enter does it, Esc does not): {typed}_")
    }

    /// None while it is being answered; then what is to be done, or nothing.
    pub fn key(&mut self, key: KeyCode) -> Option<Option<Action>> {
        match key {
            KeyCode::Esc => return Some(None),
            KeyCode::Backspace => {
                self.typed.pop();
            }
            KeyCode::Char(c)
                if self.asks_value() && !(c.is_ascii_digit() || self.typed.is_empty() && ['c', 't'].contains(&c)) => {}
            KeyCode::Char(c) if !c.is_control() && self.typed.chars().count() < LONGEST => self.typed.push(c),
            KeyCode::Enter if self.asks_value() => self.value = Some(std::mem::take(&mut self.typed)),
            KeyCode::Enter if !self.typed.trim().is_empty() => {
                let value = self.value.clone().unwrap_or_default();
                let reason = self.typed.trim().to_owned();
                return Some(Some(Action { kind: self.kind, tenant: self.tenant.clone(), value, reason }));
            }
            _ => {}
        }
        None
    }
}

impl Action {
    /// A limit that all its sessions share: its name, and how much; nothing takes it away.
    fn shared(&self) -> Option<(&'static str, &str)> {
        let of = |letter, name| Some((name, self.value.strip_prefix(letter)?));
        (self.kind == Kind::Limit)
            .then(|| of('c', "concurrent_transactions").or_else(|| of('t', "transactions_per_second")))?
    }

    /// Does it, and says so.
    pub async fn perform(&self, database: &Database) -> Result<String, Fault> {
        let (sql, said) = match self.kind {
            Kind::Suspend => ("select tenant.suspend($1::text, $2)::text", "is suspended"),
            Kind::Resume => ("select tenant.resume($1::text, $2)::text", "is active"),
            Kind::ReadOnly => ("select tenant.set_read_only($1::text, $2)::text", "is read-only"),
            Kind::Limit if self.shared().is_some() => (
                "select case when $3 = '' then tenant.drop_limit($1::text, $4)::text
                    else tenant.set_limit($1::text, $4, $3::bigint)::text end
                where set_config('tenant.reason', $2, true) is not null",
                "has its limit",
            ),
            Kind::Limit => (
                "select tenant.set_limits($1::text, nullif($3, '')::bigint * interval '1 ms',
                    t.lock_timeout_ms * interval '1 ms', t.idle_in_transaction_session_timeout_ms * interval '1 ms',
                    t.work_mem_kb || 'kB', t.read_only)::text
                from tenant.tenants t where t.id = $1 and set_config('tenant.reason', $2, true) is not null",
                "has its limit",
            ),
        };
        let mut given = vec![self.tenant.as_str(), &self.reason];
        match self.shared() {
            Some((name, most)) => given.extend([most, name]),
            None => given.extend((self.kind == Kind::Limit).then_some(self.value.as_str())),
        }
        let mut connection = database.connection().await?;
        let tx = Database::begin(&mut connection, Look::Change).await?;
        text(&tx, sql, &given).await?;
        tx.commit().await?;
        Ok(format!("{} {said}.", self.tenant))
    }
}
