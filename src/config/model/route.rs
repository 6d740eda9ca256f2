//! A route: a path of the router and who answers it.

use super::{FailoverRule, Spanned, When};
use crate::config::record::{record, words};
use crate::text::yaml::Node;

record! {
    /// A path of the router. It is answered by providers, or by the rules themselves (`answer`).
    pub struct Route: "a route" {
        /// A name, for `route:` in failover rules.
        name: Option<Spanned<String>>,
        /// The path, exactly.
        path: Spanned<String>,
        /// The method.
        method: Method = Method::Post,
        /// What clients speak here.
        protocol: Option<Spanned<String>>,
        /// Which requests it is for; without it, all of this path.
        when: Option<When>,
        /// Who answers, in this order; without it all that can, in order of priority.
        providers: Option<Vec<Spanned<String>>>,
        /// Rules for what providers answer here; they come after the provider's own and before the common ones.
        failover: Vec<FailoverRule>,
        /// How requests are shared out among providers with the same `priority`.
        spread: Option<Spread>,
        /// The answer when no provider speaks this protocol or has a mapping for it.
        otherwise: Option<Node>,
        /// The answer, made here without asking a provider.
        answer: Option<Node>,
    }
}

record! {
    /// How requests are shared out among providers with the same `priority`. Whoever is put aside is passed over.
    pub struct Spread: "`spread`" {
        /// By what.
        by: SpreadBy,
        /// For `sticky`: the value of the request that decides, such as `$.metadata.user_id`. A request without
        /// it goes by weight.
        on: Option<Node>,
    }
}

words! {
    /// How requests are shared out.
    pub enum SpreadBy: "a way to spread" {
        /// By chance, as often as their `weight` says.
        Weighted = "weighted",
        /// To the one with the fewest requests under way for its weight.
        LeastBusy = "least_busy",
        /// Requests with the same value to the same one, as long as it works.
        Sticky = "sticky",
    }

    /// The method of a route.
    pub enum Method: "a method" {
        /// Reads.
        Get = "GET",
        /// Sends.
        Post = "POST",
        /// Puts in place.
        Put = "PUT",
        /// Changes.
        Patch = "PATCH",
        /// Removes.
        Delete = "DELETE",
    }
}
