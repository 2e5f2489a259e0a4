//! Every SQLSTATE of class `TN`, once: the extension raises them, the client matches them, the reference lists them.

macro_rules! refusals {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $condition:literal;)+) => {
        /// Why pg_tenant refused, as the SQLSTATE of the error says it.
        ///
        /// `TN00x` a statement or a transaction, `TN02x` protecting a table, `TN03x` a guard, `TN04x` binding a role,
        /// `TN05x` the registry, `TN06x` a guard of what is new, shared, or outside policies, `TN07x` what belongs to
        /// every tenant, `TN08x` the doctor, `TN09x` signed entry, `TN10x` the texts that a journal keeps, `TN11x`
        /// looking tenants up, `TN13x` states of tenants, `TN14x` their people, `TN15x` their settings, how they are
        /// set up, the journal, and impersonation, `TN17x` what they use.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Refusal { $($(#[doc = $doc])+ $name,)+ }

        impl Refusal {
            /// Every refusal, in the order of its code.
            pub const ALL: &'static [Refusal] = &[$(Refusal::$name,)+];

            /// The SQLSTATE: five characters, class `TN`.
            pub const fn code(self) -> &'static str {
                match self { $(Refusal::$name => $code,)+ }
            }

            /// The condition's name, in the manner of PostgreSQL's own (`no_tenant`).
            pub const fn condition(self) -> &'static str {
                match self { $(Refusal::$name => $condition,)+ }
            }

            /// What the reference says of it: one sentence, no full stop.
            pub const fn summary(self) -> &'static str {
                match self { $(Refusal::$name => concat!($($doc),+).trim_ascii(),)+ }
            }

            /// The refusal with this SQLSTATE, if it is one of ours.
            pub fn from_code(code: &str) -> Option<Refusal> {
                match code { $($code => Some(Refusal::$name),)+ _ => None }
            }
        }
    };
}

