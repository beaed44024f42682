//! After the last request: nothing fails any more, whoever is signed in is let in, and the thief is not.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use http::Method;
use tokio::time::sleep;

use super::actions::ask;
use super::thief;
use super::world::World;

/// Long enough for what was sent late, and for a store whose faults are noticed late.
const AFTER_ALL: Duration = Duration::from_secs(65);

/// All faults are over. The next request of each owner must work, and the next one after a refresh.
pub async fn settle(world: &Arc<World>, rng: &mut Rng) {
    world.heal();
    world.rest().await;
    sleep(AFTER_ALL + Duration::from_millis(rng.u64(0..60_000))).await;
    while world.browsers.iter().any(|browser| browser.backs_off()) {
        sleep(Duration::from_secs(5)).await;
    }
    ask_all(world).await;
    if world.has_failed() {
        return;
    }
    sleep(world.setup.lifetime + Duration::from_secs(5)).await;
    ask_all(world).await;
    if world.has_failed() {
        return;
    }
    // Until the last window is over.
    sleep(2 * world.setup.lifetime + 4 * AFTER_ALL).await;
    thief::look_with_all(world).await;
}

async fn ask_all(world: &Arc<World>) {
    for (browser, tab) in world.browsers.iter().enumerate() {
        let Some(login) = world.truth.lock().sure_login(browser) else { continue };
        let answer = ask(tab, Method::GET, "/page".to_owned()).await;
        world.truth.lock().judge_last(browser, login, answer.as_ref());
    }
}
