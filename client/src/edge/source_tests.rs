use http::Request;

use super::*;

fn parts(uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::get(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn says(source: &Source, uri: &str, headers: &[(&str, &str)]) -> Result<Option<String>, Denied> {
    source.read(&parts(uri, headers)).map(|said| said.map(Cow::into_owned))
}

fn some(text: &str) -> Result<Option<String>, Denied> {
    Ok(Some(text.to_owned()))
}

#[test]
fn a_subdomain_is_one_label_before_the_domain() {
    let source = Source::subdomain("Example.com");
    for (host, said) in [
        ("acme.example.com", some("acme")),
        ("ACME.example.COM:8443", some("acme")),
        ("acme.example.com.", some("acme")),
        ("example.com", Ok(None)),
        ("acmeexample.com", Ok(None)),
        ("acme.example.com.evil.net", Ok(None)),
        ("localhost", Ok(None)),
        // No slug has a dot: nobody is found under it.
        ("a.acme.example.com", some("a.acme")),
        (".example.com", some("")),
        ("globex@acme.example.com", Err(Denied::Ambiguous)),
        ("acme.example.com/x", Err(Denied::Ambiguous)),
    ] {
        assert_eq!(says(&source, "/", &[("host", host)]), said, "{host}");
    }
    assert_eq!(says(&source, "/", &[]), Ok(None));
    // HTTP/2 and absolute targets have the host in the request line.
    assert_eq!(says(&source, "http://acme.example.com/x", &[]), some("acme"));
    assert_eq!(says(&source, "http://acme.example.com/x", &[("host", "acme.example.com:80")]), some("acme"));
    let two = [("host", "globex.example.com")];
    assert_eq!(says(&source, "http://acme.example.com/x", &two), Err(Denied::Ambiguous));
    let twice = [("host", "acme.example.com"), ("host", "globex.example.com")];
    assert_eq!(says(&source, "/", &twice), Err(Denied::Ambiguous));
    // What a proxy adds is anybody's to write.
    let forwarded = [("host", "acme.example.com"), ("x-forwarded-host", "globex.example.com")];
    assert_eq!(says(&source, "/", &forwarded), some("acme"));
}

#[test]
fn a_path_has_it_right_after_the_prefix() {
    for prefix in ["/t", "t/", "/t/"] {
        let source = Source::path(prefix);
        for (path, said) in [
            ("/t/acme/orders?x=/t/globex", some("acme")),
            ("/t/acme", some("acme")),
            ("/t/ac%6De/x", some("acme")),
            ("/t/a%3Ab/x", some("a:b")),
            ("/t/acme%2f..%2fglobex/x", some("acme/../globex")),
            ("/t/", Ok(None)),
            ("/t", Ok(None)),
            ("//t/acme", Ok(None)),
            ("/x/t/acme", Ok(None)),
            ("/team/acme", Ok(None)),
            ("/t/acme%", Err(Denied::Ambiguous)),
            ("/t/acme%+1", Err(Denied::Ambiguous)),
            ("/t/acme%00", Err(Denied::Ambiguous)),
            ("/t/%C3%A4", Err(Denied::Ambiguous)),
        ] {
            assert_eq!(says(&source, path, &[]), said, "{path}");
        }
    }
    assert_eq!(says(&Source::path("/"), "/acme/orders", &[]), some("acme"));
}

#[test]
fn a_header_that_comes_twice_says_nothing() {
    let source = Source::header(HeaderName::from_static("x-tenant"));
    assert_eq!(says(&source, "/", &[]), Ok(None));
    assert_eq!(says(&source, "/", &[("x-tenant", "acme")]), some("acme"));
    let twice = [("x-tenant", "acme"), ("x-tenant", "acme")];
    assert_eq!(says(&source, "/", &twice), Err(Denied::Ambiguous));
    assert_eq!(says(&source, "/", &[("x-tenant", "\u{e4}")]), Err(Denied::Ambiguous));
}
