//! The state file: it is understood as a whole and written the same again, or refused with a reason.

use std::sync::{Arc, OnceLock};

use rulegate::engine::Engine;
use rulegate::engine::health::Health;
use serde_json::Value;

/// Reads the bytes as a state file.
pub fn run(data: &[u8]) {
    static ENGINE: OnceLock<Arc<Engine>> = OnceLock::new();
    let Ok(state) = serde_json::from_slice::<Value>(data) else { return };
    let mut health = match Health::from_state(&state) {
        Ok(health) => health,
        Err(reason) => {
            assert!(!reason.is_empty());
            return;
        }
    };
    let written = health.to_state();
    let again = Health::from_state(&written).expect("what was written is understood");
    assert_eq!(again.to_state(), written, "it is written the same again");
    let engine = ENGINE.get_or_init(super::exchange::engine);
    health.adopt(engine);
    for now in [i64::MIN, 0, super::exchange::NOW, i64::MAX] {
        let page = health.snapshot(engine, now);
        assert!(page["status"].is_string());
    }
}
