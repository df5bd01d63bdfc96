//! A fake Admitad on loopback, for clients in the test and for the real program alike (`base_url` is
//! [`FakeAdmitad::base_url`]). It behaves as the facts about upstream say, its clock is the test's, and nothing in it
//! waits for time to pass.
//!
//! ```text
//! let clock = Clock::fixed(…);                       // or Clock::system() beside a real program
//! let fake = FakeAdmitad::start(clock.clone());
//! fake.world(|world| world.follow(Story::new(7, 500, 30, start)));
//! … the client works, clock.advance(…) …
//! assert_eq!(what is stored, fake.world(World::truth));
//! ```

mod http;
mod rows;
mod story;
mod world;

pub(crate) use http::{FakeAdmitad, Request};
pub(crate) use rows::{Action, Clicks, SECOND_SPACE};
pub(crate) use story::Story;
pub(crate) use world::{CLIENT_ID, CLIENT_SECRET, Trouble, World};
