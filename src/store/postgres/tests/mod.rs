//! The stories of every store, and what only several processes on one database can do wrong.

mod chats;
mod cluster;
mod racing;
mod server;
mod speed;

use super::*;
use crate::store::conformance::{self, Shared, StandingClock, at, delivery, job};
use crate::store::{Access, OpenError, Surroundings};
use cluster::House;
use std::time::Duration;

macro_rules! run {
    ($($room:ident: $story:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $story() {
                let Some(house) = house().await else { return };
                conformance::$room::$story(house.open().await).await;
                house.tear_down().await;
            }
        )+
    };
}

mod every_store {
    use super::*;

    async fn house() -> Option<House> {
        House::new().await
    }

    conformance::stories!(run);
}

/// In transaction mode: each transaction may meet another server connection.
mod every_store_behind_pgbouncer {
    use super::*;

    async fn house() -> Option<House> {
        House::behind_bouncer().await
    }

    conformance::stories!(run);
}
