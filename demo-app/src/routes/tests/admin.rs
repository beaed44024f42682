use super::*;

/// R28, R40.
#[tokio::test]
async fn an_administrator_lists_sessions_by_handle_and_ends_one() {
    let demo = Demo::new();
    let mut ann = demo.signed_in().await;
    let page = demo.visitor().send(Method::GET, "/demo/admin", "", &[BEARER]).await;
    assert!(page.says("ann"), "{}", page.body);
    assert!(!page.says(&ann.cookies["sessid"]), "the page shows an id");

    let handle = page.body.split(r#"name="handle" value=""#).nth(1).unwrap().split('"').next().unwrap();
    let headers = [BEARER, ("content-type", "application/x-www-form-urlencoded")];
    let ended = demo.visitor().send(Method::POST, "/demo/admin/end", &format!("handle={handle}"), &headers).await;
    assert_eq!(ended.status, StatusCode::SEE_OTHER);
    ann.get("/demo").await.assert_login_form();
}

/// R40.
#[tokio::test]
async fn the_administrators_routes_need_the_token() {
    let mut visitor = Demo::new().visitor();
    let wrong =
        ["Bearer open sesam", "Bearer", "Basic OnNlc2FtZQ==", "Basic !", "Basic b3BlbiBzZXNhbWU=", "open sesame"];
    for path in ["/demo/admin", "/demo/purge"] {
        let answer = visitor.get(path).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(answer.headers.contains_key(header::WWW_AUTHENTICATE));
        for token in wrong {
            let answer = visitor.send(Method::GET, path, "", &[("authorization", token)]).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{token}");
        }
        assert_eq!(visitor.send(Method::GET, path, "", &[BEARER]).await.status, StatusCode::OK);
    }
    let as_password = ("authorization", "Basic YWRtaW46b3BlbiBzZXNhbWU=");
    assert_eq!(visitor.send(Method::GET, "/demo/admin", "", &[as_password]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn another_sites_page_can_not_use_the_token_that_a_browser_remembers() {
    let mut visitor = Demo::new().visitor();
    let form = ("content-type", "application/x-www-form-urlencoded");
    let mut end = async |from| {
        let headers = [BEARER, form, ("host", "demo.example"), from];
        visitor.send(Method::POST, "/demo/admin/end", "handle=none", &headers).await.status
    };
    for other in [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")] {
        assert_eq!(end(other).await, StatusCode::FORBIDDEN, "{other:?}");
    }
    for own in [("origin", "http://demo.example"), ("sec-fetch-site", "same-origin")] {
        assert_ne!(end(own).await, StatusCode::FORBIDDEN, "{own:?}");
    }
}

#[tokio::test]
async fn purging_tells_how_many_and_whether_it_is_done() {
    let demo = Demo::new();
    for _ in 0..3 {
        demo.signed_in().await;
    }
    demo.clock.advance(Duration::from_secs(3600));
    demo.signed_in().await;
    let answer = demo.visitor().send(Method::GET, "/demo/purge", "", &[BEARER]).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, r#"{"completed":true,"purged":3}"#));

    demo.store.faults().fail_every(Operation::ALL, Fault::Refused);
    let answer = demo.visitor().send(Method::GET, "/demo/purge", "", &[BEARER]).await;
    let expected = (StatusCode::SERVICE_UNAVAILABLE, r#"{"completed":false,"purged":0}"#);
    assert_eq!((answer.status, answer.body.as_str()), expected);
}

#[tokio::test]
async fn without_a_token_there_is_no_administration() {
    let options = Options::parse_from(["demo-app"]);
    let site = Arc::new(Site::new(&options));
    let app = crate::routes::all(SessionLayer::new(MemoryStore::new()), site, options.admin_token).unwrap();
    let mut visitor = Visitor { app, ..Demo::new().visitor() };
    for path in ["/demo/admin", "/demo/purge"] {
        assert_eq!(visitor.send(Method::GET, path, "", &[BEARER]).await.status, StatusCode::NOT_FOUND);
    }
    let page = visitor.get("/demo").await;
    assert!(!page.says("/demo/admin"));
    page.assert_says("--admin-token");
    assert!(!Demo::new().visitor().get("/demo").await.says("--admin-token"));
}
