use super::*;

/// P54.
#[tokio::test]
async fn whoever_only_looks_at_the_shop_leaves_nothing() {
    let demo = Demo::new();
    let answer = demo.browser().get("/demo/shop").await;
    answer.assert_says("It is empty.");
    assert!(!answer.headers.contains_key(header::SET_COOKIE));
    assert!(demo.store.inner().is_empty());
}

/// P54.
#[tokio::test]
async fn a_strangers_cart_survives_the_login_at_either_form() {
    for (form, fields) in [("/demo", LOGIN), ("/demo/sign-in", "UserName=ann&Password=a")] {
        let mut ann = Demo::new().browser();
        ann.post("/demo/shop/add", "article=pencil").await;
        ann.submit("/demo/shop/add", "article=pencil").await.assert_says("2 × €1.20 = €2.40");
        let before = ann.cookies.clone();
        ann.post(form, fields).await;
        assert_ne!(ann.cookies, before, "{form}");
        let shop = ann.get("/demo/shop").await;
        shop.assert_says("2 × €1.20 = €2.40");
        shop.assert_says(r#"<span class="name">ann</span>"#);
    }
}

/// P54.
#[tokio::test]
async fn a_cart_never_reaches_another_user() {
    let mut browser = Demo::new().browser().logged_in("ann").await;
    browser.submit("/demo/shop/add", "article=chalk").await.assert_says("Box of chalk is in your cart.");
    browser.post("/demo/sign-in", "UserName=bob&Password=a").await;
    let shop = browser.get("/demo/shop").await;
    shop.assert_says(r#"<span class="name">bob</span>"#);
    shop.assert_says("It is empty.");
}

#[tokio::test]
async fn a_cart_takes_nine_of_an_article_and_nothing_that_is_not_sold() {
    let mut visitor = Demo::new().browser();
    visitor.submit("/demo/shop/add", "article=gold").await.assert_says("It is empty.");
    assert!(visitor.cookies.is_empty());
    for _ in 0..9 {
        visitor.submit("/demo/shop/add", "article=eraser").await.assert_says("Eraser is in your cart.");
    }
    let full = visitor.submit("/demo/shop/add", "article=eraser").await;
    full.assert_says("9 of each is the most.");
    full.assert_says("9 × €0.90 = €8.10");
    visitor.submit("/demo/shop/remove", "article=eraser").await.assert_says("It is empty.");
}

/// P54.
#[tokio::test]
async fn whoever_orders_is_led_to_the_sign_in_page_and_back_with_the_cart() {
    let demo = Demo::new();
    let mut ann = demo.browser();
    ann.post("/demo/shop/add", "article=notebook").await;
    let referer = [FORM, ("referer", "http://demo.example/demo/shop")];
    let answer = ann.send(Method::POST, "/demo/shop/order", "", &referer).await;
    assert_eq!(answer.leads_to(), "/demo/sign-in?next=%2Fdemo%2Fshop");
    ann.get("/demo/sign-in?next=%2Fdemo%2Fshop").await.assert_says(r#"name="Remember""#);
    let answer = ann.post("/demo/sign-in?next=%2Fdemo%2Fshop", "UserName=ann&Password=a").await;
    assert_eq!(answer.leads_to(), "/demo/shop");
    ann.get("/demo/shop").await.assert_says("1 × €6.50 = €6.50");
    let ordered = ann.submit("/demo/shop/order", "").await;
    ordered.assert_says("You ordered 1 thing for €6.50.");
    ordered.assert_says("It is empty.");
    ann.submit("/demo/shop/order", "").await.assert_says("Your cart is empty.");
}

/// P56.
#[tokio::test]
async fn a_message_is_shown_once() {
    let mut visitor = Demo::new().browser();
    visitor.post("/demo/shop/add", "article=pencil").await;
    visitor
        .get("/demo/shop")
        .await
        .assert_says(r#"<p class="notice success" role="status">Pencil is in your cart.</p>"#);
    assert!(!visitor.get("/demo/shop").await.says("Pencil is in your cart."));
}
