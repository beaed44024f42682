use askama::Template;
use axum::Form;
use axum::debug_handler;
use axum::response::Redirect;
use serde::Deserialize;
use session_axum::{AttrKey, Flash, FlashLevel, MaybeSession, Session, SessionError, SignedIn};

use crate::cart::{ARTICLES, Article, CART, Cart};
use crate::frame::Frame;
use crate::page::Page;
use crate::paths::SHOP;
use crate::site::App;
use crate::words::counted;

/// Where orders are sent. It is in the session, because the demo has no database.
pub const ADDRESS: AttrKey<String> = AttrKey::new("Address");

/// A shop whose cart is in the session, also that of a stranger.
#[derive(Template)]
#[template(path = "shop.html")]
pub struct ShopPage {
    frame: Frame,
    articles: &'static [Article],
    cart: Cart,
}

/// The article that a button stands for.
#[derive(Deserialize)]
pub struct Choice {
    article: String,
}

/// Shows the shop and the cart. Whoever only looks gets no session.
#[debug_handler(state = App)]
pub async fn show(frame: Frame, visitor: Option<Session>) -> Result<Page<ShopPage>, SessionError> {
    let cart = match visitor {
        Some(session) => session.attr(CART)?.unwrap_or_default(),
        None => Cart::default(),
    };
    Ok(Page(ShopPage { frame, articles: &ARTICLES, cart }))
}

/// Puts one more of an article into the cart. A stranger's first one starts an anonymous session.
#[debug_handler(state = App)]
pub async fn add(visitor: MaybeSession, flash: Flash, Form(form): Form<Choice>) -> Result<Redirect, SessionError> {
    let Some(article) = Article::named(&form.article) else { return Ok(Redirect::to(SHOP)) };
    let session = visitor.session_or_start()?;
    match session.try_update_attr(CART, |cart| cart.unwrap_or_default().with(article)).await? {
        Ok(_) => flash.push(FlashLevel::Success, format!("{} is in your cart.", article.title))?,
        Err(_full) => flash.push(FlashLevel::Warning, format!("{} of each is the most.", Cart::MOST))?,
    }
    Ok(Redirect::to(SHOP))
}

/// Takes an article out of the cart.
#[debug_handler(state = App)]
pub async fn remove(visitor: Option<Session>, Form(form): Form<Choice>) -> Result<Redirect, SessionError> {
    if let (Some(session), Some(article)) = (visitor, Article::named(&form.article)) {
        session.update_attr(CART, |cart| cart.unwrap_or_default().without(article)).await?;
    }
    Ok(Redirect::to(SHOP))
}

/// Orders what is in the cart. A stranger is led to the sign-in page and back, and keeps the cart.
#[debug_handler(state = App)]
pub async fn order(user: SignedIn, flash: Flash) -> Result<Redirect, SessionError> {
    // Of two windows that order at the same moment, one finds the cart empty.
    let mut ordered = Cart::default();
    let take = |cart: Option<Cart>| {
        ordered = cart.unwrap_or_default();
        Cart::default()
    };
    user.update_attr(CART, take).await?;
    let address = user.attr(ADDRESS)?.unwrap_or_default();
    flash.push(FlashLevel::Success, confirmation(&ordered, &address))?;
    Ok(Redirect::to(SHOP))
}

fn confirmation(ordered: &Cart, address: &str) -> String {
    let things = counted(ordered.pieces().into(), "thing");
    match (ordered.pieces(), address) {
        (0, _) => "Your cart is empty.".to_owned(),
        (_, "") => format!("You ordered {things} for {}. This is a demo: nothing will be sent.", ordered.total()),
        (_, address) => format!("You ordered {things} for {}, to {address}.", ordered.total()),
    }
}
