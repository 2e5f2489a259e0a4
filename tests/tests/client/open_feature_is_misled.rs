//! An application that speaks OpenFeature gets what the tenant has, of the type it asks for, or a code that says why
//! not.
//!
//! Not through PgBouncer: one statement is sent, and the rest happens in this process.

use pg_tenant_client::ambient;
use pg_tenant_openfeature::Provider;
use pg_tenant_openfeature::open_feature::provider::{FeatureProvider, ResolutionDetails};
use pg_tenant_openfeature::open_feature::{
    EvaluationContext, EvaluationErrorCode, EvaluationReason, EvaluationResult, FlagMetadataValue, OpenFeature, Value,
};

use super::fixture::Fixture;

fn of(tenant: &str) -> EvaluationContext {
    EvaluationContext::default().with_targeting_key(tenant)
}

fn code<T: std::fmt::Debug>(answer: EvaluationResult<ResolutionDetails<T>>) -> EvaluationErrorCode {
    answer.expect_err("no code").code
}

#[tokio::test]
async fn about_a_flag() {
    let fixture = Fixture::new("openfeature").await;
    fixture
        .superuser
        .run(
            r#"select tenant.declare_feature('export'), tenant.declare_setting('seats', 'integer', '5'),
                tenant.declare_setting('share', 'number', '0.5'), tenant.declare_setting('theme', 'text', '"light"'),
                tenant.declare_setting('page', 'json', '{"rows": 20, "wide": true, "none": null}'), tenant.declare_setting('unset');
               select tenant.define_plan('gold', features => '{"export": true}'), tenant.set_plan('acme', 'gold'),
                tenant.set_setting('globex', 'seats', '7')"#,
        )
        .await;
    let provider = Provider::new(fixture.pool(1));
    let (acme, globex) = (of("acme"), of("globex"));

    let export = provider.resolve_bool_value("export", &acme).await.unwrap();
    assert_eq!((export.value, export.reason), (true, Some(EvaluationReason::TargetingMatch)));
    let generation = fixture.pool(1).tenant("acme").query_one("select tenant.generation()", &[]).await.unwrap().get(0);
    assert_eq!(export.flag_metadata.unwrap().values["generation"], FlagMetadataValue::Int(generation));
    assert!(!provider.resolve_bool_value("export", &globex).await.unwrap().value);
    assert_eq!(provider.resolve_int_value("seats", &acme).await.unwrap().value, 5);
    assert_eq!(provider.resolve_int_value("seats", &globex).await.unwrap().value, 7);
    assert_eq!(provider.resolve_float_value("share", &acme).await.unwrap().value, 0.5);
    assert_eq!(provider.resolve_float_value("seats", &acme).await.unwrap().value, 5.0);
    assert_eq!(provider.resolve_string_value("theme", &acme).await.unwrap().value, "light");
    let page = provider.resolve_struct_value("page", &acme).await.unwrap().value.fields;
    assert_eq!((page.len(), &page["rows"], &page["wide"]), (2, &Value::Int(20), &Value::Bool(true)));

    assert_eq!(code(provider.resolve_bool_value("exprot", &acme).await), EvaluationErrorCode::FlagNotFound);
    assert_eq!(code(provider.resolve_string_value("unset", &acme).await), EvaluationErrorCode::FlagNotFound);
    assert_eq!(code(provider.resolve_bool_value("theme", &acme).await), EvaluationErrorCode::TypeMismatch);
    assert_eq!(code(provider.resolve_int_value("share", &acme).await), EvaluationErrorCode::TypeMismatch);
    assert_eq!(code(provider.resolve_struct_value("theme", &acme).await), EvaluationErrorCode::TypeMismatch);
    for key in ["nobody", "no id", "acme' or true --"] {
        assert_eq!(code(provider.resolve_bool_value("export", &of(key)).await), EvaluationErrorCode::InvalidContext);
    }
    let general = code(provider.resolve_bool_value("export", &of("sleepy")).await);
    assert!(matches!(general, EvaluationErrorCode::General(_)), "{general:?}");
    let nobody = EvaluationContext::default();
    assert_eq!(code(provider.resolve_bool_value("export", &nobody).await), EvaluationErrorCode::TargetingKeyMissing);
    let ambient = ambient::scope("acme".parse().unwrap(), provider.resolve_bool_value("export", &nobody)).await;
    assert!(ambient.unwrap().value);

    // By OpenFeature's own client.
    let mut api = OpenFeature::default();
    api.set_provider(provider).await;
    let client = api.create_client();
    assert!(client.get_bool_value("export", Some(&acme), None).await.unwrap());
    assert!(client.get_bool_value("exprot", Some(&acme), None).await.is_err());
}
