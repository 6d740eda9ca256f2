//! Compiles repairs: patches of a request, and edits of its headers.

use super::{Build, Repairs, compile};
use crate::config::model;
use crate::engine::Repair;
use crate::engine::names::REPAIRING;
use crate::text::yaml::Node;

impl Build<'_> {
    /// Compiles repairs, and says where they are: a rule looks for its own before the common ones.
    pub(super) fn repairs(&mut self, table: &model::Table<model::RequestRepair>) -> Repairs {
        let scope = self.scope(REPAIRING);
        let mut places = Vec::new();
        for (name, from) in table.iter() {
            let patch = from.patch.as_ref().map(|patch| compile::patch(patch, &scope, self.diags));
            if matches!(patch, Some(None)) {
                places.push((name.text.clone(), None));
                continue;
            }
            places.push((name.text.clone(), Some(self.repairs.len())));
            let headers = self.headers(&from.headers, &scope);
            let mut lists = Vec::new();
            for (header, list) in from.header_lists.iter() {
                let mut all = |nodes: &[Node]| {
                    nodes.iter().filter_map(|node| compile::template(node, &scope, self.diags)).collect()
                };
                let (drop, add) = (all(&list.drop), all(&list.add));
                lists.extend(self.header_name(&header.text, header.span).map(|name| (name, drop, add)));
            }
            self.repairs.push(Repair { name: name.text.clone(), patch: patch.flatten(), headers, lists });
        }
        scope.finish(self.diags);
        places
    }
}
