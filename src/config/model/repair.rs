//! Repairs: what is changed in a request before the same provider is asked once more.

use serde_json::{Value, json};

use super::{Several, Table};
use crate::config::record::{FromNode, Schemas, record};
use crate::text::diagnostic::Diagnostics;
use crate::text::yaml::{Kind, Node};

record! {
    /// What is changed in a request before the same provider is asked once more. `$match` has the groups of the
    /// rule's patterns.
    pub struct RepairParts: "a repair" {
        /// Edits of the body; all other bytes stay.
        patch: Option<Node>,
        /// Headers that are set; where the template gives nothing, the header is left out.
        headers: Table<Node>,
        /// Headers that are lists with commas, such as betas.
        header_lists: Table<ListRepair>,
    }

    /// What is changed in a header that is a list.
    pub struct ListRepair: "a repair of a header's list" {
        /// Taken out: templates. A text may name several entries, with commas; quotes around them do not count, and
        /// `*` and `?` match.
        drop: Several<Node> = Several(Vec::new()),
        /// Put at the end unless it is there: templates.
        add: Several<Node> = Several(Vec::new()),
    }
}

/// A repair: a patch of the body, or parts with headers too.
#[derive(Clone, Debug)]
pub struct RequestRepair {
    /// As it stands.
    pub node: Node,
    /// Edits of the body.
    pub patch: Option<Node>,
    /// Headers that are set or left out.
    pub headers: Table<Node>,
    /// Headers that are lists.
    pub header_lists: Table<ListRepair>,
}

impl FromNode for RequestRepair {
    fn from_node(node: &Node, diags: &mut Diagnostics) -> Option<Self> {
        let has_headers = node.get("headers").is_some() || node.get("header_lists").is_some();
        if !has_headers || !matches!(node.kind, Kind::Map(_)) {
            let (headers, header_lists) = (Table::default(), Table::default());
            return Some(RequestRepair {
                node: node.clone(),
                patch: Some(node.clone()),
                headers,
                header_lists,
            });
        }
        let parts = RepairParts::from_node(node, diags)?;
        let RepairParts { patch, headers, header_lists, .. } = parts;
        Some(RequestRepair { node: node.clone(), patch, headers, header_lists })
    }

    fn schema(schemas: &mut Schemas) -> Value {
        json!({ "anyOf": [{ "$ref": "#/$defs/Patch" }, RepairParts::schema(schemas)] })
    }
}
