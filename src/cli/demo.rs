//! `rulegate demo`: three simulated providers, the router in front of them with the shipped rules, and what to try.

mod provider;
mod script;
