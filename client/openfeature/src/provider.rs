//! The provider.

use std::fmt;

use async_trait::async_trait;
use open_feature::provider::{FeatureProvider, ProviderMetadata, ResolutionDetails};
use open_feature::{
    EvaluationContext, EvaluationError, EvaluationErrorCode, EvaluationReason, EvaluationResult, FlagMetadata,
    StructValue,
};
use pg_tenant_client::{Error, Refusal, Tenant, TenantPool, ambient};
use serde_json::Value;

use crate::value::structure;

/// As text: who has no use for JSON otherwise brings no type for it.
const ASK: &str = "select tenant.setting_json($1)::text, tenant.generation()";

/// Answers from the database what a tenant has: `tenant.setting(name)`. A flag is a feature or a setting that was
/// declared.
///
/// The tenant is the targeting key of the evaluation context; where it has none, that of the running task
/// ([`ambient`]). **Take the key from what has been proven**, as the tenant of every other call: whoever
/// chooses it chooses whose flags are read.
///
/// Each evaluation is one round trip, in a transaction of its own, with a connection of the pool. The tenant's
/// generation is among the metadata of the answer, as `generation`.
///
/// | what is wrong | the code |
/// |---|---|
/// | neither targeting key nor ambient tenant | `TARGETING_KEY_MISSING` |
/// | the key is no tenant id, or of an unknown tenant | `INVALID_CONTEXT` |
/// | not declared; or declared, and the tenant has no value | `FLAG_NOT_FOUND` |
/// | a value of another type than asked for | `TYPE_MISMATCH` |
/// | everything else, such as a suspended tenant or no connection | general, with the error's message |
#[derive(Clone)]
pub struct Provider {
    pool: TenantPool,
    metadata: ProviderMetadata,
}

impl Provider {
    /// With connections of this pool, whose login may enter tenants.
    pub fn new(pool: TenantPool) -> Provider {
        Provider { pool, metadata: ProviderMetadata::new("pg_tenant") }
    }

    /// The tenant's value, if `read` finds it of the type asked for. No value is `missing`, where that is one.
    async fn resolve<T>(
        &self,
        flag: &str,
        context: &EvaluationContext,
        missing: Option<T>,
        read: impl Fn(&Value) -> Option<T> + Send,
    ) -> EvaluationResult<ResolutionDetails<T>> {
        let tenant = whose(context)?;
        let row = self.pool.tenant(&tenant).query_one(ASK, &[&flag]).await.map_err(evaluation_error)?;
        let told = |at: usize| row.try_get::<_, Option<&str>>(at).map_err(Error::from).map_err(evaluation_error);
        let value: Value = told(0)?.map_or(Ok(Value::Null), serde_json::from_str).map_err(|error| EvaluationError {
            code: EvaluationErrorCode::ParseError,
            message: Some(error.to_string()),
        })?;
        let (value, reason) = match (&value, missing) {
            (Value::Null, Some(missing)) => (missing, EvaluationReason::Default),
            (Value::Null, None) => {
                return Err(failed(EvaluationErrorCode::FlagNotFound, format!("tenant {} has no value", tenant.id())));
            }
            (value, _) => (read(value).ok_or_else(|| mismatch(value))?, EvaluationReason::TargetingMatch),
        };
        let generation: Option<i64> = row.try_get(1).unwrap_or_default();
        let metadata = generation.map(|number| FlagMetadata::default().with_value("generation", number));
        Ok(ResolutionDetails { value, variant: None, reason: Some(reason), flag_metadata: metadata })
    }
}

fn whose(context: &EvaluationContext) -> EvaluationResult<Tenant> {
    match &context.targeting_key {
        Some(key) => key.parse().map_err(|why| {
            failed(EvaluationErrorCode::InvalidContext, format!("the targeting key is no tenant id: {why}"))
        }),
        None => ambient::current().map_err(|_| {
            failed(EvaluationErrorCode::TargetingKeyMissing, "set the targeting key to the tenant's id".to_owned())
        }),
    }
}

fn failed(code: EvaluationErrorCode, message: String) -> EvaluationError {
    EvaluationError { code, message: Some(message) }
}

fn mismatch(value: &Value) -> EvaluationError {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    failed(EvaluationErrorCode::TypeMismatch, format!("the value is of type {found}"))
}

fn evaluation_error(error: Error) -> EvaluationError {
    let code = match error.refusal() {
        Some(Refusal::UndeclaredSetting) => EvaluationErrorCode::FlagNotFound,
        Some(Refusal::InvalidSetting) => EvaluationErrorCode::TypeMismatch,
        Some(Refusal::UnknownTenant | Refusal::MalformedTenantId | Refusal::NoTenant) => {
            EvaluationErrorCode::InvalidContext
        }
        _ => EvaluationErrorCode::General(error.message().to_owned()),
    };
    failed(code, error.message().to_owned())
}

#[async_trait]
impl FeatureProvider for Provider {
    fn metadata(&self) -> &ProviderMetadata {
        &self.metadata
    }

    async fn resolve_bool_value(
        &self,
        flag_key: &str,
        evaluation_context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<bool>> {
        // As tenant.feature() has it.
        self.resolve(flag_key, evaluation_context, Some(false), Value::as_bool).await
    }

    async fn resolve_int_value(
        &self,
        flag_key: &str,
        evaluation_context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<i64>> {
        self.resolve(flag_key, evaluation_context, None, Value::as_i64).await
    }

    async fn resolve_float_value(
        &self,
        flag_key: &str,
        evaluation_context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<f64>> {
        self.resolve(flag_key, evaluation_context, None, Value::as_f64).await
    }

    async fn resolve_string_value(
        &self,
        flag_key: &str,
        evaluation_context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<String>> {
        self.resolve(flag_key, evaluation_context, None, |value| value.as_str().map(str::to_owned)).await
    }

    async fn resolve_struct_value(
        &self,
        flag_key: &str,
        evaluation_context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<StructValue>> {
        self.resolve(flag_key, evaluation_context, None, structure).await
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Provider").field(&self.pool).finish()
    }
}
