//! A tenant that a caller wrote into its baggage is never used as a tenant. (That it does not compile, the crate's own
//! documentation tests.)

use std::collections::HashMap;

use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::propagation::BaggagePropagator;
use pg_tenant_client::{Tenant, TenantId, baggage};

#[test]
fn on_its_way_through_a_header() {
    let (acme, globex): (Tenant, Tenant) = ("acme".parse().unwrap(), "globex".parse().unwrap());
    let acme = acme.with_actor("ann").with_role("clerk");
    let before = Context::new().with_baggage([KeyValue::new("request", "7"), KeyValue::new(baggage::KEY, "globex")]);
    let mut headers = HashMap::new();
    BaggagePropagator::new().inject_context(&baggage::with_tenant(&before, &acme), &mut headers);
    let header = &headers["baggage"];
    assert!(header.contains("request=7") && header.contains("tenant.id=acme"), "{header}");
    assert!(!header.contains("globex") && !header.contains("ann") && !header.contains("clerk"), "{header}");

    let there = BaggagePropagator::new().extract(&headers);
    let claimed = baggage::claimed(&there).unwrap();
    assert!(claimed.is(&acme) && !claimed.is(&globex));
    assert_eq!(baggage::claimed(&Context::new()), None);

    // What is written into a log is no id either.
    assert_eq!(format!("{claimed:?}"), r#"ClaimedTenant("acme")"#);
    assert!(format!("{claimed:?}").parse::<TenantId>().is_err());
    let long = HashMap::from([("baggage".to_owned(), format!("tenant.id={}", "x".repeat(4000)))]);
    let claimed = baggage::claimed(&BaggagePropagator::new().extract(&long)).unwrap();
    assert!(!claimed.is(&acme) && format!("{claimed:?}").len() < 120);
}

/// Baggage that is full takes no more: what the caller claims in it must not go on in the tenant's place.
#[test]
fn in_place_of_the_tenant_that_was_proven() {
    let acme: Tenant = "acme".parse().unwrap();
    let claim = KeyValue::new(baggage::KEY, "g");
    let long = Context::new().with_baggage([claim.clone(), KeyValue::new("fill", "x".repeat(8192 - 15))]);
    let many = Context::new().with_baggage((0..63).map(|n| KeyValue::new(format!("k{n}"), "x")).chain([claim]));
    let none = Context::new().with_baggage((0..64).map(|n| KeyValue::new(format!("k{n}"), "x")));
    assert!(long.baggage().get(baggage::KEY).is_some() && many.baggage().len() == 64, "this test shows nothing");
    for before in [long, many, none] {
        let named = baggage::claimed(&baggage::with_tenant(&before, &acme));
        assert!(named.as_ref().is_some_and(|named| named.is(&acme)), "{named:?}");
    }
}
