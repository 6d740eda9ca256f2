//! The router inside the test's own process: quicker to start than a program, and its parts can be looked at.

use rulegate::edge::{self, Options, Running, StartError};

use super::{Client, Folder};

/// A router in this process. Dropping it stops it at once.
pub struct Serving {
    pub folder: Folder,
    pub running: Running,
}

impl Serving {
    /// Starts a router with these rules on a free loopback port.
    pub async fn start(rules: &str) -> Serving {
        Serving::with(rules, |_| ()).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Starts a router with these rules, and with options changed as wanted.
    pub async fn with(rules: &str, change: impl FnOnce(&mut Options)) -> Result<Serving, StartError> {
        let folder = Folder::new();
        let mut options = Options::new(folder.write("rules.yaml", rules));
        options.listen = Some("127.0.0.1:0".to_owned());
        change(&mut options);
        Ok(Serving { running: edge::serve(options).await?, folder })
    }

    /// A client of this router.
    pub fn client(&self) -> Client {
        Client::new(self.running.local_addr())
    }
}
