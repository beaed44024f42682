//! T52, T53: the way to the sign-in page and back. Open redirects, in every spelling that browsers resolve elsewhere.

#[cfg(feature = "browser")]
use url::{Url, form_urlencoded};
#[cfg(feature = "browser")]
use workspace_tests::random::Random;

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

/// Of texts without a pattern, made of what browsers read in surprising ways. Browsers resolve as `url` does.
#[cfg(feature = "browser")]
#[tokio::test]
async fn whatever_a_login_follows_stays_on_this_site() {
    const PIECES: [&str; 30] = [
        "/",
        "/",
        "/",
        "\\",
        ".",
        "..",
        ":",
        "?",
        "#",
        "@",
        "%",
        ";",
        "&",
        "+",
        "\t",
        "\n",
        "\r",
        " ",
        "\0",
        "a",
        "B",
        "8",
        "https:",
        "evil.example",
        "logout",
        "%2f",
        "%5C",
        "%2e",
        "%09",
        "\u{ff0f}",
    ];
    const PAGES: [&str; 4] = [
        "https://shop.example/",
        "https://shop.example/login?next=//evil.example",
        "https://shop.example:8443/a/b/;c/d#e",
        "http://127.0.0.1:3000/login",
    ];
    let pages = PAGES.map(|page| Url::parse(page).unwrap());
    let asking = Router::new().route("/asking", get(async |next: ReturnTo| next.or("/otherwise")));
    let world = worlds_of(&asking, with_pages).await.remove(0);
    let mut visitor = world.visitor();
    let (mut random, mut followed, mut hurting) = (Random(1), 0, 0);
    for _ in 0..20_000 {
        let start = if random.below(4) == 0 { "" } else { "/" };
        let rest = (0..=random.below(8)).map(|_| PIECES[random.below(PIECES.len() as u64) as usize]);
        let text = start.chars().chain(rest.flat_map(str::chars)).collect::<String>();
        let next: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let answer = visitor.get(&format!("/asking?next={next}")).await;
        let location = answer.all("location")[0];
        let is_followed = location != "/otherwise";
        followed += u32::from(is_followed);
        for page in &pages {
            let (resolved, led) = (page.join(&text), page.join(location).expect("it is an address"));
            assert_eq!(led.origin(), page.origin(), "{text:?} at {page}");
            assert!(!matches!(led.path(), "/logout" | "/logout/"), "{text:?} at {page}");
            assert!(!is_followed || location == text, "{text:?} became {location:?}");
            hurting += u32::from(resolved.is_ok_and(|resolved| resolved.origin() != page.origin()));
        }
    }
    assert!(followed > 1_000 && hurting > 1_000, "{followed} were followed, {hurting} lead elsewhere");
}
