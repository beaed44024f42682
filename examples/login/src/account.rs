//! What a user does who is signed in.

use askama::Template;
use axum::extract::{FromRequestParts, OptionalFromRequestParts, State};
use axum::http::request::Parts;
use axum::response::{Html, Redirect};
use axum::{Form, RequestPartsExt};
use serde::Deserialize;
use session_axum::{Authentication, EndSession, Flash, FlashLevel, FlashMessage, Refusal, SessionError, SignedIn};

use crate::passwords::SHORTEST_PASSWORD;
use crate::problem::Problem;
use crate::state::App;
use crate::users::User;

/// The user who is signed in, as an argument of handlers: with what the database has.
///
/// Whoever signed in with a password that has been changed since is turned away, and that session ends.
pub struct Account {
    session: SignedIn,
    user: User,
}

impl FromRequestParts<App> for Account {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let session: SignedIn = parts.extract_with_state(app).await?;
        let account = Account::of(session, app).await?;
        account.ok_or_else(|| SessionError::from(Refusal::NoSession).into())
    }
}

/// For pages that strangers see too: they declare `Option<Account>`.
impl OptionalFromRequestParts<App> for Account {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Option<Self>, Problem> {
        let session: Option<SignedIn> = parts.extract_with_state(app).await?;
        match session {
            Some(session) => Account::of(session, app).await,
            None => Ok(None),
        }
    }
}

impl Account {
    /// Ends the session where the password has changed since, or the user is gone.
    async fn of(session: SignedIn, app: &App) -> Result<Option<Self>, Problem> {
        match app.users.by_id(session.principal()).await? {
            Some(user) if session.has_credentials(&user.password_hash) => Ok(Some(Account { session, user })),
            _ => {
                session.remove();
                Ok(None)
            }
        }
    }
}

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    name: String,
    devices: usize,
    messages: Vec<FlashMessage>,
}

/// Shows the page of the user.
pub async fn home(State(app): State<App>, account: Account, flash: Flash) -> Result<Html<String>, Problem> {
    let devices = app.sessions.sessions_of(account.session.principal()).await?.len();
    let page = HomePage { name: account.user.name, devices, messages: flash.take()? };
    Ok(Html(page.render().map_err(anyhow::Error::from)?))
}

/// The form with a new password.
#[derive(Deserialize)]
pub struct NewPassword {
    current: String,
    new: String,
}

/// Changes the password. This session goes on under a new id; all others end when they are used next.
pub async fn change_password(
    State(app): State<App>,
    account: Account,
    flash: Flash,
    Form(form): Form<NewPassword>,
) -> Result<Redirect, Problem> {
    match changed(&app, account.user, form).await? {
        Ok(user) => {
            account.session.reauthenticate(Authentication::by(["pwd"]).credentials(user.password_hash))?;
            flash.push(FlashLevel::Success, "Your password has changed. All other devices are signed out.")?;
        }
        Err(complaint) => flash.push(FlashLevel::Error, complaint)?,
    }
    Ok(Redirect::to("/"))
}

/// The user with the new password, or why it stays as it was.
async fn changed(app: &App, user: User, form: NewPassword) -> anyhow::Result<Result<User, &'static str>> {
    if form.new.chars().count() < SHORTEST_PASSWORD {
        return Ok(Err("Give a new password of 8 characters or more."));
    }
    if !app.attempts.begin(&user.name) {
        return Ok(Err("Too many wrong passwords. Please wait a minute."));
    }
    let Some(user) = app.users.with_password(&user.name, form.current).await? else {
        return Ok(Err("The current password is wrong."));
    };
    app.attempts.forget(&user.name);
    let changed = app.users.change_password(&user, form.new).await?;
    Ok(changed.ok_or("The password was changed in another window."))
}

/// Signs out, also whoever has just been signed out in another window.
pub async fn sign_out(ending: EndSession) -> Redirect {
    ending.end();
    Redirect::to("/sign-in")
}

/// Ends all sessions of the user, this one included.
pub async fn sign_out_everywhere(
    State(app): State<App>,
    account: Account,
    ending: EndSession,
) -> Result<Redirect, Problem> {
    app.sessions.end_all_of(account.session.principal()).await?;
    ending.end();
    Ok(Redirect::to("/sign-in"))
}
