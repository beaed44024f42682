//! T52, T53: the way to the sign-in page and back. Open redirects, in every spelling that browsers resolve elsewhere.

use super::*;

/// Where a login leads whose address has this `next`.
async fn led(world: &World, next: &str) -> String {
    let answer = world.visitor().post(&format!("/login?next={next}")).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    answer.all("location")[0].to_owned()
}

#[tokio::test]
async fn after_signing_in_the_visitor_sees_what_was_asked_for() {
    for world in worlds(with_pages).await {
        let mut visitor = world.visitor();
        let asked = sent(&mut visitor, Method::GET, "/home?a=b&c=%20d", &[PAGE]).await;
        let login = asked.all("location")[0].to_owned();
        let signed_in = visitor.post(&login).await;
        assert_eq!(signed_in.all("location"), ["/home?a=b&c=%20d"]);
        assert_eq!(visitor.get("/home?a=b&c=%20d").await.body, "ann");
    }
}

#[tokio::test]
async fn nothing_is_posted_again() {
    for world in worlds(with_pages).await {
        let mut visitor = world.visitor();
        let form = ("referer", "https://shop.example/form?id=7");
        assert_led(&sent(&mut visitor, Method::POST, "/pay", &[PAGE, form]).await, "/login?next=%2Fform%3Fid%3D7");
        assert_led(&sent(&mut visitor, Method::POST, "/pay", &[PAGE]).await, "/login");
        let elsewhere = ("referer", "https://evil.example/form");
        assert_led(&sent(&mut visitor, Method::POST, "/pay", &[PAGE, elsewhere]).await, "/login");
    }
}

#[tokio::test]
async fn no_link_leads_a_login_to_another_site() {
    for world in worlds(with_pages).await {
        for own in ["/", "/cart", "/cart%3Fa=b%26c", "/%255Cevil.example"] {
            assert_ne!(led(&world, own).await, "/home", "{own}");
        }
        for other in [
            "https://evil.example",
            "https:evil.example",
            "https:%5Cevil.example",
            "//evil.example",
            "///evil.example",
            "/%5Cevil.example",
            "%5C%5Cevil.example",
            "%5C/evil.example",
            "/%09/evil.example",
            "/%0A/evil.example",
            "/%0D%0A/evil.example",
            "%09//evil.example",
            "%20//evil.example",
            "+//evil.example",
            "%00//evil.example",
            "javascript:alert(1)",
            "data:text/html,x",
            "evil.example",
            "%2F%2Fevil.example",
            "%2f%5cevil.example",
            "/%E3%80%82/evil.example",
            "",
            "%3F/",
            "%23/",
        ] {
            assert_eq!(led(&world, other).await, "/home", "{other}");
        }
        assert_eq!(led(&world, "/cart&next=//evil.example").await, "/home", "of two, nobody knows which was meant");
    }
}

#[tokio::test]
async fn no_link_leads_a_login_to_the_logout() {
    for world in worlds(with_pages).await {
        for refused in [
            "/logout",
            "/logout/",
            "/logout%3Fa=b",
            "/%256Cogout",
            "/x/../logout",
            "/./logout",
            "/x/%252e%252e/logout",
            "/a%252Fb/../logout",
            "/a%255Cb/../logout",
            "/auth//../logout",
            "/login",
            "/confirm",
            "/login%3Fnext=/login",
        ] {
            assert_eq!(led(&world, refused).await, "/home", "{refused}");
        }
        assert_led(&sent(&mut world.visitor(), Method::GET, "/home", &[PAGE]).await, "/login?next=%2Fhome");
        let page = ("referer", "https://shop.example/logout");
        assert_led(&sent(&mut world.visitor(), Method::POST, "/pay", &[PAGE, page]).await, "/login");
    }
}