refusals! {
    /// A statement touched a protected table while the transaction has no tenant
    NoTenant = "TN001", "no_tenant";
    /// The tenant is not in the registry
    UnknownTenant = "TN002", "unknown_tenant";
    /// The tenant is registered but not active
    TenantNotActive = "TN003", "tenant_not_active";
    /// The text is not a tenant id
    MalformedTenantId = "TN004", "malformed_tenant_id";
    /// The transaction has entered another tenant already
    AlreadyEntered = "TN005", "already_entered";
    /// The session's role is bound to another tenant
    BoundToAnotherTenant = "TN006", "bound_to_another_tenant";
    /// The table is keyed by a type that the current tenant id has no value of
    TenantTypeMismatch = "TN007", "tenant_type_mismatch";
    /// The session carries state from earlier transactions, so a pool must not lend it
    SessionNotPristine = "TN008", "session_not_pristine";
    /// A setting stands above what the tenant was given
    LimitExceeded = "TN009", "limit_exceeded";
    /// The server did not preload the library
    NotPreloaded = "TN010", "not_preloaded";
    /// The statement would run as a role that bypasses row-level security
    PolicyBypassed = "TN011", "policy_bypassed";
    /// The table belongs to a protected one, or was protected, and its protection is incomplete
    ProtectionIncomplete = "TN012", "protection_incomplete";
    /// The session may not enter the system context
    SystemRefused = "TN013", "system_refused";
    /// The transaction has entered a tenant or the system context, and asks for another one of these
    ContextSealed = "TN014", "context_sealed";
    /// A write in a system context that is read-only
    SystemReadOnly = "TN015", "system_read_only";
    /// In a system context, a statement that does not run with its role's own rights
    SystemRoleLeft = "TN016", "system_role_left";
    /// BEGIN in a transaction that has entered a tenant already
    TransactionOpen = "TN017", "transaction_open";
    /// The plan would read a protected table without its fence, so conditions would see every tenant's rows
    FenceMissing = "TN018", "fence_missing";
    /// Not a refusal but a warning: the server is in test mode
    TestMode = "TN019", "test_mode";
    /// A relation of this kind cannot be protected
    UnprotectableRelation = "TN020", "unprotectable_relation";
    /// The table has no such column
    TenantColumnMissing = "TN021", "tenant_column_missing";
    /// The column's type or definition cannot hold a tenant id
    UnsupportedTenantColumn = "TN022", "unsupported_tenant_column";
    /// The column's collation is nondeterministic, so equal is not identical
    NondeterministicCollation = "TN023", "nondeterministic_collation";
    /// The tenant column holds nulls
    TenantColumnHasNulls = "TN024", "tenant_column_has_nulls";
    /// The table is protected already, by another column
    AlreadyProtected = "TN025", "already_protected";
    /// A policy that is not ours has the name of ours
    PolicyNameTaken = "TN026", "policy_name_taken";
    /// A materialized view would hold, or holds, rows of a protected table
    MaterializedRows = "TN027", "materialized_rows";
    /// The table is not protected, or not shared
    NotProtected = "TN028", "not_protected";
    /// The call needs a reason
    ReasonRequired = "TN029", "reason_required";
    /// The command would weaken the protection of a table
    ProtectionGuarded = "TN030", "protection_guarded";
    /// TRUNCATE would remove the rows of every tenant
    TruncateRefused = "TN031", "truncate_refused";
    /// Data definition on a protected table inside a tenant's transaction
    DdlInTenant = "TN032", "ddl_in_tenant";
    /// LOCK on a protected table inside a tenant's transaction, or by a role that does not own it
    LockRefused = "TN033", "lock_refused";
    /// A new table would hold a copy of protected rows without protection
    UnprotectedCopy = "TN034", "unprotected_copy";
    /// A grant or a setting would let sessions choose their own tenant
    SettingRefused = "TN035", "setting_refused";
    /// A session object made in a tenant's transaction would outlive it
    SessionObjectRefused = "TN036", "session_object_refused";
    /// A foreign key to a protected table or to the registry would run its maker's code with other rights
    ForeignKeyRefused = "TN037", "foreign_key_refused";
    /// A schema `tenant` with another owner or with something in it, or `tenant_internal`, was there before the
    /// extension
    UnsafeSchema = "TN038", "unsafe_schema";
    /// A change of a role, of what it is a member of, or of stored settings, by a session that may enter tenants
    RoleChangeRefused = "TN039", "role_change_refused";
    /// The role cannot be bound to a tenant
    RoleNotBindable = "TN040", "role_not_bindable";
    /// The registry has a tenant with this id or slug already
    DuplicateTenant = "TN050", "duplicate_tenant";
    /// A limit's value is out of range
    InvalidLimit = "TN051", "invalid_limit";
    /// Tenants stay in the registry and keep their ids
    TenantKept = "TN052", "tenant_kept";
    /// A tenant's slug or settings are malformed
    InvalidTenant = "TN053", "invalid_tenant";
    /// Tables of one hierarchy belong to several roles
    SeveralOwners = "TN054", "several_owners";
    /// A tenant's transaction would take more advisory locks than it may
    TooManyLocks = "TN055", "too_many_locks";
    /// No lookup of tenants by this column is declared, or what was declared is not there any more
    LookupNotDeclared = "TN056", "lookup_not_declared";
    /// Tenants cannot be looked up by this column
    LookupNotPossible = "TN057", "lookup_not_possible";
    /// More lookups in a minute, or more rows of one value, than are told
    LookupLimited = "TN058", "lookup_limited";
    /// A new table or view would show rows of a protected table without its protection
    NewTableRefused = "TN060", "new_table_refused";
    /// A trigger of somebody else's on a protected table
    TriggerRefused = "TN061", "trigger_refused";
    /// The statement would tell of other tenants' rows or sessions
    SideChannelRefused = "TN062", "side_channel_refused";
    /// An advisory lock or a notification under a name that all tenants share
    SharedNameRefused = "TN063", "shared_name_refused";
    /// The function works on what no policy covers, inside a tenant's transaction
    FunctionRefused = "TN064", "function_refused";
    /// The relation holds rows that no policy covers
    UncoveredRelation = "TN065", "uncovered_relation";
    /// A temporary table stands in front of a protected one, or a temporary relation or type in front of another name
    ShadowedTable = "TN066", "shadowed_table";
    /// COPY with a file or a program of the server inside a tenant's transaction
    ServerFileRefused = "TN067", "server_file_refused";
    /// The row that an INSERT … ON CONFLICT meets is another tenant's
    RowOfAnotherTenant = "TN068", "row_of_another_tenant";
    /// The relation is no table of the application's and holds what belongs to every tenant: TOAST, statistics,
    /// sequences
    HeldForAll = "TN070", "held_for_all";
    /// A replication connection by a login of tenants, or a tenant entered in one
    ReplicationRefused = "TN071", "replication_refused";
    /// A tenant's transaction would add a member to a table that says which rows of another one the tenant sees
    MemberRefused = "TN072", "member_refused";
    /// A foreign key's action would take the tenant from rows of a table with shared rows, which makes them everybody's
    RowsPublished = "TN073", "rows_published";
    /// A tenant's transaction would change or lock a row that several tenants see by membership
    ReadOnlyByMembership = "TN074", "read_only_by_membership";
    /// The doctor has findings of the level asked for, or worse
    Unhealthy = "TN080", "unhealthy";
    /// The doctor has no finding of this code
    UnknownFinding = "TN081", "unknown_finding";
    /// A waiver is for a time that ends in the future
    InvalidWaiver = "TN082", "invalid_waiver";
    /// The finding is not waived on this object
    NotWaived = "TN083", "not_waived";
    /// A finding's level is error, warn or info
    UnknownLevel = "TN084", "unknown_level";
    /// The tenant column needs an operator class that an extension brings
    OperatorClassMissing = "TN085", "operator_class_missing";
    /// A key or a foreign key cannot contain the tenant column
    KeyNotHardenable = "TN086", "key_not_hardenable";
    /// Rows refer to rows of another tenant
    CrossTenantReference = "TN087", "cross_tenant_reference";
    /// The proof cannot be made by this role, as that role, or in this transaction
    ProofImpossible = "TN088", "proof_impossible";
    /// The role enters tenants with a signed token only
    SignedEntryRequired = "TN090", "signed_entry_required";
    /// No keys are configured that a token could be verified with, or none could be read
    NoTokenKeys = "TN091", "no_token_keys";
    /// The token is not a JWT, or can be read in two ways
    MalformedToken = "TN092", "malformed_token";
    /// The token is not signed by a configured key with that key's algorithm
    UntrustedToken = "TN093", "untrusted_token";
    /// The token has expired
    TokenExpired = "TN094", "token_expired";
    /// The token is not valid yet
    TokenNotYetValid = "TN095", "token_not_yet_valid";
    /// The token is of another issuer or for another audience
    TokenNotForHere = "TN096", "token_not_for_here";
    /// A claim of the token is missing or cannot be used
    TokenClaimUnusable = "TN097", "token_claim_unusable";
    /// The token stands in the text of the statement, where others can read it
    TokenInStatement = "TN098", "token_in_statement";
    /// The transaction was entered for another actor or in another role
    AnotherActor = "TN099", "another_actor";
    /// A name or a reason has characters that forge a line of a log
    UnplainText = "TN100", "unplain_text";
    /// A tenant is looked up from inside a tenant's transaction
    LookupInTenant = "TN110", "lookup_in_tenant";
    /// The tenant is being set up, and only administrators enter it
    TenantNotReady = "TN130", "tenant_not_ready";
    /// The tenant is leaving, and only administrators enter it, until its rows are purged
    TenantLeaving = "TN131", "tenant_leaving";
    /// The tenant was purged
    TenantPurged = "TN132", "tenant_purged";
    /// The tenant's state does not lead to the one asked for
    TransitionRefused = "TN133", "transition_refused";
    /// The slug is reserved, or was another tenant's
    SlugReserved = "TN134", "slug_reserved";
    /// The domain is malformed, or another tenant's, or its proof is not there
    DomainRefused = "TN135", "domain_refused";
    /// There is no such plan, or a plan cannot have such a value
    InvalidPlan = "TN136", "invalid_plan";
    /// The setting is not the tenant's to change
    SettingOfOperators = "TN137", "setting_of_operators";
    /// The actor is no active member of the tenant, or none is named
    MemberRequired = "TN140", "member_required";
    /// The actor is null, empty, too long, or has characters that forge a line of a log
    MalformedActor = "TN141", "malformed_actor";
    /// The actor has not got the permission
    PermissionRequired = "TN142", "permission_required";
    /// The role has a higher rank than the actor's own
    RoleAboveOwn = "TN143", "role_above_own";
    /// A tenant that has an owner keeps one
    LastOwner = "TN144", "last_owner";
    /// No role was ever defined with this permission
    UnknownPermission = "TN145", "unknown_permission";
    /// There is no such role
    UnknownRole = "TN146", "unknown_role";
    /// There is no such member, or there is one already
    InvalidMember = "TN147", "invalid_member";
    /// The invitation is malformed, unknown, used, revoked or expired
    InvitationRefused = "TN148", "invitation_refused";
    /// A role cannot be defined or dropped like this
    InvalidRole = "TN149", "invalid_role";
    /// The setting or feature was not declared
    UndeclaredSetting = "TN150", "undeclared_setting";
    /// The setting cannot have such a value, or be declared like this
    InvalidSetting = "TN151", "invalid_setting";
    /// A secret stands where only a reference to one may, or in a setting that is not declared secret
    SecretInSetting = "TN152", "secret_in_setting";
    /// The steps of an onboarding, or what is asked of one, cannot be
    InvalidOnboarding = "TN153", "invalid_onboarding";
    /// The attempt at a step is over: another has it, or the onboarding was abandoned
    AttemptOver = "TN154", "attempt_over";
    /// Lines of the journal and its seals are only added
    JournalIsAppendOnly = "TN155", "journal_is_append_only";
    /// The journal cannot be kept or sealed like this
    InvalidRetention = "TN156", "invalid_retention";
    /// Changes of the table cannot be journalled like this, or are not
    AuditRefused = "TN157", "audit_refused";
    /// The login cannot enter by this impersonation, ask for it, approve it or end it
    ImpersonationRefused = "TN158", "impersonation_refused";
    /// The impersonation was ended, or has expired
    ImpersonationEnded = "TN159", "impersonation_ended";
    /// The attempt at a job is over: another has it, or it was finished
    JobAttemptOver = "TN160", "job_attempt_over";
    /// A job, a kind of jobs or a schedule cannot be like this
    InvalidJob = "TN161", "invalid_job";
    /// Jobs are not claimed, nor those of the system queued, inside a tenant
    JobsOutsideTenants = "TN162", "jobs_outside_tenants";
    /// The data keys of a tenant that is not purged are not forgotten
    DataKeysNeeded = "TN169", "data_keys_needed";
    /// There is no such meter, or a meter or a quota cannot be like this
    InvalidMeter = "TN170", "invalid_meter";
    /// The tenant would use more of a meter than its limit
    OverQuota = "TN171", "over_quota";
    /// The amount cannot be consumed
    InvalidAmount = "TN172", "invalid_amount";
    /// Not a refusal but a warning: the tenant has passed a soft limit
    SoftLimitPassed = "TN173", "soft_limit_passed";
    /// The rows of the table cannot be counted, or usage cannot be read, like this
    RowsNotCountable = "TN174", "rows_not_countable";
    /// The billing event, or the customer of a provider, cannot be like this
    InvalidBillingEvent = "TN175", "invalid_billing_event";
    /// The customer of the provider is another tenant
    CustomerOfAnotherTenant = "TN176", "customer_of_another_tenant";
    /// The provider's event came before, and was another one
    BillingEventContradicts = "TN177", "billing_event_contradicts";
    /// A billing policy cannot be like this
    InvalidBillingPolicy = "TN178", "invalid_billing_policy";
    /// The tenant has as many transactions running as it may, and none of them ended in time
    TooManyTransactions = "TN180", "too_many_transactions";
    /// The tenant's transactions, statements or rows come faster than they may
    TooFast = "TN181", "too_fast";
    /// As many transactions run as the server admits, and the tenant's turn did not come in time
    ServerBusy = "TN182", "server_busy";
}

#[cfg(test)]
mod tests {
    use super::Refusal;

    #[test]
    fn codes_are_unique_ordered_and_of_class_tn() {
        let codes: Vec<&str> = Refusal::ALL.iter().map(|r| r.code()).collect();
        assert!(codes.windows(2).all(|w| w[0] < w[1]), "{codes:?}");
        for code in codes {
            assert!(code.len() == 5 && code.starts_with("TN") && code[2..].bytes().all(|b| b.is_ascii_digit()));
        }
    }

    #[test]
    fn a_code_leads_back_to_its_refusal() {
        for &refusal in Refusal::ALL {
            assert_eq!(Refusal::from_code(refusal.code()), Some(refusal));
            assert!(!refusal.summary().ends_with('.'));
        }
        assert_eq!(Refusal::from_code("42501"), None);
    }
}
