use super::*;

#[tokio::test]
async fn the_root_leads_to_the_demo() {
    let answer = Demo::new().visitor().get("/").await;
    assert_eq!((answer.status, &answer.headers[header::LOCATION]), (StatusCode::SEE_OTHER, &"/demo".parse().unwrap()));
}

#[tokio::test]
async fn a_stranger_sees_the_form_and_gets_no_cookie() {
    let demo = Demo::new();
    let answer = demo.visitor().get("/demo").await;
    answer.assert_login_form();
    assert!(!answer.headers.contains_key(header::SET_COOKIE));
    assert!(demo.store.inner().is_empty());
}

/// P50, P65.
#[tokio::test]
async fn the_page_after_the_login_counts_one_and_each_further_visit_counts() {
    let mut ann = Demo::new().visitor();
    let answer = ann.submit("/demo", LOGIN).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.says("Hello ann!"));
    answer.assert_count(1);
    ann.get("/demo").await.assert_count(2);
    ann.submit("/demo", "").await.assert_count(3);
    let answer = ann.send(Method::POST, "/demo", "{}", &[("content-type", "application/json")]).await;
    ann.follow(answer).await.assert_count(4);
    let answer = ann.send(Method::POST, "/demo", "", &[]).await;
    ann.follow(answer).await.assert_count(5);
}

/// B80.
#[tokio::test]
async fn every_form_is_answered_by_the_way_to_the_page() {
    let demo = Demo::new();
    let mut visitor = demo.visitor();
    for (form, leads_to) in [
        ("UserName=ann&Password=b&Login=Login", "/demo?refused"),
        ("UserName=ann&Password=a", "/demo"),
        (LOGIN, "/demo"),
        (LOGIN, "/demo"),
        ("", "/demo"),
        ("Logout=Logout", "/demo"),
        ("Logout=Logout", "/demo"),
    ] {
        let answer = visitor.post("/demo", form).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{form}");
        assert_eq!(answer.headers[header::LOCATION], leads_to, "{form}");
        assert!(answer.body.is_empty());
    }
}

/// P50.
#[tokio::test]
async fn a_login_form_sent_while_signed_in_only_counts() {
    let mut ann = Demo::new().signed_in().await;
    for (count, form) in [(1, "UserName=bob&Password=a&Login=Login"), (2, "UserName=bob&Password=b&Login=Login")] {
        let answer = ann.submit("/demo", form).await;
        answer.assert_count(count);
        assert!(answer.says("Hello ann!") && !answer.says("bob") && !answer.says("Invalid"), "{}", answer.body);
    }
}

#[tokio::test]
async fn wrong_credentials_are_refused_in_words() {
    let demo = Demo::new();
    let too_long = "n".repeat(MAX_FORM_BYTES);
    for (user, password) in [("ann", "b"), ("ann", ""), ("", "a"), ("ann", "A"), ("ann", "aa"), (&too_long, "a")] {
        let mut visitor = demo.visitor();
        let answer = visitor.submit("/demo", &format!("UserName={user}&Password={password}&Login=Login")).await;
        answer.assert_login_form();
        assert!(answer.says("Invalid user name or password!"), "{user:.9} {password}");
        assert!(visitor.cookies.is_empty());
    }
    assert!(demo.store.inner().is_empty());
    assert!(!demo.visitor().get("/demo").await.says("Invalid"));
}

#[tokio::test]
async fn the_words_of_a_refused_login_are_not_for_whoever_is_signed_in() {
    let mut ann = Demo::new().signed_in().await;
    let answer = ann.get("/demo?refused").await;
    answer.assert_count(1);
    assert!(!answer.says("Invalid"));
}

#[tokio::test]
async fn any_user_name_will_do() {
    // The longest, in characters that take most room in a session: six bytes for the three of a form.
    let longest = "%01".repeat((MAX_FORM_BYTES - 100) / 3);
    for (user, shown) in
        [("a", "Hello a!"), ("%20", "Hello  !"), ("%C5%81%C3%B3d%C5%BA", "Hello Łódź!"), (&longest, "Hello \u{1}")]
    {
        let mut visitor = Demo::new().visitor();
        let answer = visitor.submit("/demo", &format!("UserName={user}&Password=a&Login=Login")).await;
        assert!(answer.says(shown), "{user:.9}");
        visitor.get("/demo").await.assert_count(2);
    }
}

