//! Providers with the same priority, in the order in which this request asks them.

use super::Plan;
use crate::config::model::SpreadBy;
use crate::engine::health::Health;
use crate::engine::names::{ROUTING, View};
use crate::engine::spread::{draw_of, rank};
use crate::language::Template;

impl Plan {
    /// Puts those in another order that have the same priority, if the route says so.
    pub(super) fn spread(&self, order: &mut [usize], health: &Health) {
        let Some(spread) = self.route().and_then(|route| route.spread.as_ref()) else {
            return;
        };
        let value = spread.on.as_ref().and_then(|on| self.value_of(on));
        let draw = value.map_or(self.incoming.seed, |value| draw_of(&value));
        let place = |way: &usize| {
            let Some(provider) = self.provider_at(*way) else {
                return (0.0, 0.0);
            };
            let busy = match spread.by {
                SpreadBy::LeastBusy => {
                    f64::from(health.under_way(&provider.name)) / f64::from(provider.weight.max(1))
                }
                SpreadBy::Weighted | SpreadBy::Sticky => 0.0,
            };
            (busy, rank(draw, &provider.name, provider.weight))
        };
        let priority = |way: usize| self.provider_at(way).and_then(|provider| provider.priority);
        let is_same = |one: &usize, other: &usize| match (priority(*one), priority(*other)) {
            (None, None) => self.is_same_provider(*one, *other),
            (one, other) => one == other,
        };
        for group in order.chunk_by_mut(is_same) {
            // The sort is stable: a provider's keys stay in their order.
            group.sort_by(|one, other| {
                let (one, other) = (place(one), place(other));
                one.0.total_cmp(&other.0).then(one.1.total_cmp(&other.1))
            });
        }
    }

    /// A value of the request, as a text; `None` if there is nothing.
    fn value_of(&self, template: &Template) -> Option<String> {
        let view = View {
            doc: Some(&self.doc),
            request: Some(&self.doc),
            header: Some(&self.incoming.headers),
            model: Some(&self.model),
            now: Some(self.incoming.now),
            id: Some(&self.incoming.id),
            path: self.holes.as_ref(),
            ..View::default()
        };
        let value = template.value(&mut view.env(ROUTING, ROUTING.len())).ok()?;
        value.to_text().map(|text| text.into_owned()).filter(|text| !text.is_empty())
    }
}
