//! The small notations of the rules files: `30s`, `32MiB`, `5xx`, `name-*`, a schedule, a secret, a moment.

mod clock;
mod cron;
mod duration;
mod glob;
mod hours;
mod instant;
mod numbers;
mod path_holes;
mod proxy;
mod query;
mod rate_limit;
mod secret;
mod sentence;
mod size;
mod status;
mod zone;

pub use clock::{has_no_zone, in_words};
pub use cron::Cron;
pub use duration::{duration, duration_text};
pub use glob::Glob;
pub use hours::{DAYS, DaySet, Hours, TimeRange};
pub use instant::{clock_text, instant_from, instant_text, local_now_text, local_offset};
pub use numbers::{NumberSet, grouped};
pub use path_holes::PathHoles;
pub use proxy::{ProxyAddress, ProxyScheme};
pub use query::{path_text, with_query};
pub use rate_limit::RateLimit;
pub use secret::{Redactor, Secret};
pub use sentence::{Mention, mentioned};
pub use size::byte_size;
pub use status::StatusSet;
pub use zone::is_zone;