#[tokio::test]
async fn what_was_typed_is_shown_nowhere_after_a_refusal() {
    let mut visitor = Demo::new().visitor();
    let answer = visitor.post("/demo", "UserName=hunter2&Password=s3cret&Login=Login").await;
    let location = answer.headers[header::LOCATION].to_str().unwrap().to_owned();
    let page = visitor.get(&location).await;
    for text in [location, answer.body, page.body] {
        assert!(!text.contains("s3cret") && !text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn a_form_without_its_button_signs_nobody_in() {
    Demo::new().visitor().submit("/demo", "UserName=ann&Password=a").await.assert_login_form();
}

#[tokio::test]
async fn credentials_in_the_address_are_ignored() {
    let mut visitor = Demo::new().visitor();
    visitor.get(&format!("/demo?{LOGIN}")).await.assert_login_form();
    visitor.submit(&format!("/demo?{LOGIN}"), "").await.assert_login_form();
    assert!(visitor.cookies.is_empty());
}

#[tokio::test]
async fn logging_out_shows_the_form_and_the_old_cookie_is_useless() {
    let demo = Demo::new();
    let mut ann = demo.signed_in().await;
    let mut thief = ann.clone();
    ann.submit("/demo", "Logout=Logout").await.assert_login_form();
    assert!(ann.cookies.is_empty());
    ann.get("/demo").await.assert_login_form();
    thief.get("/demo").await.assert_login_form();
    ann.submit("/demo", LOGIN).await.assert_count(1);
}

#[tokio::test]
async fn names_are_escaped() {
    let mut visitor = Demo::new().visitor();
    let form = "UserName=%3Cscript%3E%22%27%26&Password={}&Login=Login";
    for password in ["a", "b"] {
        let answer = visitor.submit("/demo", &form.replace("{}", password)).await;
        assert!(!answer.says("<script>") && !answer.says("\"'&"), "{}", answer.body);
        visitor.post("/demo", "Logout=Logout").await;
    }
}

#[tokio::test]
async fn pages_are_not_kept_by_browsers() {
    let mut ann = Demo::new().signed_in().await;
    assert_eq!(ann.get("/demo").await.headers[header::CACHE_CONTROL], "no-store");
}

#[tokio::test]
async fn the_session_ends_after_the_idle_timeout() {
    let demo = Demo::new();
    let mut ann = demo.signed_in().await;
    demo.clock.advance(Duration::from_secs(30 * 60));
    ann.get("/demo").await.assert_login_form();
}

/// R51.
#[tokio::test]
async fn another_sites_page_can_sign_nobody_in_or_out() {
    let demo = Demo::new();
    let form_type = ("content-type", "application/x-www-form-urlencoded");
    let host = ("host", "demo.example");
    for (headers, is_own) in [
        (&[("sec-fetch-site", "cross-site"), ("origin", "http://evil.example"), host][..], false),
        (&[("sec-fetch-site", "same-site"), ("origin", "http://other.demo.example"), host], false),
        (&[("sec-fetch-site", "cross-site"), ("origin", "null"), host], false),
        (&[("origin", "http://evil.example"), host], false),
        (&[("origin", "http://demo.example:8080"), host], false),
        (&[("origin", "null"), host], false),
        (&[("origin", "null")], false),
        (&[("origin", "http://demo.example"), host], true),
        (&[("sec-fetch-site", "same-origin"), ("origin", "null"), host], true),
        (&[host], true),
        (&[], true),
    ] {
        let headers = [headers, &[form_type]].concat();
        let mut visitor = demo.visitor();
        let answer = visitor.send(Method::POST, "/demo", LOGIN, &headers).await;
        let expected = if is_own { StatusCode::SEE_OTHER } else { StatusCode::FORBIDDEN };
        assert_eq!(answer.status, expected, "{headers:?}");
        assert_eq!(visitor.cookies.is_empty(), !is_own, "{headers:?}");

        let mut ann = demo.signed_in().await;
        assert_eq!(ann.send(Method::POST, "/demo", "Logout=Logout", &headers).await.status, expected, "{headers:?}");
        assert_eq!(ann.cookies.is_empty(), is_own, "{headers:?}");
    }
    // A link from elsewhere shows the page.
    demo.visitor().send(Method::GET, "/demo", "", &[("sec-fetch-site", "cross-site")]).await.assert_login_form();
}
