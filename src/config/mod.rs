//! The rules file: its shape as types, loading it, and finding all that is wrong with it at once.

pub mod assemble;
pub mod builtin;
pub mod certificates;
pub mod changes;
pub mod check;
pub mod files;
pub mod keys;
pub mod load;
pub mod model;
pub mod overlay;
pub mod proxies;
pub mod record;
pub mod schema;
pub mod secrets;
pub mod substitute;
pub mod tls;
pub mod values;
pub mod variables;
